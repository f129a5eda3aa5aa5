"""Linear least squares between bounds."""

import math

import numpy as np

from paramfit.linalg.lapack import Array
from paramfit.linalg.unit_free import column_lengths

__all__ = ["least_squares_in_box"]

_MOST_EXCHANGES = 10  # of each variable between free and held; a few in all are enough where nothing is degenerate
_ROUNDING = 1e-13  # of the target's length: a slope so small pulls nowhere


def least_squares_in_box(matrix: Array, target: Array, lower: Array, upper: Array) -> Array:
    r"""The x that minimises :math:`|b - A x|` with :math:`l \le x \le u`, ``(m,)``; on a bound it is the bound.

    It begins with the point of the box that is nearest to 0. Variables are free or held at a bound: the free ones go as
    far towards their minimum (the shortest, of columns of equal length, where there are several) as the box lets them,
    and whichever meets a bound is held; at a minimum the one that is held against the strongest slope is set free. No
    step raises the sum, so that the answer is no worse than the beginning wherever it stops.

    References:
        Philip Stark, Robert Parker: Bounded-Variable Least Squares: An Algorithm and Applications (1995).
    """
    most, bounds = column_lengths(matrix), (lower, upper)
    matrix, lower, upper = matrix / most, lower * most, upper * most
    x, free = np.clip(0.0, lower, upper), np.ones(len(lower), dtype=bool)
    least = _ROUNDING * np.sqrt(target @ target)
    for _ in range(_MOST_EXCHANGES * len(x)):
        goal = x.copy()
        goal[free] = np.linalg.lstsq(matrix[:, free], target - matrix[:, ~free] @ x[~free], rcond=None)[0]
        short, far = goal < lower, goal > upper
        if (short | far).any():
            bound = np.where(short, lower, upper)
            ways = np.where(short | far, goal - x, 1.0)
            shares = np.where(short | far, (bound - x) / ways, math.inf)
            met = shares <= shares.min()
            x = np.where(met, bound, np.clip(x + shares.min() * (goal - x), lower, upper))
            free &= ~met
            continue
        x = goal
        pull = matrix.T @ (target - matrix @ x)
        inward = np.where(~free & ((x <= lower) & (pull > least) | (x >= upper) & (pull < -least)), np.abs(pull), 0.0)
        if not inward.any():
            break
        free[inward.argmax()] = True
    # To the last digit: what is on a bound is the bound.
    return np.where(x <= lower, bounds[0], np.where(x >= upper, bounds[1], x / most))
