"""The last digits of a least-squares fit."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from paramfit.optimizers.projection import column_lengths
from paramfit.optimizers.small_matrices import Array, singular_decomposition, solve_upper

__all__ = ["polished"]

_MOST_STEPS = 30
_REACH = 3.0  # of the first step, in the metric of the errors
_LAST_DIGIT = float(np.finfo(np.float64).eps)
_SINGULAR = 1e3 * float(np.finfo(np.float64).eps)


def polished(
    theta: Array, factor: Array, order: Sequence[int], slope: Callable[[Array], Array], enough: float
) -> tuple[Array, float]:
    r"""Drive :math:`J^T e` to rounding.

    Where residuals are large, a QR factorisation leaves an error of its own in :math:`J^T e`, which the square of the
    condition number multiplies. With that product from longer sums, corrected steps
    :math:`\delta = (R^T R)^{-1} J^T e` remove it; Broyden's update learns from them what the curvature of the residuals
    adds to :math:`R^T R`.

    Args:
        theta: the parameters near the minimum, ``(p,)``.
        factor: triangular factor of the Jacobian, ``(p, p)``, its columns in ``order``.
        order: the parameters' places in theta.
        slope: :math:`J^T e` at any theta, ``(p,)``, more exact than float64 sums give it.
        enough: length of :math:`R^{-T} J^T e` below which nothing is to be won.

    Returns:
        The best parameters that were seen, and the length of :math:`R^{-T} J^T e` there; theta itself and infinity
        where R is singular.

    References:
        Ake Bjorck: Stability Analysis of the Method of Seminormal Equations for Linear Least Squares Problems (1987).
        Charles Broyden: A Class of Methods for Solving Nonlinear Simultaneous Equations (1965).
    """
    size = column_lengths(factor)
    scaled = factor / size
    _, singular, _ = singular_decomposition(scaled)
    if not singular[-1] > _SINGULAR * singular[0]:
        return theta, math.inf
    places = list(order)

    def force_at(point: Array) -> tuple[Array, float]:
        """What is left, in units of the errors."""
        force = solve_upper(scaled, slope(point)[places] / size, transposed=True)
        return force, math.sqrt(force @ force)

    gain = np.eye(len(size))
    force, left = force_at(theta)
    start, reach = theta, _REACH * left
    contraction = 1.0
    for _ in range(_MOST_STEPS):
        if left <= enough:
            break
        move = gain @ force
        step = solve_upper(scaled, move) / size
        if (np.abs(step) <= _LAST_DIGIT * np.abs(theta[places])).all():
            break
        there = theta.copy()
        there[places] += step
        moved = scaled @ ((there - start)[places] * size)
        if not moved @ moved <= reach**2:
            break  # where R says nothing any more, J^T e may be small without a minimum
        rest = contraction * np.abs(step)
        if left * contraction <= enough or (rest <= _LAST_DIGIT * np.abs(there[places])).all():
            return there, enough  # by what the last step gained; to look would cost a pass
        force_there, left_there = force_at(there)
        if not left_there < left:
            break
        lost = force - force_there
        learned = gain @ lost
        weight = move @ learned
        if weight:
            gain += np.outer(move - learned, move @ gain) / weight
        contraction = left_there / left
        theta, force, left = there, force_there, left_there
    return theta, left
