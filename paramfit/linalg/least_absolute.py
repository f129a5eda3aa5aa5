"""Least absolute deviations: the linear program that leads to where kinks of as many rows as parameters meet."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import eye_array, hstack

from paramfit.linalg.lapack import Array

__all__ = ["least_absolute_step"]

_MET = 1e-6  # of the largest residual before: so small a residual is rounding of a linear program's 0


def least_absolute_step(rows: Array, residual: Array, weights: Array, low: Array, high: Array) -> Array | None:
    r"""The d that minimises a sum of absolute values, ``(p,)``; None where the linear program has no solution.

    .. math:: \sum_i w_i |r_i - j_i^T d|, \qquad l \le d \le u

    The rows that are met by the program's solution are then met to the last digit.

    Args:
        rows: j, ``(n, p)``.
        residual: r, ``(n,)``.
        weights: w, above 0, ``(n,)``.
        low: l, ``(p,)``; infinite where there is no bound.
        high: u, ``(p,)``; likewise.

    References:
        Peter Bloomfield, William Steiger: Least Absolute Deviations (1983).

    Example:
        >>> low, high = np.array([[-9.0], [9.0]])
        >>> round(least_absolute_step(np.ones((3, 1)), np.array([1.0, 2.0, 9.0]), np.ones(3), low, high).item(), 9)
        2.0
    """
    n, p = rows.shape
    size, far = np.linalg.norm(rows, axis=0), float(np.abs(residual).max(initial=0.0))
    usable = np.isfinite(rows).all() and np.isfinite(residual).all() and (size > 0).all() and far > 0
    if not (usable and np.isfinite(weights).all() and (weights > 0).all()):
        return None
    scaled, one = rows / size, eye_array(n)
    bounds = [*zip(low * size / far, high * size / far, strict=True), *[(0.0, None)] * (2 * n)]
    costs = np.concatenate([np.zeros(p), *[weights / weights.max()] * 2])
    solved = linprog(costs, A_eq=hstack([scaled, one, -one], format="csc"), b_eq=residual / far, bounds=bounds)
    if solved.x is None:
        return None
    step = solved.x[:p]
    met = np.abs(residual / far - scaled @ step) < _MET
    inside: NDArray[np.bool_] = (step * far / size > low) & (step * far / size < high)
    if met.any() and inside.any():
        left = residual[met] / far - scaled[np.ix_(met, ~inside)] @ step[~inside]
        step[inside] = np.linalg.lstsq(scaled[np.ix_(met, inside)], left, rcond=None)[0]
    back: Array = np.clip(step * far / size, low, high)
    return back
