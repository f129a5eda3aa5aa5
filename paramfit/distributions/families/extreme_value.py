"""The distributions of extremes: Gumbel's, and Weibull's, whose logarithm has Gumbel's upside down."""

import math

import torch
from torch import Tensor
from torch.distributions import Gumbel, Weibull

from paramfit.distributions.family import Entries, Family, Given, Sample, SampleSums, Slopes, Starts
from paramfit.distributions.special import log_quotient, may_cancel, tails_of_hazard

__all__ = ["FAMILIES"]

_EULER = 0.5772156649015329  # Euler's constant
_EXTREME = (1 - _EULER) ** 2 + math.pi**2 / 6  # 1 + E[T log(T)^2] for T exponential with rate 1


def _gumbel_score(distribution: Gumbel, target: Tensor) -> Slopes:
    scale = distribution.scale
    z = (target - distribution.loc) / scale
    excess = -torch.expm1(-z)
    return {"loc": lambda: excess / scale, "scale": lambda: (z * excess - 1) / scale}


def _gumbel_curvature(distribution: Gumbel, target: Tensor) -> Entries:
    scale = distribution.scale
    z = (target - distribution.loc) / scale
    tail = torch.exp(-z)
    return {
        ("loc", "loc"): lambda: tail / scale**2,
        ("loc", "scale"): lambda: (1 - tail + tail * z) / scale**2,
        ("scale", "scale"): lambda: (2 * z * (1 - tail) - 1 + z * z * tail) / scale**2,
    }


def _gumbel_information(distribution: Gumbel) -> Entries:
    scale = distribution.scale
    return {
        ("loc", "loc"): lambda: 1 / scale**2,
        ("loc", "scale"): lambda: (_EULER - 1) / scale**2,
        ("scale", "scale"): lambda: _EXTREME / scale**2,
    }


def _gumbel_start(sample: Sample, given: Given) -> Starts:
    def scale() -> float:
        return math.sqrt(6 * sample.variance()) / math.pi

    def loc() -> float:
        return sample.mean() - _EULER * (given["scale"] if "scale" in given else scale())

    return {"loc": loc, "scale": scale}


def _weibull_log_density(distribution: Weibull, target: Tensor) -> Tensor:
    scale, concentration = distribution.scale, distribution.concentration
    if not may_cancel(concentration):
        value: Tensor = distribution.log_prob(target)  # type: ignore[no-untyped-call]
        return value
    log_ratio = log_quotient(target, scale)
    return (concentration / scale).log() + (concentration - 1) * log_ratio - torch.exp(concentration * log_ratio)


def _weibull_score(distribution: Weibull, target: Tensor) -> Slopes:
    scale, concentration = distribution.scale, distribution.concentration
    log_ratio = log_quotient(target, scale)
    excess = torch.expm1(concentration * log_ratio)
    return {
        "scale": lambda: concentration / scale * excess,
        "concentration": lambda: 1 / concentration - log_ratio * excess,
    }


def _weibull_curvature(distribution: Weibull, target: Tensor) -> Entries:
    scale, k = distribution.scale, distribution.concentration
    log_ratio = log_quotient(target, scale)
    power = torch.exp(k * log_ratio)
    return {
        ("scale", "scale"): lambda: k * (power * (1 + k) - 1) / scale**2,
        ("scale", "concentration"): lambda: (1 - power * (1 + k * log_ratio)) / scale,
        ("concentration", "concentration"): lambda: 1 / k**2 + log_ratio**2 * power,
    }


def _weibull_information(distribution: Weibull) -> Entries:
    scale, concentration = distribution.scale, distribution.concentration
    return {
        ("scale", "scale"): lambda: (concentration / scale) ** 2,
        ("scale", "concentration"): lambda: (_EULER - 1) / scale,
        ("concentration", "concentration"): lambda: _EXTREME / concentration**2,
    }


def _weibull_sums(distribution: Weibull, target: Tensor) -> SampleSums:
    scale, concentration, n = distribution.scale, distribution.concentration, len(target)
    log_ratio = log_quotient(target, scale)
    power = (concentration * log_ratio).exp()
    logs, powers = log_ratio.sum(), power.sum()
    return SampleSums(
        (concentration - 1) * logs - powers + n * (concentration / scale).log(),
        {"scale": concentration / scale * (powers - n), "concentration": n / concentration + logs - log_ratio @ power},
    )


def _weibull_start(sample: Sample, given: Given) -> Starts:
    logs = sample.of(sample.y.log())

    def concentration() -> float:
        return math.pi / math.sqrt(6 * logs.variance())

    def scale() -> float:
        shape = given["concentration"] if "concentration" in given else concentration()
        return math.exp(logs.mean() + _EULER / shape)

    return {"scale": scale, "concentration": concentration}


FAMILIES = (
    Family(
        Gumbel,
        score=_gumbel_score,
        curvature=_gumbel_curvature,
        information=_gumbel_information,
        # The exponential of a negative hazard is the probability below, not above.
        tails=lambda gumbel, value: tails_of_hazard(torch.exp((gumbel.loc - value) / gumbel.scale))[::-1],
        start=_gumbel_start,
    ),
    Family(
        Weibull,
        log_density=_weibull_log_density,
        score=_weibull_score,
        curvature=_weibull_curvature,
        information=_weibull_information,
        sums=_weibull_sums,
        tails=lambda weibull, value: tails_of_hazard((value / weibull.scale) ** weibull.concentration),
        start=_weibull_start,
    ),
)
