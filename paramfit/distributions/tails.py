"""Logarithms of the probability below, above and between: exact far out, where one minus the ``cdf`` is 0."""

import math
from functools import singledispatch

import torch
from torch import Tensor
from torch.distributions import (
    Cauchy,
    Chi2,
    Distribution,
    Exponential,
    Gamma,
    Gumbel,
    HalfCauchy,
    HalfNormal,
    InverseGamma,
    Kumaraswamy,
    Laplace,
    LogNormal,
    Normal,
    Pareto,
    Weibull,
)

from paramfit.distributions.closed_form import closed_form_of
from paramfit.distributions.incomplete_gamma import lower_gamma, upper_gamma
from paramfit.errors import InputError

__all__ = ["closed_tails", "log_cdf", "log_interval", "log_survival", "no_derivative"]


def log_cdf(distribution: Distribution, value: Tensor) -> Tensor:
    """``log P(y <= value)``, in the shape to which all broadcast.

    Raises:
        InputError: for a distribution without a ``cdf``; for ``Gamma``, ``Chi2`` and ``InverseGamma`` where their shape
            requires a gradient, which there is none of.
    """
    return _tails(distribution, value)[0]


def log_survival(distribution: Distribution, value: Tensor) -> Tensor:
    """``log P(y > value)``, in the shape to which all broadcast.

    Raises:
        InputError: as ``log_cdf`` does.
    """
    return _tails(distribution, value)[1]


def log_interval(distribution: Distribution, lower: Tensor, upper: Tensor) -> Tensor:
    r"""``log P(lower < y <= upper)``, from whichever tail is the smaller.

    .. math:: \log S(l) + \log(1 - S(u) / S(l)), \qquad \log F(u) + \log(1 - F(l) / F(u))

    so that neither difference loses its digits.

    Raises:
        InputError: as ``log_cdf`` does.
    """
    with torch.no_grad():
        below, above = _tails(distribution, lower)
        at_the_edge = torch.isneginf(below)  # nothing lies below: the interval is all that is below its upper end
        in_the_upper_tail = (below > above) & ~at_the_edge
    # At an edge the slopes of log F are infinite: another place stands in for it there.
    inner = torch.where(at_the_edge, upper, lower)
    below, above = _tails(distribution, inner)
    below_upper, above_upper = _tails(distribution, upper)
    ratio = torch.where(in_the_upper_tail, above - above_upper, below_upper - below)
    rest = torch.where(at_the_edge, 0.0, _log1mexp(torch.where(at_the_edge, 1.0, ratio)))
    return torch.where(in_the_upper_tail, above, below_upper) + rest


def no_derivative(kind: type[Distribution], argument: str) -> str:
    """Why a likelihood with censored observations is refused for a distribution."""
    return (
        f"parameters.{argument}: {kind.__name__} cannot take censored observations: its cdf cannot be differentiated by"
        f" {argument}; leave such rows out, fix the argument, or choose a distribution such as Weibull or LogNormal"
    )


def _tails(distribution: Distribution, value: Tensor) -> tuple[Tensor, Tensor]:
    rule = closed_form_of(closed_tails, distribution) or closed_tails.dispatch(object)
    below, above = rule(distribution, value)
    return below, above


@singledispatch
def closed_tails(distribution: Distribution, value: Tensor) -> tuple[Tensor, Tensor]:
    """Log-cdf and log-survival of a class of distributions; from its ``cdf`` where no closed form is registered.

    Whether autograd can differentiate that ``cdf`` is not asked here, but by ``check_censoring`` before a fit.

    Args:
        distribution: with arguments of shape ``()``, ``(n,)`` or ``(..., 1)``.
        value: ``(n,)``.

    Returns:
        Both in the shape to which all broadcast.

    Raises:
        InputError: for a distribution without a ``cdf``; for ``Gamma``, ``Chi2`` and ``InverseGamma`` where their shape
            requires a gradient, which there is none of.
    """
    kind = type(distribution)
    try:
        below: Tensor = distribution.cdf(value)
    except NotImplementedError as error:
        msg = (
            f"distribution: {kind.__name__} cannot take censored observations: torch has no cdf for it; leave such rows"
            " out, or choose a distribution such as Weibull or LogNormal"
        )
        raise InputError(msg) from error
    return below.log(), torch.log1p(-below)


def _log1mexp(x: Tensor) -> Tensor:
    """``log(1 - exp(-x))`` for x above 0, with all digits on both sides of log 2."""
    small = x < math.log(2)
    return torch.where(
        small,
        torch.log(-torch.expm1(-torch.where(small, x, 1.0))),
        torch.log1p(-torch.exp(-torch.where(small, 1.0, x))),
    )


def _from_hazard(hazard: Tensor) -> tuple[Tensor, Tensor]:
    """By the cumulative hazard, minus the log-survival."""
    return _log1mexp(hazard), -hazard


def _log_of(part: Tensor, rest: Tensor) -> Tensor:
    """``log(part)``, where part and rest make up 1, by whichever is the smaller."""
    small = part < 0.5
    return torch.where(small, torch.where(small, part, 1.0).log(), torch.log1p(-torch.where(small, 0.0, rest)))


def _log_ndtr(z: Tensor) -> Tensor:
    """Log-cdf of the standard normal; ``torch.special.log_ndtr``, but with a rule for ``vmap``."""
    low = z < -1
    scaled = torch.where(low, -z, 1.0) / math.sqrt(2)
    near = torch.special.erfc(torch.where(low, 0.0, z) / math.sqrt(2))
    return torch.where(low, (torch.special.erfcx(scaled) / 2).log() - scaled**2, torch.log1p(-near / 2))


def _from_gamma(distribution: Distribution, argument: str, shape: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """By both incomplete gamma functions of ``x``, of which neither has a derivative by the shape."""
    if shape.requires_grad:
        raise InputError(no_derivative(type(distribution), argument))
    below, above = lower_gamma(shape, x), upper_gamma(shape, x)
    return _log_of(below, above), _log_of(above, below)


@closed_tails.register
def _(distribution: Gamma, value: Tensor) -> tuple[Tensor, Tensor]:
    return _from_gamma(distribution, "concentration", distribution.concentration, distribution.rate * value)


@closed_tails.register
def _(distribution: Chi2, value: Tensor) -> tuple[Tensor, Tensor]:
    return _from_gamma(distribution, "df", distribution.concentration, value / 2)


@closed_tails.register
def _(distribution: InverseGamma, value: Tensor) -> tuple[Tensor, Tensor]:
    above, below = _from_gamma(distribution, "concentration", distribution.concentration, distribution.rate / value)
    return below, above


@closed_tails.register
def _(distribution: Normal, value: Tensor) -> tuple[Tensor, Tensor]:
    z = (value - distribution.loc) / distribution.scale
    return _log_ndtr(z), _log_ndtr(-z)


@closed_tails.register
def _(distribution: LogNormal, value: Tensor) -> tuple[Tensor, Tensor]:
    return closed_tails(Normal(distribution.loc, distribution.scale, validate_args=False), value.log())


@closed_tails.register
def _(distribution: HalfNormal, value: Tensor) -> tuple[Tensor, Tensor]:
    z = value / distribution.scale
    return _log_of(torch.erf(z / math.sqrt(2)), torch.erfc(z / math.sqrt(2))), math.log(2) + _log_ndtr(-z)


@closed_tails.register
def _(distribution: Laplace, value: Tensor) -> tuple[Tensor, Tensor]:
    z = (value - distribution.loc) / distribution.scale
    outer = -z.abs() - math.log(2)
    inner = torch.log1p(-torch.exp(outer))
    return torch.where(z < 0, outer, inner), torch.where(z < 0, inner, outer)


@closed_tails.register
def _(distribution: Cauchy, value: Tensor) -> tuple[Tensor, Tensor]:
    z = (value - distribution.loc) / distribution.scale
    one = torch.ones_like(z)
    below, above = torch.atan2(one, -z) / math.pi, torch.atan2(one, z) / math.pi
    return _log_of(below, above), _log_of(above, below)


@closed_tails.register
def _(distribution: HalfCauchy, value: Tensor) -> tuple[Tensor, Tensor]:
    z = value / distribution.scale
    below, above = 2 / math.pi * torch.atan(z), 2 / math.pi * torch.atan2(torch.ones_like(z), z)
    return _log_of(below, above), _log_of(above, below)


@closed_tails.register
def _(distribution: Gumbel, value: Tensor) -> tuple[Tensor, Tensor]:
    hazard = torch.exp((distribution.loc - value) / distribution.scale)
    return -hazard, _log1mexp(hazard)


@closed_tails.register
def _(distribution: Exponential, value: Tensor) -> tuple[Tensor, Tensor]:
    return _from_hazard(distribution.rate * value)


@closed_tails.register
def _(distribution: Weibull, value: Tensor) -> tuple[Tensor, Tensor]:
    return _from_hazard((value / distribution.scale) ** distribution.concentration)


@closed_tails.register
def _(distribution: Pareto, value: Tensor) -> tuple[Tensor, Tensor]:
    return _from_hazard(distribution.alpha * (value / distribution.scale).log())


@closed_tails.register
def _(distribution: Kumaraswamy, value: Tensor) -> tuple[Tensor, Tensor]:
    return _from_hazard(-distribution.concentration0 * torch.log1p(-(value**distribution.concentration1)))
