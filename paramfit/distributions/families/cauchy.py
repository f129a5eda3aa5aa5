"""The Cauchy distribution and that of its absolute value."""

import math

import torch
from torch import Tensor
from torch.distributions import Cauchy, HalfCauchy

from paramfit.distributions.family import Entries, Family, Given, Sample, Slopes, Starts
from paramfit.distributions.special import tails_of_probabilities

__all__ = ["FAMILIES"]


def _by_scale(z: Tensor, scale: Tensor) -> Tensor:
    return (1 - 2 / (1 + z * z)) / scale


def _by_scale_twice(z: Tensor, scale: Tensor) -> Tensor:
    share = 1 / (1 + z * z)
    return (1 + 2 * share - 4 * share * share) / scale**2


def _score(distribution: Cauchy, target: Tensor) -> Slopes:
    scale = distribution.scale
    z = (target - distribution.loc) / scale
    return {"loc": lambda: 2 * z / (1 + z * z) / scale, "scale": lambda: _by_scale(z, scale)}


def _curvature(distribution: Cauchy, target: Tensor) -> Entries:
    scale = distribution.scale
    z = (target - distribution.loc) / scale
    square = 1 + z * z
    return {
        ("loc", "loc"): lambda: 2 * (1 - z * z) / (square * scale) ** 2,
        ("loc", "scale"): lambda: 4 * z / (square * scale) ** 2,
        ("scale", "scale"): lambda: _by_scale_twice(z, scale),
    }


def _information(distribution: Cauchy) -> Entries:
    scale = distribution.scale
    return {("loc", "loc"): lambda: 1 / (2 * scale**2), ("scale", "scale"): lambda: 1 / (2 * scale**2)}


def _tails(distribution: Cauchy, value: Tensor) -> tuple[Tensor, Tensor]:
    z = (value - distribution.loc) / distribution.scale
    one = torch.ones_like(z)
    return tails_of_probabilities(torch.atan2(one, -z) / math.pi, torch.atan2(one, z) / math.pi)


def _half_tails(distribution: HalfCauchy, value: Tensor) -> tuple[Tensor, Tensor]:
    z = value / distribution.scale
    return tails_of_probabilities(2 / math.pi * torch.atan(z), 2 / math.pi * torch.atan2(torch.ones_like(z), z))


def _half_start(sample: Sample, given: Given) -> Starts:
    def scale() -> float:
        sample.must_not_be_zero()
        return sample.quantile(0.5) or sample.mean()

    return {"scale": scale}


FAMILIES = (
    Family(
        Cauchy,
        score=_score,
        curvature=_curvature,
        information=_information,
        tails=_tails,
        start=lambda sample, _: {"loc": lambda: sample.quantile(0.5), "scale": sample.half_range},
    ),
    Family(
        HalfCauchy,
        score=lambda half, target: {"scale": lambda: _by_scale(target / half.scale, half.scale)},
        curvature=lambda half, target: {("scale", "scale"): lambda: _by_scale_twice(target / half.scale, half.scale)},
        information=lambda half: {("scale", "scale"): lambda: 1 / (2 * half.scale**2)},
        tails=_half_tails,
        start=_half_start,
    ),
)
