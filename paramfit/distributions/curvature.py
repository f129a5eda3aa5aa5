"""The curvature of the log-density of an observation in the arguments of its distribution."""

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
    LogNormal,
    NegativeBinomial,
    Normal,
    Pareto,
    Poisson,
    StudentT,
    Weibull,
)

from paramfit.distributions.autograd import curvature_by_autograd
from paramfit.distributions.closed_form import Entries, closed_form_of, covers, symmetric_matrix
from paramfit.distributions.half_steps import bend_of_half_step

__all__ = ["closed_curvature", "curvature"]


def curvature(distribution: Distribution, target: Tensor, names: Sequence[str]) -> Tensor:
    r"""Minus the second derivatives of the log-density, by closed form where there is one, by autograd otherwise.

    .. math:: C_{jk}(y) = -\partial^2 \log p(y) / \partial a_j \partial a_k

    Summed over the observations this is the observed information. Laplace's is 0 in ``loc`` almost everywhere: it
    says nothing of the error, for which take ``expected_information``.

    Args:
        distribution: with arguments of shape ``()`` or ``(n,)``.
        target: observations ``(n,)`` in the distribution's support.
        names: the k arguments by which to differentiate, ``probs`` or ``logits`` as the distribution is parametrised.

    Returns:
        ``(n, k, k)``, rows and columns in the order of the names; ``(k, k)`` where it is the same for all
        observations (all arguments are ``()`` and no entry depends on the target, as with ``Gamma``): multiply that
        by n instead of summing.

    Raises:
        InputError: if there is no closed form and the distribution cannot be made again from its arguments.

    Example:
        >>> curvature(Exponential(2.0), torch.tensor([0.1, 0.7]), ["rate"])
        tensor([[0.2500]])
    """
    rule = closed_form_of(closed_curvature, distribution)
    entries: Entries = {} if rule is None else rule(distribution, target)
    if not covers(entries, names):
        return curvature_by_autograd(distribution, target, names)
    return symmetric_matrix(names, entries, target)


@singledispatch
def closed_curvature(distribution: Distribution, target: Tensor) -> Entries:
    """The closed forms of a class of distributions; register a further class with ``closed_curvature.register``."""
    del distribution, target
    return {}


def _trigamma(x: Tensor) -> Tensor:
    found: Tensor = torch.special.polygamma(1, x)
    return found


@closed_curvature.register
def _(distribution: Normal, target: Tensor) -> Entries:
    scale = distribution.scale
    z = (target - distribution.loc) / scale
    return {
        ("loc", "loc"): lambda: 1 / scale**2,
        ("loc", "scale"): lambda: 2 * z / scale**2,
        ("scale", "scale"): lambda: (3 * z * z - 1) / scale**2,
    }


@closed_curvature.register
def _(distribution: LogNormal, target: Tensor) -> Entries:
    return closed_curvature(Normal(distribution.loc, distribution.scale, validate_args=False), target.log())


@closed_curvature.register
def _(distribution: HalfNormal, target: Tensor) -> Entries:
    scale = distribution.scale
    return {("scale", "scale"): lambda: (3 * (target / scale) ** 2 - 1) / scale**2}


def _cauchy_scale(z: Tensor, scale: Tensor) -> Tensor:
    share = 1 / (1 + z * z)
    return (1 + 2 * share - 4 * share * share) / scale**2


@closed_curvature.register
def _(distribution: Cauchy, target: Tensor) -> Entries:
    scale = distribution.scale
    z = (target - distribution.loc) / scale
    square = 1 + z * z
    return {
        ("loc", "loc"): lambda: 2 * (1 - z * z) / (square * scale) ** 2,
        ("loc", "scale"): lambda: 4 * z / (square * scale) ** 2,
        ("scale", "scale"): lambda: _cauchy_scale(z, scale),
    }


@closed_curvature.register
def _(distribution: HalfCauchy, target: Tensor) -> Entries:
    return {("scale", "scale"): lambda: _cauchy_scale(target / distribution.scale, distribution.scale)}


@closed_curvature.register
def _(distribution: StudentT, target: Tensor) -> Entries:
    df, scale = distribution.df, distribution.scale
    z = (target - distribution.loc) / scale
    square = z * z
    below = df + square
    weight = (df + 1) / below
    weight_by_df = (square - 1) / below**2

    def by_df_twice() -> Tensor:
        tails = square * (df * (square - 2) - square) / (df * below) ** 2
        return (1 / df**3 - bend_of_half_step(df) - tails) / 2

    return {
        ("loc", "loc"): lambda: weight * (df - square) / below / scale**2,
        ("loc", "scale"): lambda: 2 * weight * z * df / below / scale**2,
        ("scale", "scale"): lambda: (weight * square * (1 + 2 * df / below) - 1) / scale**2,
        ("df", "loc"): lambda: -weight_by_df * z / scale,
        ("df", "scale"): lambda: -weight_by_df * square / scale,
        ("df", "df"): by_df_twice,
    }


@closed_curvature.register
def _(distribution: Gumbel, target: Tensor) -> Entries:
    scale = distribution.scale
    z = (target - distribution.loc) / scale
    tail = torch.exp(-z)
    return {
        ("loc", "loc"): lambda: tail / scale**2,
        ("loc", "scale"): lambda: (1 - tail + tail * z) / scale**2,
        ("scale", "scale"): lambda: (2 * z * (1 - tail) - 1 + z * z * tail) / scale**2,
    }


@closed_curvature.register
def _(distribution: Exponential, target: Tensor) -> Entries:
    del target
    return {("rate", "rate"): lambda: 1 / distribution.rate**2}


@closed_curvature.register(InverseGamma)
@closed_curvature.register(Gamma)
def _(distribution: Gamma | InverseGamma, target: Tensor) -> Entries:
    del target
    return {
        ("concentration", "concentration"): lambda: _trigamma(distribution.concentration),
        ("concentration", "rate"): lambda: -1 / distribution.rate,
        ("rate", "rate"): lambda: distribution.concentration / distribution.rate**2,
    }


@closed_curvature.register
def _(distribution: Chi2, target: Tensor) -> Entries:
    del target
    return {("df", "df"): lambda: _trigamma(distribution.df / 2) / 4}


@closed_curvature.register
def _(distribution: Beta, target: Tensor) -> Entries:
    del target
    one, zero = distribution.concentration1, distribution.concentration0
    both = _trigamma(one + zero)
    return {
        ("concentration1", "concentration1"): lambda: _trigamma(one) - both,
        ("concentration1", "concentration0"): lambda: -both,
        ("concentration0", "concentration0"): lambda: _trigamma(zero) - both,
    }


@closed_curvature.register
def _(distribution: Weibull, target: Tensor) -> Entries:
    scale, k = distribution.scale, distribution.concentration
    log_ratio = (target / scale).log()
    power = torch.exp(k * log_ratio)
    return {
        ("scale", "scale"): lambda: k * (power * (1 + k) - 1) / scale**2,
        ("scale", "concentration"): lambda: (1 - power * (1 + k * log_ratio)) / scale,
        ("concentration", "concentration"): lambda: 1 / k**2 + log_ratio**2 * power,
    }


@closed_curvature.register
def _(distribution: Pareto, target: Tensor) -> Entries:
    del target
    return {("alpha", "alpha"): lambda: 1 / distribution.alpha**2}


@closed_curvature.register
def _(distribution: Poisson, target: Tensor) -> Entries:
    return {("rate", "rate"): lambda: target / distribution.rate**2}


Trials = Bernoulli | Binomial | Geometric | NegativeBinomial


def _successes_and_failures(distribution: Trials, successes: Tensor, failures: Tensor) -> Entries:
    """Curvature of ``successes * log probs + failures * log(1 - probs)``."""

    def by_probs_twice() -> Tensor:
        probs = distribution.probs
        found: Tensor = successes / probs**2 + failures / (1 - probs) ** 2
        return found

    def by_logits_twice() -> Tensor:
        logits = distribution.logits
        found: Tensor = (successes + failures) * (logits.sigmoid() * (-logits).sigmoid())
        return found

    return {("probs", "probs"): by_probs_twice, ("logits", "logits"): by_logits_twice}


@closed_curvature.register
def _(distribution: Bernoulli, target: Tensor) -> Entries:
    return _successes_and_failures(distribution, target, 1 - target)


@closed_curvature.register
def _(distribution: Binomial, target: Tensor) -> Entries:
    return _successes_and_failures(distribution, target, distribution.total_count - target)


@closed_curvature.register
def _(distribution: Geometric, target: Tensor) -> Entries:
    return _successes_and_failures(distribution, torch.ones_like(target), target)


@closed_curvature.register
def _(distribution: NegativeBinomial, target: Tensor) -> Entries:
    count = distribution.total_count
    return {
        **_successes_and_failures(distribution, target, count),
        ("total_count", "total_count"): lambda: _trigamma(count) - _trigamma(count + target),
        ("total_count", "probs"): lambda: 1 / (1 - distribution.probs),
        ("total_count", "logits"): lambda: distribution.logits.sigmoid(),
    }
