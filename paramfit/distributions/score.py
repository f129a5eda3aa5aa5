"""The score: how the log-density of an observation changes with the arguments of its distribution."""

from collections.abc import Sequence
from functools import singledispatch

import torch
from torch import Tensor
from torch.distributions import (
    Bernoulli,
    Beta,
    Binomial,
    Cauchy,
    Chi2,
    Distribution,
    Exponential,
    Gamma,
    Geometric,
    Gumbel,
    HalfCauchy,
    HalfNormal,
    InverseGamma,
    Laplace,
    LogNormal,
    NegativeBinomial,
    Normal,
    Pareto,
    Poisson,
    StudentT,
    Weibull,
)

from paramfit.distributions.autograd import score_by_autograd
from paramfit.distributions.closed_form import Slopes, closed_form_of
from paramfit.distributions.half_steps import slope_of_half_step

__all__ = ["closed_score", "score"]


def score(distribution: Distribution, target: Tensor, names: Sequence[str]) -> dict[str, Tensor]:
    r"""The score by each argument, by closed form where there is one, by autograd otherwise.

    .. math:: s_k(y) = \partial \log p(y) / \partial a_k

    Args:
        distribution: with arguments of shape ``()`` or ``(n,)``.
        target: observations ``(n,)`` in the distribution's support.
        names: the arguments by which to differentiate, ``probs`` or ``logits`` as the distribution is parametrised.

    Returns:
        Argument to derivative, ``(n,)``; in units of one over the argument's.

    Raises:
        InputError: if there is no closed form and the distribution cannot be made again from its arguments.

    Example:
        >>> score(Poisson(2.0), torch.tensor([2.0, 4.0]), ["rate"])
        {'rate': tensor([0., 1.])}
    """
    rule = closed_form_of(closed_score, distribution)
    slopes: Slopes = {} if rule is None else rule(distribution, target)
    if not set(names) <= set(slopes):
        return score_by_autograd(distribution, target, names)
    return {name: slopes[name]() for name in names}


@singledispatch
def closed_score(distribution: Distribution, target: Tensor) -> Slopes:
    """The closed forms of a class of distributions; register a further class with ``closed_score.register``."""
    del distribution, target
    return {}


@closed_score.register
def _(distribution: Normal, target: Tensor) -> Slopes:
    scale = distribution.scale
    z = (target - distribution.loc) / scale
    return {"loc": lambda: z / scale, "scale": lambda: (z * z - 1) / scale}


@closed_score.register
def _(distribution: LogNormal, target: Tensor) -> Slopes:
    return closed_score(Normal(distribution.loc, distribution.scale, validate_args=False), target.log())


@closed_score.register
def _(distribution: HalfNormal, target: Tensor) -> Slopes:
    scale = distribution.scale
    return {"scale": lambda: ((target / scale) ** 2 - 1) / scale}


@closed_score.register
def _(distribution: Laplace, target: Tensor) -> Slopes:
    scale = distribution.scale
    z = (target - distribution.loc) / scale
    return {"loc": lambda: z.sign() / scale, "scale": lambda: (z.abs() - 1) / scale}


@closed_score.register
def _(distribution: Cauchy, target: Tensor) -> Slopes:
    scale = distribution.scale
    z = (target - distribution.loc) / scale
    return {"loc": lambda: 2 * z / (1 + z * z) / scale, "scale": lambda: (1 - 2 / (1 + z * z)) / scale}


@closed_score.register
def _(distribution: HalfCauchy, target: Tensor) -> Slopes:
    scale = distribution.scale
    return {"scale": lambda: (1 - 2 / (1 + (target / scale) ** 2)) / scale}


_SMALL = 0.03  # whose powers from the eleventh on are rounding
_POWERS = 10


def _log_of_rest(share: Tensor) -> Tensor:
    """``share + log(1 - share)``, which cancels where the share is small: by the series of the logarithm there."""
    small = share.clamp_max(_SMALL)
    total = torch.zeros_like(share)
    for power in range(_POWERS, 1, -1):
        total = (total + 1 / power) * small
    return torch.where(share < _SMALL, -total * small, share + torch.log1p(-share))


@closed_score.register
def _(distribution: StudentT, target: Tensor) -> Slopes:
    df, scale = distribution.df, distribution.scale
    z = (target - distribution.loc) / scale
    weight = (df + 1) / (df + z * z)

    def by_df() -> Tensor:
        share = z * z / (df + z * z)
        return (slope_of_half_step(df) + share / df + _log_of_rest(share)) / 2

    return {"df": by_df, "loc": lambda: weight * z / scale, "scale": lambda: (weight * z * z - 1) / scale}


@closed_score.register
def _(distribution: Gumbel, target: Tensor) -> Slopes:
    scale = distribution.scale
    z = (target - distribution.loc) / scale
    excess = -torch.expm1(-z)
    return {"loc": lambda: excess / scale, "scale": lambda: (z * excess - 1) / scale}


@closed_score.register
def _(distribution: Exponential, target: Tensor) -> Slopes:
    return {"rate": lambda: 1 / distribution.rate - target}


@closed_score.register
def _(distribution: Gamma, target: Tensor) -> Slopes:
    concentration, rate = distribution.concentration, distribution.rate
    return {
        "concentration": lambda: target.log() + (rate.log() - torch.digamma(concentration)),
        "rate": lambda: concentration / rate - target,
    }


@closed_score.register
def _(distribution: Chi2, target: Tensor) -> Slopes:
    return {"df": lambda: ((target / 2).log() - torch.digamma(distribution.df / 2)) / 2}


@closed_score.register
def _(distribution: InverseGamma, target: Tensor) -> Slopes:
    concentration, rate = distribution.concentration, distribution.rate
    return {
        "concentration": lambda: (rate.log() - torch.digamma(concentration)) - target.log(),
        "rate": lambda: concentration / rate - 1 / target,
    }


@closed_score.register
def _(distribution: Beta, target: Tensor) -> Slopes:
    one, zero = distribution.concentration1, distribution.concentration0
    both = torch.digamma(one + zero)
    return {
        "concentration1": lambda: target.log() + (both - torch.digamma(one)),
        "concentration0": lambda: torch.log1p(-target) + (both - torch.digamma(zero)),
    }


@closed_score.register
def _(distribution: Weibull, target: Tensor) -> Slopes:
    scale, concentration = distribution.scale, distribution.concentration
    log_ratio = (target / scale).log()
    excess = torch.expm1(concentration * log_ratio)
    return {
        "scale": lambda: concentration / scale * excess,
        "concentration": lambda: 1 / concentration - log_ratio * excess,
    }


@closed_score.register
def _(distribution: Pareto, target: Tensor) -> Slopes:
    return {"alpha": lambda: 1 / distribution.alpha - (target / distribution.scale).log()}


@closed_score.register
def _(distribution: Poisson, target: Tensor) -> Slopes:
    return {"rate": lambda: target / distribution.rate - 1}


@closed_score.register
def _(distribution: Bernoulli, target: Tensor) -> Slopes:
    def by_probs() -> Tensor:
        probs = distribution.probs
        return (target - probs) / (probs * (1 - probs))

    return {"probs": by_probs, "logits": lambda: target - distribution.probs}


@closed_score.register
def _(distribution: Binomial, target: Tensor) -> Slopes:
    count = distribution.total_count

    def by_probs() -> Tensor:
        probs = distribution.probs
        return (target - count * probs) / (probs * (1 - probs))

    return {"probs": by_probs, "logits": lambda: target - count * distribution.probs}


@closed_score.register
def _(distribution: Geometric, target: Tensor) -> Slopes:
    def by_probs() -> Tensor:
        probs = distribution.probs
        return 1 / probs - target / (1 - probs)

    def by_logits() -> Tensor:
        logits = distribution.logits
        return (-logits).sigmoid() - target * logits.sigmoid()

    return {"probs": by_probs, "logits": by_logits}


@closed_score.register
def _(distribution: NegativeBinomial, target: Tensor) -> Slopes:
    count = distribution.total_count

    def by_probs() -> Tensor:
        probs = distribution.probs
        return target / probs - count / (1 - probs)

    def by_logits() -> Tensor:
        logits = distribution.logits
        return target * (-logits).sigmoid() - count * logits.sigmoid()

    def by_count() -> Tensor:
        # log(1 - probs), written with the argument that was given so that neither end loses its digits.
        given_probs = "probs" in vars(distribution) and distribution._param is distribution.probs
        failure = (
            torch.log1p(-distribution.probs) if given_probs else -torch.nn.functional.softplus(distribution.logits)
        )
        return failure + torch.digamma(count + target) - torch.digamma(count)

    return {"total_count": by_count, "probs": by_probs, "logits": by_logits}
