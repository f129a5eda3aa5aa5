"""At a kink of the loss: whether it is a minimum, by the slopes on all its sides, and else the step along it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from paramfit.linalg.box import least_squares_in_box
from paramfit.linalg.lapack import Array
from paramfit.linalg.unit_free import THRESHOLDS, ScaledColumns
from paramfit.solvers.projection import Linearization

__all__ = ["KinkStep", "step_along_kink"]


@dataclass(frozen=True)
class KinkStep:
    """What the slopes on the sides of a kink say of it."""

    step: Array  # along the kink, where the loss falls on all sides, (m,)
    promised: float  # the decrease of the loss that it promises
    offset: float  # the relative offset of the least slope: 0 where the kink is a minimum
    determined: bool  # whether slopes are more than rounding in every direction, so that their change means something


def step_along_kink(sides: Sequence[Linearization], held: NDArray[np.bool_] | None) -> KinkStep:
    r"""The step along a kink of the loss, which is seen from a point on each of its sides, the best point first.

    .. math:: g = \sum_i \lambda_i g_i, \qquad \lambda_i \ge 0, \quad \sum_i \lambda_i = 1

    is the shortest combination of the gradients of all sides, in the metric of the errors: where it is 0, no direction
    leads down on all of them, and the kink is a minimum. The metric is the mean of those of the sides: on one of them
    a parameter may have no influence. Parameters at a bound (``held``) do not move.

    References:
        Frank Clarke: Optimization and Nonsmooth Analysis (1983).
        Philip Wolfe: A Method of Conjugate Subgradients for Minimizing Nondifferentiable Functions (1975).
    """
    here = sides[0]
    m = len(here.slope)
    free = np.ones(m, dtype=bool) if held is None else ~held
    # What changes predictions as linear parameters do, whichever the side, has no slope of its own.
    free &= np.any([_is_apart_from_linear(side) for side in sides], axis=0)
    if not free.any():
        return KinkStep(np.zeros(m), 0.0, math.inf, determined=False)
    rows = np.concatenate([side.curved[:, free] for side in sides]) / math.sqrt(len(sides))
    scaled = ScaledColumns.of(rows)
    strong = scaled.strong()
    # What has no influence on any side is flat. Of what has little the difference of slopes may be rounding.
    determined = bool(scaled.singular[strong].min() > THRESHOLDS.half_the_digits * scaled.singular[0])
    determined = determined and all(
        _has_apart_linear(side) and _is_apart_from_linear(side)[free].all() for side in sides
    )
    inverse = scaled.directions[strong] / scaled.size / scaled.singular[strong][:, None]
    slopes = np.stack([inverse @ (side.curved[:m, free].T @ side.slope) for side in sides], axis=1)
    least = slopes @ _shortest_combination(slopes)
    inside, outside = float(least @ least), float(here.factor[:, -1] @ here.factor[:, -1])
    freedom = max(1, here.n - len(here.factor) + 1)
    offset = math.sqrt(inside / max(1, len(least)) / (outside / freedom)) if inside > 0 else 0.0
    step = np.zeros(m)
    step[free] = inverse.T @ least
    return KinkStep(step, inside, offset, determined)


def _is_apart_from_linear(side: Linearization) -> NDArray[np.bool_]:
    """Which slopes differ by more than rounding from all combinations of those by linear parameters, ``(m,)``."""
    apart: NDArray[np.bool_] = side.curved_lengths >= THRESHOLDS.half_the_digits * side.unprojected
    return apart | (side.q == 0)


def _has_apart_linear(side: Linearization) -> bool:
    """Whether the slopes by linear parameters differ by more than rounding from each other."""
    if not side.q:
        return True
    singular = ScaledColumns.of(side.factor[: side.q, : side.q]).singular
    return bool(singular[-1] > THRESHOLDS.half_the_digits * singular[0])


def _shortest_combination(vectors: Array) -> Array:
    r"""Shares of the columns, at least 0 and 1 in all, whose combination is the shortest, ``(k,)``.

    They are proportional to the w that minimises :math:`|G w|^2 + (1 - \sum_i w_i)^2` with :math:`w \ge 0`.
    """
    k = vectors.shape[1]
    size = float(np.abs(vectors).max(initial=0.0))
    if not size > 0:
        return np.full(k, 1 / k)
    rows = np.concatenate([vectors / size, np.ones((1, k))])
    target = np.zeros(len(rows))
    target[-1] = 1.0
    weights = least_squares_in_box(rows, target, np.zeros(k), np.full(k, math.inf))
    shares: Array = weights / weights.sum()
    return shares
