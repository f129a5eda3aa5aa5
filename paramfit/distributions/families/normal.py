"""The normal distribution, and those of its exponential and its absolute value."""

import math

import torch
from torch import Tensor
from torch.distributions import HalfNormal, LogNormal, Normal

from paramfit.distributions.family import Entries, Family, Given, Sample, Slopes, Starts
from paramfit.distributions.special import log_ndtr, log_of

__all__ = ["FAMILIES"]


def _score(distribution: Normal, target: Tensor) -> Slopes:
    scale = distribution.scale
    z = (target - distribution.loc) / scale
    return {"loc": lambda: z / scale, "scale": lambda: (z * z - 1) / scale}


def _curvature(distribution: Normal, target: Tensor) -> Entries:
    scale = distribution.scale
    z = (target - distribution.loc) / scale
    return {
        ("loc", "loc"): lambda: 1 / scale**2,
        ("loc", "scale"): lambda: 2 * z / scale**2,
        ("scale", "scale"): lambda: (3 * z * z - 1) / scale**2,
    }


def _information(distribution: Normal | LogNormal) -> Entries:
    scale = distribution.scale
    return {("loc", "loc"): lambda: 1 / scale**2, ("scale", "scale"): lambda: 2 / scale**2}


def _tails(distribution: Normal, value: Tensor) -> tuple[Tensor, Tensor]:
    z = (value - distribution.loc) / distribution.scale
    return log_ndtr(z), log_ndtr(-z)


def _start(sample: Sample, given: Given) -> Starts:
    def scale() -> float:
        if "loc" not in given:
            return math.sqrt(sample.variance())
        return sample.of(sample.y - given["loc"]).root_mean_square()

    return {"loc": sample.mean, "scale": scale}


def _of_logarithm(distribution: LogNormal) -> Normal:
    return Normal(distribution.loc, distribution.scale, validate_args=False)


def _half_tails(distribution: HalfNormal, value: Tensor) -> tuple[Tensor, Tensor]:
    z = value / distribution.scale
    return log_of(torch.erf(z / math.sqrt(2)), torch.erfc(z / math.sqrt(2))), math.log(2) + log_ndtr(-z)


FAMILIES = (
    Family(Normal, score=_score, curvature=_curvature, information=_information, tails=_tails, start=_start),
    Family(
        LogNormal,
        score=lambda distribution, target: _score(_of_logarithm(distribution), target.log()),
        curvature=lambda distribution, target: _curvature(_of_logarithm(distribution), target.log()),
        information=_information,
        tails=lambda distribution, value: _tails(_of_logarithm(distribution), value.log()),
        start=lambda sample, given: _start(sample.of(sample.y.log()), given),
    ),
    Family(
        HalfNormal,
        score=lambda half, y: {"scale": lambda: ((y / half.scale) ** 2 - 1) / half.scale},
        curvature=lambda half, y: {("scale", "scale"): lambda: (3 * (y / half.scale) ** 2 - 1) / half.scale**2},
        information=lambda half: {("scale", "scale"): lambda: 2 / half.scale**2},
        tails=_half_tails,
        start=lambda sample, _: {"scale": sample.root_mean_square},
    ),
)
