"""The observed information, and the direction in which there is none."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from paramfit.inference.loss_function import LossFunction
from paramfit.linalg.lapack import Array
from paramfit.linalg.unit_free import THRESHOLDS, ScaledCurvature
from paramfit.objectives import SquaredError

__all__ = ["ObservedCovariance", "covariance_of", "direction", "observed_covariance"]

_INVOLVED = 1e-2  # a parameter with a smaller share in a direction has no part in it


class ObservedCovariance(NamedTuple):
    """The inverse of an information.

    Attributes:
        covariance: ``(p, p)``; None with a reason.
        reason: why there is none, with the direction's name.
    """

    covariance: Tensor | None
    reason: str | None


def observed_covariance(
    loss: LossFunction, theta: Tensor, *, held: Sequence[int] = (), variance: float = 1.0
) -> ObservedCovariance:
    r"""The inverse of the Hessian of the summed negative log-likelihood at ``theta``.

    For least squares the negative log-likelihood is :math:`\mathrm{RSS} / (2 s^2)`: unlike :math:`s^2 (J^T J)^{-1}`,
    the inverse of its Hessian sees the curvature of the model.

    Args:
        loss: the objective over the training observations.
        theta: the optimum, ``(p,)``.
        held: numbers of the parameters that are taken as fixed.
        variance: s^2 of least squares (1 where sigma is known); a likelihood has no use for it.
    """
    scale = loss.n if loss.objective.reduction == "mean" else 1.0
    if isinstance(loss.objective, SquaredError):
        if not variance > 0:
            return ObservedCovariance(None, "the residuals are all 0, so that there is no likelihood to curve")
        scale /= 2 * variance
    return covariance_of(scale * loss.hessian(theta), loss.names, held, "Hessian")


def covariance_of(information: Tensor, names: Sequence[str], held: Sequence[int], word: str) -> ObservedCovariance:
    """Invert an information ``(p, p)``, or name the direction along which it is not positive.

    Args:
        information: symmetric; rows and columns of ``held`` are not looked at.
        names: what the parameters are called.
        held: numbers of the parameters that are taken as fixed; their rows and columns of the inverse are 0.
        word: what the matrix is called.
    """
    places = torch.tensor([k for k in range(len(names)) if k not in held], dtype=torch.long)
    covariance = torch.zeros_like(information)
    if not len(places):
        return ObservedCovariance(None, "every parameter sits at its bound")
    inner = information[places.unsqueeze(1), places]
    if not bool(torch.isfinite(inner).all()):
        return ObservedCovariance(None, f"the {word} is not finite at the estimate")
    scaled = ScaledCurvature.of(inner.numpy())
    values, vectors, size = scaled.values, scaled.vectors, scaled.size
    if not values[0] > THRESHOLDS.rank * abs(values[-1]):
        along = direction([names[k] for k in places.tolist()], vectors[:, 0], size)
        curves = "does not curve" if abs(values[0]) <= THRESHOLDS.rank * scaled.strongest else "curves downwards"
        reason = (
            f"the {word} is not positive definite at the estimate: along {along} the loss {curves}"
            f" (eigenvalue {values[0]:.2g} of the scaled {word}, the largest is {values[-1]:.2g})"
        )
        return ObservedCovariance(None, reason)
    root = vectors / np.sqrt(values) / size[:, None]
    covariance[places.unsqueeze(1), places] = torch.from_numpy(root @ root.T)
    return ObservedCovariance(covariance, None)


def direction(names: Sequence[str], scaled: Array, size: Array) -> str:
    """What moves, and how much of each: ``+1 a −0.5 b``.

    Args:
        names: what the parameters are called.
        scaled: an eigenvector of the scaled information, ``(m,)``.
        size: what it was scaled by, ``(m,)``.
    """
    shares = scaled / size
    involved = [k for k in range(len(names)) if abs(scaled[k]) > _INVOLVED * np.abs(scaled).max()]
    if len(involved) == 1:
        return names[involved[0]]
    largest = max((shares[k] for k in involved), key=abs)
    return " ".join(f"{shares[k] / largest:+.3g} {names[k]}".replace("-", "−") for k in involved)
