"""The Laplace distribution, whose density has a kink: its second derivative is 0 and tells neither steps nor errors."""

import math

import torch
from torch import Tensor
from torch.distributions import Laplace

from paramfit.distributions.family import Entries, Family, Given, Majorised, Sample, Slopes, Starts

__all__ = ["FAMILIES"]

_SHARPEST = 1e-9  # of the scale: a residual is not taken as shorter, so that no curvature is infinite


def _score(distribution: Laplace, target: Tensor) -> Slopes:
    scale = distribution.scale
    z = (target - distribution.loc) / scale
    return {"loc": lambda: z.sign() / scale, "scale": lambda: (z.abs() - 1) / scale}


def _information(distribution: Laplace) -> Entries:
    scale = distribution.scale
    return {("loc", "loc"): lambda: 1 / scale**2, ("scale", "scale"): lambda: 1 / scale**2}


def _tails(distribution: Laplace, value: Tensor) -> tuple[Tensor, Tensor]:
    z = (value - distribution.loc) / distribution.scale
    outer = -z.abs() - math.log(2)
    inner = torch.log1p(-torch.exp(outer))
    return torch.where(z < 0, outer, inner), torch.where(z < 0, inner, outer)


def _start(sample: Sample, given: Given) -> Starts:
    def scale() -> float:
        if "loc" not in given:
            sample.must_vary()
        distances = sample.of((sample.y - given.get("loc", sample.quantile(0.5))).abs())
        distances.must_not_be_zero()
        return distances.mean()

    return {"loc": lambda: sample.quantile(0.5), "scale": scale}


def _weight(distribution: Laplace, residual: Tensor) -> Tensor:
    return 1 / torch.maximum(residual.abs(), _SHARPEST * distribution.scale)


def _majorised_curvature(distribution: Laplace, target: Tensor) -> Entries:
    r"""Of a parabola that meets the absolute value at the residual :math:`r_0` and lies above it elsewhere.

    .. math:: |r| \le \frac{r^2}{2 |r_0|} + \frac{|r_0|}{2}

    Steps to the minimum of such parabolas lead to that of the absolute values. Entries of the scale are exact.
    """
    scale, residual = distribution.scale, target - distribution.loc
    return {
        ("loc", "loc"): lambda: _weight(distribution, residual) / scale,
        ("loc", "scale"): lambda: residual.sign() / scale**2,
        ("scale", "scale"): lambda: (2 * residual.abs() / scale - 1) / scale**2,
    }


def _majorised_log_density(distribution: Laplace, target: Tensor) -> Tensor:
    residual = target - distribution.loc
    parabola = _weight(distribution, residual).detach() * residual.square() / 2
    absolute = parabola + (residual.abs() - parabola).detach()
    return -absolute / distribution.scale - (2 * distribution.scale).log()


FAMILIES = (
    Family(
        Laplace,
        score=_score,
        information=_information,
        tails=_tails,
        start=_start,
        majorised=Majorised(
            "loc", lambda distribution: 1 / distribution.scale, _majorised_log_density, _majorised_curvature
        ),
    ),
)
