"""The last digits of a least-squares fit."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from paramfit.linalg.lapack import Array, solve_upper
from paramfit.linalg.unit_free import THRESHOLDS, ScaledColumns, column_lengths
from paramfit.solvers.value import Value

__all__ = ["MOST_POLISHING_STEPS", "Polishing", "PolishingState"]

MOST_POLISHING_STEPS = 30
_REACH = 3.0  # of the first step, in the metric of the errors
_LAST_DIGIT = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False)
class PolishingState(Value):
    """Where a polish is."""

    theta: Array  # the best parameters, (p,)
    left: float  # length of R^-T J^T e there; infinite before the first look
    trial: Array | None  # where to look next; None at the end
    force: Array  # R^-T J^T e, in units of the errors
    gain: Array  # Broyden's matrix (p, p), by which the force becomes the next step
    contraction: float = 1.0  # the part of left that the last step has left
    most: float = math.inf  # how long all steps together may be, in the metric of the errors
    unit: float = 1.0  # what rows are divided by before they are multiplied

    @property
    def ended(self) -> bool:
        """Whether nothing more is to be won."""
        return self.trial is None


@dataclass(frozen=True, eq=False)
class Polishing(Value):
    r"""Drives :math:`J^T e` to rounding.

    Where residuals are large, a QR factorisation leaves an error of its own in :math:`J^T e`, which the square of the
    condition number multiplies. With that product from longer sums, corrected steps
    :math:`\delta = (R^T R)^{-1} J^T e` remove it; Broyden's update learns from them what the curvature of the residuals
    adds to :math:`R^T R`.

    References:
        Ake Bjorck: Stability Analysis of the Method of Seminormal Equations for Linear Least Squares Problems (1987).
        Charles Broyden: A Class of Methods for Solving Nonlinear Simultaneous Equations (1965).
    """

    start: Array  # the parameters near the minimum, (p,)
    factor: Array  # triangular factor of the Jacobian, (p, p), its columns in the order of places and of length 1
    size: Array  # the lengths that its columns had
    places: NDArray[np.intp]  # of the parameters in theta
    reach: Array  # how far each parameter may go, (p,), in theta's order
    enough: float  # length of R^-T J^T e below which nothing is to be won
    unit: float = 1.0  # what the rows were divided by

    @classmethod
    def near(
        cls, theta: Array, factor: Array, places: NDArray[np.intp], reach: Array, enough: float, unit: float = 1.0
    ) -> "Polishing | None":
        """The polish near a minimum, from the Jacobian's triangle there; None where that is singular."""
        size = column_lengths(factor)
        scaled = factor / size
        if not np.abs(scaled.diagonal()).min() > THRESHOLDS.pivot:
            singular = ScaledColumns.of(scaled, np.ones_like(size)).singular
            if not singular[-1] > THRESHOLDS.twice * singular[0]:
                return None
        return cls(theta, scaled, size, places, reach, enough, unit)

    def begin(self, uphill: Array | None = None) -> PolishingState:
        """The first state; ``uphill`` is :math:`J^T e` there, ``(p,)``, if so large that float64 sums will do."""
        p = len(self.size)
        state = PolishingState(self.start, math.inf, self.start, np.empty(0), np.eye(p), unit=self.unit)
        return state if uphill is None else self.advance(state, uphill)

    def advance(self, state: PolishingState, uphill: Array) -> PolishingState:
        """The state after a look at its trial; ``uphill`` is :math:`J^T e` there, more exact than float64 sums."""
        if state.trial is None:
            return state
        force = solve_upper(self.factor, uphill[self.places] / self.size, transposed=True)
        left = math.sqrt(force @ force)
        if not len(state.force):
            return self._proposed(state.theta, left, force, state.gain, 1.0, _REACH * left)
        if not left < state.left:
            return state.changed(trial=None)
        gain, move, lost = state.gain, state.gain @ state.force, state.force - force
        learned = gain @ lost
        weight = move @ learned
        if weight:
            gain = gain + (move - learned)[:, None] * (move @ gain / weight)
        return self._proposed(state.trial, left, force, gain, left / state.left, state.most)

    def _proposed(
        self, theta: Array, left: float, force: Array, gain: Array, contraction: float, most: float
    ) -> PolishingState:
        """A state with its next trial, or at its end."""
        present, trial = theta[self.places], None
        step = solve_upper(self.factor, gain @ force) / self.size
        if left > self.enough and not _all_within(step, _LAST_DIGIT, present):
            trial = theta.copy()
            trial[self.places] += step
            moved = trial - self.start
            length = self.factor @ (moved[self.places] * self.size)
            if not (length @ length <= most**2 and _all_within(moved, 1.0, self.reach)):
                trial = None  # where R says nothing any more, J^T e may be small without a minimum
            elif left * contraction <= self.enough or _all_within(contraction * step, _LAST_DIGIT, trial[self.places]):
                theta, left, trial = trial, self.enough, None  # by what the last step gained; to look costs a pass
        return PolishingState(theta, left, trial, force, gain, contraction, most, self.unit)


def _all_within(changes: Array, part: float, sizes: Array) -> bool:
    """Whether all are at most that part of the sizes; of a few numbers Python tells sooner than NumPy."""
    pairs = zip(changes.tolist(), sizes.tolist(), strict=True)
    return not [True for change, size in pairs if not abs(change) <= part * abs(size)]
