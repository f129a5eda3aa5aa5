"""The last digits of a least-squares fit."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from paramfit.linalg.lapack import Array, singular_decomposition, solve_upper
from paramfit.solvers.projection import column_lengths

__all__ = ["polished"]

_MOST_STEPS = 30
_REACH = 3.0  # of the first step, in the metric of the errors
_LAST_DIGIT = float(np.finfo(np.float64).eps)
_SINGULAR = 1e3 * float(np.finfo(np.float64).eps)
_REGULAR = 1e-6  # a triangle with larger pivots, its columns of length 1, is not looked at for singularity


def polished(
    theta: Array,
    factor: Array,
    places: NDArray[np.intp],
    slope: Callable[[Array], Array],
    reach: Array,
    enough: float,
    first: Array | None = None,
) -> tuple[Array, float]:
    r"""Drive :math:`J^T e` to rounding.

    Where residuals are large, a QR factorisation leaves an error of its own in :math:`J^T e`, which the square of the
    condition number multiplies. With that product from longer sums, corrected steps
    :math:`\delta = (R^T R)^{-1} J^T e` remove it; Broyden's update learns from them what the curvature of the residuals
    adds to :math:`R^T R`.

    Args:
        theta: the parameters near the minimum, ``(p,)``.
        factor: triangular factor of the Jacobian, ``(p, p)``, its columns in the order of ``places``.
        places: of the parameters in theta.
        slope: :math:`J^T e` at any theta, ``(p,)``, more exact than float64 sums give it.
        reach: how far each parameter may go, ``(p,)``, in theta's order.
        enough: length of :math:`R^{-T} J^T e` below which nothing is to be won.
        first: the slope at ``theta``, ``(p,)``, where it is known, and so large that float64 sums are exact enough.

    Returns:
        The best parameters that were seen, and the length of :math:`R^{-T} J^T e` there; theta itself and infinity
        where R is singular.

    References:
        Ake Bjorck: Stability Analysis of the Method of Seminormal Equations for Linear Least Squares Problems (1987).
        Charles Broyden: A Class of Methods for Solving Nonlinear Simultaneous Equations (1965).
    """
    size = column_lengths(factor)
    scaled = factor / size
    if not np.abs(scaled.diagonal()).min() > _REGULAR:
        _, singular, _ = singular_decomposition(scaled)
        if not singular[-1] > _SINGULAR * singular[0]:
            return theta, math.inf

    def force_of(uphill: Array) -> tuple[Array, float]:
        """What is left, in units of the errors."""
        force = solve_upper(scaled, uphill[places] / size, transposed=True)
        return force, math.sqrt(force @ force)

    gain = np.eye(len(size))
    force, left = force_of(slope(theta) if first is None else first)
    start, most = theta, _REACH * left
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
        moved = there - start
        length = scaled @ (moved[places] * size)
        if not (length @ length <= most**2 and (np.abs(moved) <= reach).all()):
            break  # where R says nothing any more, J^T e may be small without a minimum
        rest = contraction * np.abs(step)
        if left * contraction <= enough or (rest <= _LAST_DIGIT * np.abs(there[places])).all():
            return there, enough  # by what the last step gained; to look would cost a pass
        force_there, left_there = force_of(slope(there))
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
