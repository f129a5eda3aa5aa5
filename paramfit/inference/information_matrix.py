"""The observed information, and the direction in which there is none."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from paramfit.facts import Fact, FactKind, Number
from paramfit.inference.loss_function import LossFunction
from paramfit.linalg.lapack import Array
from paramfit.linalg.unit_free import THRESHOLDS, ScaledCurvature
from paramfit.objectives import SquaredError

__all__ = ["ObservedCovariance", "covariance_of", "direction", "observed_covariance"]

_INVOLVED = 1e-2  # a parameter with a smaller share in a direction has no part in it


class ObservedCovariance(NamedTuple):
    """The inverse of an information."""

    covariance: Tensor | None  # (p, p); None with a reason
    reason: Fact | None  # why there is none, with the direction along which it is not positive


def observed_covariance(
    loss: LossFunction, theta: Tensor, *, held: Sequence[int] = (), variance: float = 1.0
) -> ObservedCovariance:
    r"""The inverse of the Hessian of the summed negative log-likelihood at ``theta``.

    For least squares the negative log-likelihood is :math:`\mathrm{RSS} / (2 s^2)`: unlike :math:`s^2 (J^T J)^{-1}`,
    the inverse of its Hessian sees the curvature of the model. ``variance`` is that s^2, 1 where sigma is known;
    ``held`` parameters are taken as fixed.
    """
    scale = loss.n if loss.objective.reduction == "mean" else 1.0
    if isinstance(loss.objective, SquaredError):
        if not variance > 0:
            return ObservedCovariance(None, Fact(FactKind.RESIDUALS_ZERO))
        scale /= 2 * variance
    return covariance_of(scale * loss.hessian(theta), loss.names, held, "Hessian")


def covariance_of(information: Tensor, names: Sequence[str], held: Sequence[int], word: str) -> ObservedCovariance:
    """Invert an information ``(p, p)``, or name the direction along which it is not positive; ``word`` is its name.

    Rows and columns of the ``held`` parameters are not looked at, and 0 in the inverse.
    """
    places = torch.tensor([k for k in range(len(names)) if k not in held], dtype=torch.long)
    covariance = torch.zeros_like(information)
    if not len(places):
        return ObservedCovariance(None, Fact(FactKind.ALL_AT_BOUND))
    inner = information[places.unsqueeze(1), places]
    if not bool(torch.isfinite(inner).all()):
        return ObservedCovariance(None, Fact(FactKind.HESSIAN_NOT_FINITE, numbers={"matrix": word}))
    scaled = ScaledCurvature.of(inner.numpy())
    values, vectors, size = scaled.values, scaled.vectors, scaled.size
    if not values[0] > THRESHOLDS.rank * abs(values[-1]):
        moving, shares = direction([names[k] for k in places.tolist()], vectors[:, 0], size)
        numbers: dict[str, Number] = {
            "matrix": word,
            "eigenvalue": float(values[0]),
            "largest": float(values[-1]),
            "flat": bool(abs(values[0]) <= THRESHOLDS.rank * scaled.strongest),
            "shares": shares,
        }
        return ObservedCovariance(None, Fact(FactKind.NOT_POSITIVE_DEFINITE, moving, numbers))
    root = vectors / np.sqrt(values) / size[:, None]
    covariance[places.unsqueeze(1), places] = torch.from_numpy(root @ root.T)
    return ObservedCovariance(covariance, None)


def direction(names: Sequence[str], scaled: Array, size: Array) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """What moves along an eigenvector of an information over ``size``, and how much of each, the largest being 1."""
    shares = scaled / size
    involved = [k for k in range(len(names)) if abs(scaled[k]) > _INVOLVED * np.abs(scaled).max()]
    largest = max((shares[k] for k in involved), key=abs)
    return tuple(names[k] for k in involved), tuple(float(shares[k] / largest) for k in involved)
