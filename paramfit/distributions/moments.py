"""Where to start a fit of a distribution: estimates by moments or quantiles of the sample."""

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor
from torch.distributions import (
    Bernoulli,
    Beta,
    Binomial,
    Cauchy,
    Chi2,
    ContinuousBernoulli,
    Distribution,
    Exponential,
    Gamma,
    Geometric,
    Gumbel,
    HalfCauchy,
    HalfNormal,
    InverseGamma,
    Kumaraswamy,
    Laplace,
    LogNormal,
    NegativeBinomial,
    Normal,
    Pareto,
    Poisson,
    StudentT,
    VonMises,
    Weibull,
)

from paramfit.distributions.arguments import argument_bounds
from paramfit.distributions.sample import Sample
from paramfit.errors import InputError

__all__ = ["moment_start"]

Known = Mapping[str, float]
_EULER = 0.5772156649015329  # Euler's constant


def moment_start(
    kind: type[Distribution], names: Sequence[str], target: Tensor, known: Known | None = None
) -> dict[str, float]:
    """Starts for the arguments of a distribution, strictly inside their bounds.

    Args:
        kind: the distribution's class.
        names: the arguments that need a start.
        target: the sample ``(n,)``, in the support.
        known: arguments that keep a value, or have a start already.

    Raises:
        InputError: if there is no rule for the distribution or the argument; if all observations are equal (or all
            0) where the likelihood then has no maximum.

    References:
        - Minka, *Estimating a Gamma distribution* (2002)
        - Banerjee, Dhillon, Ghosh and Sra, *Clustering on the Unit Hypersphere using von Mises-Fisher
          Distributions* (2005)

    Example:
        >>> moment_start(Normal, ["loc", "scale"], torch.tensor([1.0, 3.0]))
        {'loc': 2.0, 'scale': 1.0}
    """
    if not names:
        return {}
    rule = _RULES.get(kind)
    found = {} if rule is None else rule(Sample(kind, target), known or {})
    starts: dict[str, float] = {}
    for name in names:
        if name not in found:
            msg = f"parameters.{name}.start: there is no rule for a start of {kind.__name__}'s {name}; give a start"
            raise InputError(msg)
        starts[name] = _inside(kind, name, found[name]())
    return starts


Rules = Mapping[str, Callable[[], float]]


def _normal(sample: Sample, known: Known) -> Rules:
    def scale() -> float:
        if "loc" not in known:
            return math.sqrt(sample.variance())
        return _root_mean_square(sample.of(sample.y - known["loc"]))

    return {"loc": sample.mean, "scale": scale}


def _log_normal(sample: Sample, known: Known) -> Rules:
    return _normal(sample.of(sample.y.log()), known)


def _root_mean_square(sample: Sample) -> float:
    sample.must_not_be_zero()
    return math.sqrt(sample.y.square().mean().item())


def _half_normal(sample: Sample, known: Known) -> Rules:
    del known
    return {"scale": lambda: _root_mean_square(sample)}


def _laplace(sample: Sample, known: Known) -> Rules:
    def scale() -> float:
        if "loc" not in known:
            sample.must_vary()
        away = sample.of((sample.y - known.get("loc", sample.quantile(0.5))).abs())
        away.must_not_be_zero()
        return away.mean()

    return {"loc": lambda: sample.quantile(0.5), "scale": scale}


def _cauchy(sample: Sample, known: Known) -> Rules:
    del known
    return {"loc": lambda: sample.quantile(0.5), "scale": sample.half_range}


def _half_cauchy(sample: Sample, known: Known) -> Rules:
    del known

    def scale() -> float:
        sample.must_not_be_zero()
        return sample.quantile(0.5) or sample.mean()

    return {"scale": scale}


_T_QUARTILE = 0.7267  # of Student's t with 5 degrees of freedom
_MOST_DF, _LEAST_DF = 30.0, 3.0  # of a start: beyond, the sample's kurtosis says little


def _student_t(sample: Sample, known: Known) -> Rules:
    del known

    def df() -> float:
        z = (sample.y - sample.mean()) / math.sqrt(sample.variance())
        excess = z.square().square().mean().item() - 3  # 6 / (df - 4) in expectation
        return min(max(4 + 6 / excess, _LEAST_DF), _MOST_DF) if excess > 0 else _MOST_DF

    return {"df": df, "loc": lambda: sample.quantile(0.5), "scale": lambda: sample.half_range() / _T_QUARTILE}


def _gumbel(sample: Sample, known: Known) -> Rules:
    def scale() -> float:
        return math.sqrt(6 * sample.variance()) / math.pi

    def loc() -> float:
        return sample.mean() - _EULER * (known["scale"] if "scale" in known else scale())

    return {"loc": loc, "scale": scale}


def _exponential(sample: Sample, known: Known) -> Rules:
    del known

    def rate() -> float:
        sample.must_not_be_zero()
        return 1 / sample.mean()

    return {"rate": rate}


def _gamma(sample: Sample, known: Known) -> Rules:
    def concentration() -> float:
        if "rate" in known:
            return sample.mean() * known["rate"]
        sample.must_vary()
        # Minka's start, within 1.5 % of the maximum; s is what the mean's logarithm exceeds the logarithms' mean by.
        s = math.log(sample.mean()) - sample.y.log().mean().item()
        if s < 1e-10:  # a spread so small that rounding is all of s: there s is half the squared relative spread
            s = sample.variance() / sample.mean() ** 2 / 2
        return (3 - s + math.sqrt((s - 3) ** 2 + 24 * s)) / (12 * s)

    def rate() -> float:
        return (known["concentration"] if "concentration" in known else concentration()) / sample.mean()

    return {"concentration": concentration, "rate": rate}


def _inverse_gamma(sample: Sample, known: Known) -> Rules:
    return _gamma(sample.of(1 / sample.y), known)


def _chi2(sample: Sample, known: Known) -> Rules:
    del known
    return {"df": sample.mean}


def _beta(sample: Sample, known: Known) -> Rules:
    del known

    def both() -> float:
        return sample.mean() * (1 - sample.mean()) / sample.variance() - 1

    return {
        "concentration1": lambda: sample.mean() * both(),
        "concentration0": lambda: (1 - sample.mean()) * both(),
    }


def _weibull(sample: Sample, known: Known) -> Rules:
    logs = sample.of(sample.y.log())

    def concentration() -> float:
        return math.pi / math.sqrt(6 * logs.variance())

    def scale() -> float:
        return math.exp(
            logs.mean() + _EULER / (known["concentration"] if "concentration" in known else concentration())
        )

    return {"scale": scale, "concentration": concentration}


def _pareto(sample: Sample, known: Known) -> Rules:
    if "scale" not in known:
        return {}
    logs = sample.of((sample.y / known["scale"]).log())
    return {"alpha": _exponential(logs, {})["rate"]}


def _von_mises(sample: Sample, known: Known) -> Rules:
    east, north = sample.y.cos().mean().item(), sample.y.sin().mean().item()

    def concentration() -> float:
        sample.must_vary()
        length = math.hypot(east, north)
        if "loc" in known:
            length = max(east * math.cos(known["loc"]) + north * math.sin(known["loc"]), 0.0)
        return length * (2 - length**2) / max(1 - length**2, torch.finfo(torch.float64).eps)

    return {"loc": lambda: math.atan2(north, east), "concentration": concentration}


def _poisson(sample: Sample, known: Known) -> Rules:
    del known
    return {"rate": lambda: sample.mean() or 0.5 / sample.n}


def _share(successes: float, trials: float) -> float:
    """The share of successes; where there are none or all, half a success or failure is added."""
    if 0 < successes < trials:
        return successes / trials
    return (successes + 0.5) / (trials + 1)


def _probability(share: Callable[[], float]) -> Rules:
    def logits() -> float:
        probs = share()
        return math.log(probs) - math.log1p(-probs)

    return {"probs": share, "logits": logits}


def _bernoulli(sample: Sample, known: Known) -> Rules:
    del known
    return _probability(lambda: _share(sample.y.sum().item(), sample.n))


def _binomial(sample: Sample, known: Known) -> Rules:
    if "total_count" not in known:
        return {}
    return _probability(lambda: _share(sample.y.sum().item(), sample.n * known["total_count"]))


def _geometric(sample: Sample, known: Known) -> Rules:
    del known
    return _probability(lambda: _share(sample.n, sample.n + sample.y.sum().item()))


def _negative_binomial(sample: Sample, known: Known) -> Rules:
    def total_count() -> float:
        sample.must_not_be_zero()
        mean = sample.mean()
        # No more spread than Poisson's has its maximum at an infinite count: start where the excess is a hundredth.
        excess = max(sample.y.var(correction=0).item() - mean, mean / 100)
        return mean**2 / excess

    def probs() -> float:
        count = known["total_count"] if "total_count" in known else total_count()
        return _share(sample.y.sum().item(), sample.y.sum().item() + sample.n * count)

    return {"total_count": total_count, **_probability(probs)}


_RULES: Mapping[type[Distribution], Callable[[Sample, Known], Rules]] = {
    Bernoulli: _bernoulli,
    Beta: _beta,
    Binomial: _binomial,
    Cauchy: _cauchy,
    Chi2: _chi2,
    ContinuousBernoulli: _bernoulli,
    Exponential: _exponential,
    Gamma: _gamma,
    Geometric: _geometric,
    Gumbel: _gumbel,
    HalfCauchy: _half_cauchy,
    HalfNormal: _half_normal,
    InverseGamma: _inverse_gamma,
    Kumaraswamy: _beta,
    Laplace: _laplace,
    LogNormal: _log_normal,
    NegativeBinomial: _negative_binomial,
    Normal: _normal,
    Pareto: _pareto,
    Poisson: _poisson,
    StudentT: _student_t,
    VonMises: _von_mises,
    Weibull: _weibull,
}


def _inside(kind: type[Distribution], name: str, value: float) -> float:
    """The start; a number just inside the bound where rounding has put it on one."""
    lower, upper = argument_bounds(kind, name)
    room = torch.finfo(torch.float64).eps
    if lower is not None and value <= lower:
        return lower + room
    if upper is not None and value >= upper:
        return upper - room
    return value
