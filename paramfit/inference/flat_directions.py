"""Directions in which a likelihood is flat at its maximum, told from those in which it is only weakly curved."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from paramfit.distributions.derivatives import score
from paramfit.inference.loss_function import LossFunction
from paramfit.inference.sandwich import observation_gradients
from paramfit.linalg.lapack import Array
from paramfit.linalg.unit_free import THRESHOLDS, ScaledCurvature
from paramfit.models import DistributionModel

__all__ = ["SettledInformation", "settled_information"]

_WEAK = 1e-3  # of the strongest curvature: less may be none, seen from beside the ridge
_MOST_STEPS = 4  # each squares the distance that is left, which was small
_MOST_ROWS = 4000  # whose scores tell how large an information a parameter's influence makes


class SettledInformation(NamedTuple):
    """The observed information, and below which length a column of its root is nothing."""

    matrix: Array  # (p, p)
    least: Array  # (p,)


def settled_information(
    loss: LossFunction, theta: Tensor, beyond: Tensor, information: Array, free: Sequence[int]
) -> SettledInformation:
    r"""The information ``(p, p)`` without what it has only since the fit ended a little beside a flat ridge.

    On a ridge of the likelihood the information is singular, but :math:`\delta` beside it is curved by as much as its
    third derivatives make of that, along the ridge as well: what a step too small to matter leaves there would look
    like an estimate with a finite, large error. So where a direction is weak, Newton's steps across it are gone to
    their end, and only what is curved there by more than rounding counts. Curvatures are compared with

    .. math:: \max\Big(|H_{kk}|, \sum_i \Big(\frac{\partial \ell_i}{\partial \theta_k}\Big)^2\Big)

    whose second part is no smaller where the sum of the first's terms cancels. ``free`` are the parameters at no bound,
    and ``beyond`` is theta with all others nearer to theirs.
    """
    nothing = SettledInformation(information, np.zeros(len(theta)))
    places = list(free)
    inner = np.ix_(places, places)
    try:
        least = _influence(loss, theta)[places]
        is_weak = _is_weak(ScaledCurvature.of(information[inner], least), _WEAK).any()
        if not is_weak and torch.equal(beyond, theta):
            return nothing
        point = beyond.detach().clone()
        rows = loss.n if loss.objective.reduction == "mean" else 1
        for _ in range(_MOST_STEPS):
            scaled = ScaledCurvature.of(rows * loss.hessian(point).numpy()[inner], least)
            strong = ~_is_weak(scaled, _WEAK)
            slope = scaled.vectors[:, strong].T @ (rows * loss.gradient(point).numpy()[places] / scaled.size)
            step = -(scaled.vectors[:, strong] @ (slope / scaled.values[strong])) / scaled.size
            point[places] += point.new_tensor(step)
        settled = rows * loss.hessian(point).numpy()
    except (RuntimeError, ValueError, NotImplementedError, np.linalg.LinAlgError):
        return nothing  # what cannot be differentiated so, or not there
    if not np.isfinite(settled).all():
        return nothing
    scaled = ScaledCurvature.of(settled[inner], least)
    flat = _is_weak(scaled, THRESHOLDS.hessian)
    if not flat.any():
        return nothing
    unit_free = (scaled.vectors * np.where(flat, 0.0, scaled.values)) @ scaled.vectors.T
    matrix = information.copy()
    matrix[inner] = unit_free * np.outer(scaled.size, scaled.size)
    limits = np.zeros(len(theta))
    limits[places] = np.sqrt(THRESHOLDS.hessian) * scaled.size
    return SettledInformation(matrix, limits)


def _is_weak(scaled: ScaledCurvature, share: float) -> NDArray[np.bool_]:
    weak: NDArray[np.bool_] = np.abs(scaled.values) <= share * max(scaled.strongest, 1.0)
    return weak


def _influence(loss: LossFunction, theta: Tensor) -> Array:
    """The root of the sum of squared scores, ``(p,)``, by some rows where there are many."""
    step = max(1, loss.n // _MOST_ROWS)
    some = LossFunction.around(loss.model, loss.objective, loss.observations.rows(slice(0, None, step)))
    scores = _scores(some, theta)
    lengths: Array = np.sqrt(np.square(scores.numpy()).sum(axis=0) * step)
    return lengths


def _scores(loss: LossFunction, theta: Tensor) -> Tensor:
    """Gradient of each observation's log-likelihood by theta, ``(n, p)``: by closed forms where there are any."""
    model, observations = loss.model, loss.observations
    if not isinstance(model, DistributionModel) or observations.censoring is not None or not theta.equal(loss.theta):
        return observation_gradients(loss, theta)
    with torch.no_grad():
        columns = model.argument_jacobian(*observations.inputs)
        wanted = [name for name in model.names if columns[name]]
        slopes = score(model(*observations.inputs), observations.target, wanted)
        by_parameter = {name: torch.zeros(loss.n, dtype=torch.float64) for name in loss.names}
        for argument in wanted:
            for name, column in columns[argument].items():
                by_parameter[name] = by_parameter[name] + slopes[argument] * column
    return torch.stack(list(by_parameter.values()), dim=1)
