"""What a Gauss-Newton solver knows after a step."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from paramfit.linalg.lapack import Array, triangle
from paramfit.solvers.damping import DampedStep
from paramfit.solvers.projection import Linearization
from paramfit.solvers.standing import Standing
from paramfit.solvers.sums import Layout
from paramfit.solvers.value import Value, derived

__all__ = ["MOST_GROWTH", "GaussNewtonState"]

MOST_GROWTH = 9.0
"""Of a parameter's size, in one step of a second search."""

_NEXT_TO_ZERO = 1e-8  # as what a start of 0 counts there, if no other is smaller


@dataclass(frozen=True, eq=False)
class GaussNewtonState(Value):
    """What is known after a step."""

    theta: Array  # the best point so far, (p,); a polish may have moved it by less than what steps can see
    start: Array  # where the fit began, (p,)
    layout: Layout  # which parameters are solved for exactly, and which have bounds
    steps: DampedStep  # the steps from the best point, and the problem as seen from there
    standing: Standing  # how the search stands
    size_of_target: float  # length of the (weighted) target, in its unit
    damping: float  # lambda of the next step
    unit: float = 1.0  # what rows are divided by before anything is squared: a power of 2 near the target's length
    growth: float = 2.0  # what it grows by, should that fail
    refusals: int = 0  # trials in a row that were not taken though no loss could tell
    sides: tuple[Linearization, ...] = ()  # as seen from other points near by: across a kink, if one is there
    corners: int = 0  # how many of them a step along the kink has started from; further ones it was refused at
    along: Array | None = None  # a step (m,) along a kink of the loss, where no damped step leads on
    promised: float = 0.0  # the decrease of the loss that it promises
    alike: tuple[int, ...] = ()  # places of parameters whose starts were equal and exchangeable, and were moved apart
    apart: Array | None = None  # another start, with these moved apart, (p,), as long as it has not been looked at
    # How the search ended that this one is the second after; it is in all parameters at once.
    first: "GaussNewtonState | None" = None

    expected: ClassVar[bool] = True
    slacks: ClassVar[bool] = False

    @property
    def ended(self) -> bool:
        """Whether another step would change nothing."""
        return self.standing.ended

    @property
    def loss(self) -> float:
        """The sum of the losses at the best point."""
        return self.best.steps.point.loss * self.unit * self.unit

    @property
    def best(self) -> "GaussNewtonState":
        """Where the parameters are: at the end of the first search as long as a second one has not gone lower."""
        first = self.first
        return self if first is None or first.steps.point.loss > self.steps.point.loss else first

    @property
    def n(self) -> int:
        """Number of observations."""
        return self.steps.point.n

    @derived
    def proposal(self) -> tuple[Array, float]:
        """The next trial ``(p,)``, and the decrease of the loss that the linear model promises there."""
        places, trial = self.layout.nonlinear_places, self.theta.copy()
        if self.along is not None:
            trial[places] += self.along
            return np.clip(trial, *self.layout.box) if self.layout.boxes else trial, self.promised
        if not self.layout.boxes and self.first is None:
            step, promised = self.steps.step(self.damping)
            trial[places] += step
            return trial, promised
        (lower, upper), here = self.layout.box[:, places], self.theta[places]
        if self.first is not None:
            reach = MOST_GROWTH * np.maximum(np.abs(here), self.least_start)
            lower, upper = np.maximum(lower, here - reach), np.minimum(upper, here + reach)
        step, promised = self.steps.step_in_box(self.damping, lower - here, upper - here)
        # To the last digit: what has gone all the way to a bound is the bound.
        reached = np.where(step <= lower - here, lower, np.where(step >= upper - here, upper, here + step))
        trial[places] = np.clip(reached, lower, upper)
        return trial, promised

    @derived
    def least_start(self) -> float:
        """How large a parameter counts in a second search that is smaller, or 0."""
        starts = np.abs(self.start[self.start != 0])
        return min(float(starts.min()) if len(starts) else math.inf, _NEXT_TO_ZERO)

    @property
    def trial(self) -> Array:
        """Where to look next, ``(p,)``; the best point at the end."""
        if self.apart is not None:
            return self.apart
        return self.theta if self.ended else self.proposal[0]

    @property
    def whole_factor(self) -> Array:
        """Triangular factor of ``[J, e]`` at the best point, the linear parameters' columns first."""
        point = self.steps.point
        return point.factor if point.whole is None else point.whole

    @property
    def free_places(self) -> NDArray[np.intp]:
        """Places in theta of the parameters that are not held at a bound, in the order of the point's columns."""
        layout, point, held = self.layout, self.steps.point, self.steps.held
        if held is None and not len(point.held):
            return layout.order
        linear = np.delete(np.array(layout.linear, dtype=np.intp), point.held)
        return np.concatenate([linear, layout.nonlinear_places if held is None else layout.nonlinear_places[~held]])

    def free_factor(self) -> Array:
        """Triangular factor of ``[J, e]`` by the parameters that are not held, ``(f + 1, f + 1)``."""
        point, held = self.steps.point, self.steps.held
        if held is None or not held.any():
            return point.factor
        return triangle(point.factor[:, np.concatenate([np.ones(point.q, dtype=bool), ~held, [True]])])

    @property
    def uphill(self) -> Array:
        """``J^T e`` at the best point, ``(p,)``, rows over the unit."""
        p, factor = self.layout.p, self.whole_factor
        ordered = np.empty(p)
        ordered[self.layout.order] = factor[:, :p].T @ factor[:, p]
        return ordered

    def factor(self) -> Array:
        """Triangular factor of ``[J, e]`` at the best point, ``(p + 1, p + 1)``; not after a polish."""
        p, factor = self.layout.p, self.whole_factor
        columns = np.empty_like(factor)
        columns[:, self.layout.order] = factor[:, :p]
        columns[:, p] = factor[:, p]
        return triangle(columns) * self.unit
