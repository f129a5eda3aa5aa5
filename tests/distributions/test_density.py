"""Log-densities and scores where arguments are so large that log gammas cancel: mpmath with 60 digits is the truth."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import mpmath
import numpy as np
import pytest
import torch
from mpmath import mp
from scipy import special, stats
from torch import distributions as dist
from torch.distributions import Distribution
from torch.distributions.relaxed_bernoulli import LogitRelaxedBernoulli

from paramfit import DistributionModel, InputError, LogLogistic, fit
from paramfit.distributions import check_support, log_density, sample_sums, score
from paramfit.distributions.arguments import made as unmoved
from paramfit.distributions.families import FAMILIES

LARGE = [1e2, 1e3, 2e3, 1e5, 1e7, 1e10, 1e13]
EPS = float(np.finfo(np.float64).eps)


class Extreme(NamedTuple):
    """A family at arguments that grow with a, and a value that is about z standard deviations from its middle."""

    kind: type[Distribution]
    arguments: Callable[[float], dict[str, float]]
    value: Callable[[float, float], float]
    truth: Callable[..., Any]
    names: tuple[str, ...]  # by which the score is taken, in the order of the arguments


def gamma(a, r, y):
    return a * mp.log(r) + (a - 1) * mp.log(y) - r * y - mp.loggamma(a)


def beta(a, b, y):
    return (a - 1) * mp.log(y) + (b - 1) * mp.log(1 - y) + mp.loggamma(a + b) - mp.loggamma(a) - mp.loggamma(b)


def negative_binomial(c, p, y):
    return mp.loggamma(c + y) - mp.loggamma(c) - mp.loggamma(y + 1) + c * mp.log(1 - p) + y * mp.log(p)


def binomial(n, p, y):
    chosen = mp.loggamma(n + 1) - mp.loggamma(y + 1) - mp.loggamma(n - y + 1)
    return chosen + y * mp.log(p) + (n - y) * mp.log(1 - p)


def fisher(m, n, x):
    return beta(m / 2, n / 2, m * x / (n + m * x)) + mp.log(m * n) - 2 * mp.log(n + m * x)


def student(df, loc, scale, y):
    ratio = mp.loggamma((df + 1) / 2) - mp.loggamma(df / 2) - mp.log(df * mp.pi) / 2
    return ratio - mp.log(scale) - (df + 1) / 2 * mp.log1p(((y - loc) / scale) ** 2 / df)


def von_mises(loc, k, x):
    bessel = mp.hyp1f1(0.5, 1, -2 * k) if k < 1e4 else mp.hyp2f0(0.5, 0.5, 1 / (2 * k)) / mp.sqrt(2 * mp.pi * k)
    return k * (mp.cos(x - loc) - 1) - mp.log(2 * mp.pi) - mp.log(bessel)


def logistic(scale, shape, y):
    return mp.log(shape / y) - 2 * mp.log(2 * mp.cosh(shape * mp.log(y / scale) / 2))


EXTREMES = {
    "gamma": Extreme(dist.Gamma, lambda a: {"concentration": a, "rate": a / 100}, lambda a, z: 100 * (1 + z / a**0.5),
        gamma, ("concentration", "rate")),
    "inverse gamma": Extreme(dist.InverseGamma, lambda a: {"concentration": a, "rate": a * 100},
        lambda a, z: 100 * (1 + z / a**0.5), lambda a, r, y: gamma(a, r, 1 / y) - 2 * mp.log(y),
        ("concentration", "rate")),
    "chi2": Extreme(dist.Chi2, lambda a: {"df": a}, lambda a, z: a + z * (2 * a) ** 0.5,
        lambda df, y: gamma(df / 2, mpmath.mpf("0.5"), y), ("df",)),
    "beta": Extreme(dist.Beta, lambda a: {"concentration1": 0.3 * a, "concentration0": 0.7 * a},
        lambda a, z: 0.3 * (1 + z / a**0.5), beta, ("concentration1", "concentration0")),
    "beta near 0": Extreme(dist.Beta, lambda a: {"concentration1": 2.5, "concentration0": a},
        lambda a, z: (2.5 + z) / a, beta, ("concentration1", "concentration0")),
    "F": Extreme(dist.FisherSnedecor, lambda a: {"df1": a, "df2": 3 * a}, lambda a, z: 1 + z / a**0.5, fisher, ()),
    "F of few": Extreme(dist.FisherSnedecor, lambda a: {"df1": 5.0, "df2": a}, lambda a, z: 1 + 0.3 * z, fisher, ()),
    "Kumaraswamy": Extreme(dist.Kumaraswamy, lambda a: {"concentration1": 2.0, "concentration0": a},
        lambda a, z: ((3 + z) / a) ** 0.5,
        lambda a, b, x: mp.log(a * b) + (a - 1) * mp.log(x) + (b - 1) * mp.log(1 - x**a), ()),
    "Student's t": Extreme(dist.StudentT, lambda a: {"df": a, "loc": 1e3, "scale": 2.0}, lambda a, z: 1e3 + 2 * z,
        student, ("df", "loc", "scale")),
    "Weibull": Extreme(dist.Weibull, lambda a: {"scale": 100.0, "concentration": a}, lambda a, z: 100 * (1 + z / a),
        lambda s, k, y: mp.log(k / s) + (k - 1) * mp.log(y / s) - (y / s) ** k, ("scale", "concentration")),
    "log-logistic": Extreme(LogLogistic, lambda a: {"scale": 100.0, "shape": a}, lambda a, z: 100 * (1 + z / a),
        logistic, ("scale", "shape")),
    "Pareto": Extreme(dist.Pareto, lambda a: {"scale": 100.0, "alpha": a}, lambda a, z: 100 * (1 + abs(z) / a),
        lambda s, a, y: mp.log(a / y) - a * mp.log(y / s), ("alpha",)),
    "von Mises": Extreme(dist.VonMises, lambda a: {"loc": 0.3, "concentration": a}, lambda a, z: 0.3 + z / a**0.5,
        von_mises, ()),
    "Poisson": Extreme(dist.Poisson, lambda a: {"rate": a}, lambda a, z: round(a + z * a**0.5),
        lambda r, y: y * mp.log(r) - r - mp.loggamma(y + 1), ("rate",)),
    "binomial": Extreme(dist.Binomial, lambda a: {"total_count": a, "probs": 0.3},
        lambda a, z: round(0.3 * a + z * (0.21 * a) ** 0.5), binomial, ("probs",)),
    "negative binomial near Poisson": Extreme(dist.NegativeBinomial, lambda a: {"total_count": a, "probs": 5 / (5 + a)},
        lambda a, z: round(5 + 1.7 * z), negative_binomial, ("total_count",)),
    "negative binomial of many": Extreme(dist.NegativeBinomial, lambda a: {"total_count": a, "probs": 0.5},
        lambda a, z: round(a + z * (2 * a) ** 0.5), negative_binomial, ("total_count",)),
}  # fmt: skip
SIMPLE = {
    dist.Normal, dist.LogNormal, dist.HalfNormal, dist.Laplace, dist.Cauchy, dist.HalfCauchy, dist.Gumbel,
    dist.Exponential, dist.Uniform, dist.Bernoulli, dist.ContinuousBernoulli, dist.Geometric, dist.GeneralizedPareto,
    LogitRelaxedBernoulli, dist.RelaxedBernoulli,
}  # fmt: skip  # whose densities have no argument that is a power


@pytest.fixture(autouse=True)
def sixty_digits():
    with mpmath.workdps(60):
        yield


def made(extreme: Extreme, a: float, z: float) -> tuple[Distribution, torch.Tensor, list[Any]]:
    """The distribution, the value, and both for mpmath."""
    arguments = {name: torch.tensor([float(value)]).double() for name, value in extreme.arguments(a).items()}
    value = torch.tensor([float(extreme.value(a, z))], dtype=torch.float64)
    return extreme.kind(**arguments), value, [mpmath.mpf(column.item()) for column in (*arguments.values(), value)]


def test_every_family_is_tried():
    assert {extreme.kind for extreme in EXTREMES.values()} | SIMPLE == set(FAMILIES)


@pytest.mark.parametrize("a", LARGE)
@pytest.mark.parametrize("extreme", EXTREMES.values(), ids=EXTREMES)
def test_log_density_keeps_its_digits(extreme, a):
    for z in (-1.3, 0.4, 2.1):
        distribution, value, exact = made(extreme, a, z)
        truth = float(extreme.truth(*exact))
        # What the rounding of the value alone changes is eps sqrt(a); log gammas of 1000 have lost as much as 1e-12.
        assert abs(log_density(distribution, value).item() - truth) <= 5e-12 + 40 * EPS * (a**0.5 + abs(truth))
        if extreme.names:
            sums = sample_sums(distribution, value, extreme.names)
            assert abs(sums.log_likelihood.item() - truth) <= 5e-12 + 40 * EPS * (a**0.5 + abs(truth))


@pytest.mark.parametrize("a", LARGE)
@pytest.mark.parametrize("extreme", [row for row in EXTREMES.values() if row.names],
    ids=[name for name, row in EXTREMES.items() if row.names])  # fmt: skip
def test_score_keeps_its_digits(extreme, a):
    distribution, value, exact = made(extreme, a, 2.1)
    computed = score(distribution, value, extreme.names)
    for place, name in enumerate(extreme.arguments(a)):
        if name in extreme.names:
            order = tuple(int(k == place) for k in range(len(exact)))
            with mpmath.workdps(90):
                truth = float(mpmath.diff(extreme.truth, tuple(exact), order))
            assert computed[name].item() == pytest.approx(truth, rel=1e-11 + 4 * EPS * a**0.5)


@pytest.mark.parametrize("spread", [1e-3, 1e-5, 3e-6])
@pytest.mark.parametrize("inverse", [False, True], ids=["gamma", "inverse gamma"])
def test_fit_of_nearly_equal_values_is_the_maximum(inverse, spread):
    y = 100 * (1 + spread * np.random.default_rng(3).normal(size=80))
    values = [1 / mpmath.mpf(value) if inverse else mpmath.mpf(value) for value in y]
    mean = sum(values) / len(values)
    logs = sum(map(mp.log, values)) / len(values)
    excess = mp.log(mean) - logs
    a = mpmath.findroot(lambda a: mp.log(a) - mp.digamma(a) - excess, 1 / (2 * excess))
    largest = sum(gamma(a, a / mean, value) - (2 * mp.log(1 / value) if inverse else 0) for value in values)
    result = fit(DistributionModel(dist.InverseGamma if inverse else dist.Gamma,
        {"concentration": None, "rate": None}), {"y": y}, target="y")  # fmt: skip
    assert result.status == "converged"
    assert result.likelihood.log_likelihood == pytest.approx(float(largest), abs=1e-8)
    error = float(1 / mp.sqrt(len(values) * (mp.polygamma(1, a) - 1 / a)))
    assert result.parameters["concentration"].estimate == pytest.approx(float(a), abs=1e-3 * error)
    assert result.parameters["concentration"].standard_error == pytest.approx(error, rel=1e-2)


TRIALS = {
    "bernoulli": (dist.Bernoulli, {}, 1, lambda p, y: stats.bernoulli.logpmf(y, p)),
    "binomial": (dist.Binomial, {"total_count": 5.0}, 5, lambda p, y: stats.binom.logpmf(y, 5, p)),
    "negative binomial": (dist.NegativeBinomial, {"total_count": 2.5}, 9,
        lambda p, y: 2.5 * np.log1p(-p) + special.xlogy(y, p) - np.log(y + 2.5) - special.betaln(y + 1, 2.5)),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "arguments", "most", "truth"), TRIALS.values(), ids=TRIALS)
@pytest.mark.parametrize("p", [1e-300, 1e-30, 1e-17, 0.3, 1 - 2**-53])
def test_a_probability_below_a_rounding_is_not_taken_for_one(kind, arguments, most, truth, p):
    """By logits, as torch has it, nothing is less likely than exp(-36)."""
    for y in range(most + 1):
        made = kind(probs=torch.tensor([p], dtype=torch.float64), **arguments)
        value = log_density(made, torch.tensor([float(y)], dtype=torch.float64)).item()
        assert value == pytest.approx(truth(p, y), rel=1e-12, abs=1e-15)


def test_what_cannot_be_is_impossible():
    never, always = torch.tensor([0.0, 1.0], dtype=torch.float64)
    for kind, arguments, *_ in TRIALS.values():
        one = torch.ones(1, dtype=torch.float64)
        assert log_density(kind(probs=never, validate_args=False, **arguments), one).item() == -math.inf
        assert log_density(kind(probs=always, validate_args=False, **arguments), 0 * one).item() == -math.inf


NEAR_THE_ENDS = [1e-300, 1e-40, 1e-17, 0.3, 1 - 2.0**-53]


@pytest.mark.parametrize("probs", NEAR_THE_ENDS)
@pytest.mark.parametrize("y", [1e-30, 0.2, 0.7, 1 - 2.0**-53])
def test_no_probability_near_0_or_1_becomes_another(probs, y):
    """Of every univariate class of torch that takes one and by its own rule would move it inwards."""
    p, v, half = mpmath.mpf(probs), mpmath.mpf(y), mpmath.mpf(0.5)
    eta, odds = mpmath.log(p / (1 - p)), mpmath.log(v / (1 - v))

    def logistic(x: Any) -> Any:
        return mpmath.log(half) + eta - half * x - 2 * mpmath.log(1 + mpmath.exp(eta - half * x))

    normal = [mpmath.npdf(v, 0, 1), mpmath.npdf(v, 40, 1)]
    probability, value = torch.tensor([probs], dtype=torch.float64), torch.tensor([y], dtype=torch.float64)
    weights = dist.Categorical(torch.cat([1 - probability, probability]))
    components = dist.Normal(torch.tensor([0.0, 40.0], dtype=torch.float64), 1.0)
    temperature = torch.tensor(0.5, dtype=torch.float64)
    one = torch.ones(1, dtype=torch.float64)
    expected = [
        (unmoved(dist.ContinuousBernoulli, {"probs": probability}), value,
            eta * v + mpmath.log(eta / mpmath.expm1(eta))),
        (LogitRelaxedBernoulli(temperature, probs=probability), value, logistic(v)),
        (dist.RelaxedBernoulli(temperature, probs=probability), value, logistic(odds) - mpmath.log(v * (1 - v))),
        (dist.Bernoulli(probability), one, mpmath.log(p)),
        (dist.Binomial(3, probability), one, mpmath.log(3 * p * (1 - p) ** 2)),
        (dist.Geometric(probability), 7 * one, mpmath.log(p * (1 - p) ** 7)),
        (dist.NegativeBinomial(2 * one, probability), one, mpmath.log(2 * p * (1 - p) ** 2)),
        (dist.MixtureSameFamily(weights, components), value, mpmath.log((1 - p) * normal[0] + p * normal[1])),
        (dist.MixtureSameFamily(weights, components), 40 * one, mpmath.log(
            (1 - p) * mpmath.npdf(40, 0, 1) + p * mpmath.npdf(40, 40, 1))),
    ]  # fmt: skip
    for distribution, at, truth in expected:
        np.testing.assert_allclose(log_density(distribution, at).item(), float(truth), rtol=1e-11, atol=1e-14)


def test_an_observation_at_an_end_at_which_torch_would_move_it_is_refused():
    relaxed = dist.RelaxedBernoulli(torch.tensor(0.5), probs=torch.tensor(0.3))
    for end in (0.0, 1.0):
        with pytest.raises(InputError, match="without these"):
            check_support(relaxed, torch.tensor([0.5, end]))
