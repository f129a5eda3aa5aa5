"""Pareto's distribution of power-law tails, and the generalised one of excesses over a threshold."""

import math

import torch
from torch import Tensor
from torch.distributions import GeneralizedPareto, Pareto

from paramfit.distributions.family import Entries, Family, Given, Sample, Slopes, Starts
from paramfit.distributions.special import log1p_ratio, log_quotient, tails_of_hazard

__all__ = ["FAMILIES"]


def _log_density(pareto: Pareto, target: Tensor) -> Tensor:
    value: Tensor = (pareto.alpha / target).log() - pareto.alpha * log_quotient(target, pareto.scale)
    return torch.where(target < pareto.scale, -math.inf, value)


def _start(sample: Sample, given: Given) -> Starts:
    return {"alpha": sample.of((sample.y / given["scale"]).log()).rate} if "scale" in given else {}


# torch compares the generalised Pareto's concentration with a zero in single precision, which raises in double, and
# takes what is close to it for the exponential distribution. Here the concentration k passes through 0 smoothly: with
# the excess z over loc in units of the scale, log S = -log(1 + k z) / k is -z times log1p_ratio(k z).

_REGULAR_FROM = -0.5  # below, the density ends so sharply that estimates are not normal, nor errors those by curvature


def _excess(distribution: GeneralizedPareto, value: Tensor) -> tuple[Tensor, Tensor]:
    """The excess z, and k z."""
    z = (value - distribution.loc) / distribution.scale
    return z, distribution.concentration * z


def _generalized_hazard(distribution: GeneralizedPareto, value: Tensor) -> Tensor:
    z, kz = _excess(distribution, value)
    return z * log1p_ratio(kz)


def _generalized_log_density(distribution: GeneralizedPareto, target: Tensor) -> Tensor:
    z, kz = _excess(distribution, target)
    value: Tensor = -z * log1p_ratio(kz) - torch.log1p(kz) - distribution.scale.log()
    return value


def _generalized_score(distribution: GeneralizedPareto, target: Tensor) -> Slopes:
    k, scale = distribution.concentration, distribution.scale
    z, kz = _excess(distribution, target)
    w = 1 / (1 + kz)
    return {
        "loc": lambda: (1 + k) * w / scale,
        "scale": lambda: ((1 + k) * z * w - 1) / scale,
        "concentration": lambda: -z * z * log1p_ratio(kz, 1) - z * w,
    }


def _generalized_curvature(distribution: GeneralizedPareto, target: Tensor) -> Entries:
    k, scale = distribution.concentration, distribution.scale
    z, kz = _excess(distribution, target)
    w = 1 / (1 + kz)
    return {
        ("loc", "loc"): lambda: -k * (1 + k) * (w / scale) ** 2,
        ("loc", "scale"): lambda: (1 + k) * (w / scale) ** 2,
        ("loc", "concentration"): lambda: (z - 1) * w**2 / scale,
        ("scale", "scale"): lambda: ((1 + k) * z * w * (1 + w) - 1) / scale**2,
        ("scale", "concentration"): lambda: z * (z - 1) * w**2 / scale,
        ("concentration", "concentration"): lambda: z**3 * log1p_ratio(kz, 2) - (z * w) ** 2,
    }


def _generalized_information(distribution: GeneralizedPareto) -> Entries:
    """By Smith, *Maximum likelihood estimation in a class of nonregular cases* (1985); infinite from -1/2 down."""
    k, scale = distribution.concentration, distribution.scale
    if not bool((k > _REGULAR_FROM).all()):
        return {}
    regular = 1 + 2 * k
    return {
        ("scale", "scale"): lambda: 1 / (scale**2 * regular),
        ("scale", "concentration"): lambda: 1 / (scale * (1 + k) * regular),
        ("concentration", "concentration"): lambda: 2 / ((1 + k) * regular),
    }


_MOST_K, _LEAST_K = 0.9, -0.4  # of a start: probability-weighted moments never say more than 1, and see the bound


def _generalized_start(sample: Sample, given: Given) -> Starts:
    """By Hosking and Wallis, *Parameter and quantile estimation for the generalized Pareto distribution* (1987)."""
    if "loc" not in given:
        return {}
    excess = sample.of(sample.y - given["loc"])
    excess.must_not_be_zero()
    largest = excess.y.max().item() * (1 + 1 / excess.n)  # inside the support at the start

    def concentration() -> float:
        sample.must_vary()
        ranks = (torch.arange(excess.n, dtype=torch.float64) + 0.65) / excess.n
        above = ((1 - ranks) * excess.y.sort().values).mean().item()  # the mean of the smaller of two, halved
        k = min(max(2 - excess.mean() / (excess.mean() - 2 * above), _LEAST_K), _MOST_K)
        return max(k, -(given["scale"] if "scale" in given else scale_of(k)) / largest)

    def scale_of(k: float) -> float:
        median = excess.quantile(0.5) or excess.mean()
        return max(median * k / math.expm1(k * math.log(2)) if k else median / math.log(2), -k * largest)

    def scale() -> float:
        return scale_of(given["concentration"] if "concentration" in given else concentration())

    return {"scale": scale, "concentration": concentration}


FAMILIES = (
    Family(
        Pareto,
        log_density=_log_density,
        score=lambda pareto, target: {"alpha": lambda: 1 / pareto.alpha - log_quotient(target, pareto.scale)},
        curvature=lambda pareto, _: {("alpha", "alpha"): lambda: 1 / pareto.alpha**2},
        information=lambda pareto: {("alpha", "alpha"): lambda: 1 / pareto.alpha**2},
        tails=lambda pareto, value: tails_of_hazard(pareto.alpha * log_quotient(value, pareto.scale)),
        start=_start,
        edges={"scale": "smallest"},
    ),
    Family(
        GeneralizedPareto,
        log_density=_generalized_log_density,
        score=_generalized_score,
        curvature=_generalized_curvature,
        information=_generalized_information,
        tails=lambda pareto, value: tails_of_hazard(_generalized_hazard(pareto, value)),
        cdf=lambda pareto, value: -torch.expm1(-_generalized_hazard(pareto, value)),
        start=_generalized_start,
        edges={"loc": "smallest"},
        bounds={"concentration": (_REGULAR_FROM, None)},
    ),
)
