"""Equal starts of exchangeable components, which no method parts by itself."""

import numpy as np

from paramfit.linalg.lapack import Array, lengths
from paramfit.solvers.projection import Linearization
from paramfit.solvers.sums import Layout

__all__ = ["moved_apart"]

_SAME = 1e-12  # of the columns' length: equal but for the rounding of a factorisation
_OF_VALUE = 0.1  # of their size, at most, equal starts are moved to either side
_OF_RESIDUAL = 0.5  # of the change by which one of them alone moves the prediction as far as the residual is long


def moved_apart(layout: Layout, point: Linearization, start: Array) -> tuple[Array, tuple[int, ...]]:
    r"""A start with its equal and exchangeable parameters moved apart, and their places; none where there are none.

    Where two nonlinear parameters have the same start and the same column in the Jacobian, as the rates of two
    exponentials with equal amplitudes, every step moves them alike: the descent ends at a saddle, or on it has two
    columns of which only the sum counts, and amplitudes of :math:`10^9` and :math:`-10^9`. The members of such a group
    go to :math:`\theta + d\, t_i`, with t from -1 to 1 in equal steps, in the order of the parameters, and

    .. math:: d = \min\Big(\frac{|\theta|}{10}, \frac{|e|}{2 |J_k|}\Big)

    (the second alone where :math:`\theta = 0`); within their bounds, or to the one side that a bound leaves.
    """
    places = layout.nonlinear_places
    columns = point.factor[:, point.q : -1]
    size, residual = lengths(columns), lengths(point.factor[:, -1:])[0]
    moved, alike, left = start.copy(), [], [k for k in range(len(places)) if size[k] > 0]
    while left:
        first = left[0]
        group = [
            k
            for k in left
            if start[places[k]] == start[places[first]]
            and np.abs(columns[:, k] - columns[:, first]).max() <= _SAME * size[first]
        ]
        left = [k for k in left if k not in group]
        if len(group) < 2 or not residual > 0:
            continue
        value = start[places[first]]
        width = _OF_RESIDUAL * residual / size[first]
        width = min(width, _OF_VALUE * abs(value)) if value else width
        lower, upper = layout.box[0, places[group]].max(), layout.box[1, places[group]].min()
        ends = max(value - width, lower), min(value + width, upper)
        if ends[0] < ends[1]:
            moved[places[group]] = np.linspace(*ends, len(group))
            alike += [int(place) for place in places[group]]
    return moved, tuple(sorted(alike))
