"""The expected information of one observation about the arguments of its distribution."""

import math
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
    VonMises,
    Weibull,
)

from paramfit.distributions.closed_form import Entries, closed_form_of, covers, symmetric_matrix
from paramfit.distributions.curvature import closed_curvature
from paramfit.distributions.half_steps import bend_of_half_step

__all__ = ["closed_information", "expected_information"]


def expected_information(distribution: Distribution, names: Sequence[str]) -> Tensor | None:
    r"""Fisher's information of one observation, where it has a closed form.

    .. math:: I_{jk} = E[s_j(y) s_k(y)] = -E[\partial^2 \log p(y) / \partial a_j \partial a_k]

    The second form does not hold for Laplace's ``loc``, at which the density has a kink; the first does.

    Args:
        distribution: with arguments of shape ``()`` or ``(n,)``.
        names: the k arguments, ``probs`` or ``logits`` as the distribution is parametrised.

    Returns:
        ``(k, k)`` or ``(n, k, k)``, as the arguments are shaped; None where there is no closed form
        (``NegativeBinomial``'s ``total_count``, ``Kumaraswamy``, a class of your own).

    References:
        - Lehmann and Casella, *Theory of Point Estimation*, 2nd edition (1998), section 2.5
        - Lange, Little and Taylor, *Robust Statistical Modeling Using the t Distribution* (1989), for Student's t
        - Mardia and Jupp, *Directional Statistics* (2000), section 3.5.4 and appendix 1, for von Mises

    Example:
        >>> expected_information(Poisson(4.0), ["rate"])
        tensor([[0.2500]])
    """
    rule = closed_form_of(closed_information, distribution)
    entries: Entries = {} if rule is None else rule(distribution)
    if not covers(entries, names):
        return None
    return symmetric_matrix(names, entries, getattr(distribution, names[0]))


@singledispatch
def closed_information(distribution: Distribution) -> Entries:
    """The closed forms of a class of distributions; register a further class with ``closed_information.register``."""
    del distribution
    return {}


@closed_information.register(Beta)
@closed_information.register(Chi2)
@closed_information.register(Exponential)
@closed_information.register(Gamma)
@closed_information.register(InverseGamma)
@closed_information.register(Pareto)
def _(distribution: Distribution) -> Entries:
    return closed_curvature(distribution, torch.tensor(math.nan))  # theirs does not depend on the observation


@closed_information.register(LogNormal)
@closed_information.register(Normal)
def _(distribution: Normal | LogNormal) -> Entries:
    scale = distribution.scale
    return {("loc", "loc"): lambda: 1 / scale**2, ("scale", "scale"): lambda: 2 / scale**2}


@closed_information.register
def _(distribution: HalfNormal) -> Entries:
    return {("scale", "scale"): lambda: 2 / distribution.scale**2}


@closed_information.register
def _(distribution: Laplace) -> Entries:
    scale = distribution.scale
    return {("loc", "loc"): lambda: 1 / scale**2, ("scale", "scale"): lambda: 1 / scale**2}


@closed_information.register
def _(distribution: Cauchy) -> Entries:
    scale = distribution.scale
    return {("loc", "loc"): lambda: 1 / (2 * scale**2), ("scale", "scale"): lambda: 1 / (2 * scale**2)}


@closed_information.register
def _(distribution: HalfCauchy) -> Entries:
    return {("scale", "scale"): lambda: 1 / (2 * distribution.scale**2)}


@closed_information.register
def _(distribution: StudentT) -> Entries:
    df, scale = distribution.df, distribution.scale

    def by_df_twice() -> Tensor:
        # The trigammas' first terms and -(df + 5) / (2 df (df + 1) (df + 3)) cancel up to 7 / (2 df^4): taken together.
        leading: Tensor = (7 * df + 3) / (df**3 * (df + 1) * (df + 3))
        return (leading - bend_of_half_step(df)) / 2

    return {
        ("loc", "loc"): lambda: (df + 1) / (df + 3) / scale**2,
        ("scale", "scale"): lambda: 2 * df / (df + 3) / scale**2,
        ("df", "scale"): lambda: -2 / ((df + 1) * (df + 3) * scale),
        ("df", "df"): by_df_twice,
    }


_EULER = 0.5772156649015329  # Euler's constant
_EXTREME = (1 - _EULER) ** 2 + math.pi**2 / 6  # 1 + E[T log(T)^2] for T exponential with rate 1


@closed_information.register
def _(distribution: Gumbel) -> Entries:
    scale = distribution.scale
    return {
        ("loc", "loc"): lambda: 1 / scale**2,
        ("loc", "scale"): lambda: (_EULER - 1) / scale**2,
        ("scale", "scale"): lambda: _EXTREME / scale**2,
    }


@closed_information.register
def _(distribution: Weibull) -> Entries:
    scale, concentration = distribution.scale, distribution.concentration
    return {
        ("scale", "scale"): lambda: (concentration / scale) ** 2,
        ("scale", "concentration"): lambda: (_EULER - 1) / scale,
        ("concentration", "concentration"): lambda: _EXTREME / concentration**2,
    }


_SERIES_FROM = 100.0  # the first term left out of the series below is under 1e-12 of the sum there
# The derivative of the quotient of the asymptotic series of both Bessel functions, of 1/k^2, 1/k^3, ...
_SPREAD = (1 / 2, 1 / 4, 3 / 8, 25 / 32, 65 / 32, 3219 / 512, 721 / 32)


def _by_concentration_twice(concentration: Tensor, length: Tensor) -> Tensor:
    large = concentration.clamp_min(_SERIES_FROM)
    total = torch.zeros_like(large)
    for coefficient in reversed(_SPREAD):
        total = total / large + coefficient
    return torch.where(concentration >= _SERIES_FROM, total / large**2, 1 - length / concentration - length**2)


@closed_information.register
def _(distribution: VonMises) -> Entries:
    concentration = distribution.concentration
    length = torch.special.i1e(concentration) / torch.special.i0e(concentration)
    return {
        ("loc", "loc"): lambda: concentration * length,
        ("concentration", "concentration"): lambda: _by_concentration_twice(concentration, length),
    }


@closed_information.register
def _(distribution: Poisson) -> Entries:
    return {("rate", "rate"): lambda: 1 / distribution.rate}


def _of_trials(distribution: Bernoulli | Binomial, count: Tensor | float) -> Entries:
    def by_probs_twice() -> Tensor:
        probs = distribution.probs
        return count / (probs * (1 - probs))

    def by_logits_twice() -> Tensor:
        logits = distribution.logits
        return count * (logits.sigmoid() * (-logits).sigmoid())

    return {("probs", "probs"): by_probs_twice, ("logits", "logits"): by_logits_twice}


@closed_information.register
def _(distribution: Bernoulli) -> Entries:
    return _of_trials(distribution, 1.0)


@closed_information.register
def _(distribution: Binomial) -> Entries:
    return _of_trials(distribution, distribution.total_count)


@closed_information.register
def _(distribution: Geometric) -> Entries:
    def by_probs_twice() -> Tensor:
        probs = distribution.probs
        found: Tensor = 1 / (probs**2 * (1 - probs))
        return found

    return {("probs", "probs"): by_probs_twice, ("logits", "logits"): lambda: (-distribution.logits).sigmoid()}


@closed_information.register
def _(distribution: NegativeBinomial) -> Entries:
    count = distribution.total_count

    def by_probs_twice() -> Tensor:
        probs = distribution.probs
        return count / (probs * (1 - probs) ** 2)

    return {("probs", "probs"): by_probs_twice, ("logits", "logits"): lambda: count * distribution.logits.sigmoid()}
