"""Equal starts of exchangeable components, which no method parts by itself."""

import numpy as np

from paramfit.linalg.lapack import Array, length, lengths
from paramfit.solvers.projection import Linearization
from paramfit.solvers.sums import Layout

__all__ = ["moved_apart"]

_SAME = 1e-12  # of the columns' length: equal but for the rounding of a factorisation
_OF_VALUE = 0.3  # of their size, at most, equal starts are moved to either side
_OF_RESIDUAL = 0.5  # of the change by which one of them alone moves the prediction as far as the residual is long


def moved_apart(layout: Layout, point: Linearization, start: Array) -> tuple[Array, tuple[int, ...]]:
    r"""A start with its equal and exchangeable parameters moved apart, and their places; none where there are none.

    Where two nonlinear parameters have the same start and the same column in the Jacobian, as the rates of two
    exponentials with equal amplitudes, every step moves them alike: the descent ends at a saddle, or on it has two
    columns of which only the sum counts, and amplitudes of :math:`10^9` and :math:`-10^9`. The members of such a group
    go to :math:`\theta + d\, t_i`, with t from -1 to 1 in equal steps, in the order of the parameters, and

    .. math:: d = \min\Big(\frac{3}{10} |\theta|, \frac{|e|}{2 |J_k|}\Big)

    (the second alone where :math:`\theta = 0`); within their bounds, or to the one side that a bound leaves. Of several
    groups, as places and widths of peaks, only that is moved which changes the prediction most: 24 of 24 pairs of peaks
    are told apart by their places, 15 where the widths are moved too. The others are then alike no more.
    """
    places = layout.nonlinear_places
    if len({*start[places].tolist()}) == len(places):
        return start, ()
    columns = point.factor[:, point.q : -1]
    size, residual = lengths(columns), length(point.factor[:, -1])
    most, ends, alike = 0.0, (0.0, 0.0), np.empty(0, dtype=np.intp)
    left = [k for k in range(len(places)) if size[k] > 0 and residual > 0]
    while left:
        first, value = left[0], start[places[left[0]]]
        near = [k for k in left if start[places[k]] == value]
        group = [k for k in near if np.abs(columns[:, k] - columns[:, first]).max() <= _SAME * size[first]]
        left = [k for k in left if k not in group]
        width = _OF_RESIDUAL * residual / size[first]
        width = min(width, _OF_VALUE * abs(value)) if value else width
        lower, upper = layout.box[0, places[group]].max(), layout.box[1, places[group]].min()
        low, high = max(value - width, lower), min(value + width, upper)
        change = (high - low) * size[first]
        if len(group) > 1 and change > most * (1 + _SAME):
            most, ends, alike = change, (low, high), places[group]
    moved = start.copy()
    moved[alike] = np.linspace(*ends, len(alike))
    return moved, tuple(alike.tolist())
