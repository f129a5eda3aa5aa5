"""Descent along Gauss-Newton or Newton directions with some parameters held, by ever shorter steps."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from paramfit.linalg.box import least_squares_in_box
from paramfit.linalg.lapack import Array
from paramfit.linalg.unit_free import ScaledColumns, ScaledCurvature
from paramfit.solvers.newton_step import NewtonStep
from paramfit.solvers.sums import LikelihoodSums, ResidualSums
from paramfit.solvers.value import Value

__all__ = ["Direction", "GaussNewtonSearch", "LineSearch", "LineSearchState", "NewtonSearch"]

_LEAST_GAIN = 1e-4  # of what was promised for a part of the step: Armijo (1966)
_ENOUGH = 1e-12  # a step that promises less of the deviance, which is about 4 at an interval's end, is not taken
_NEARLY = 1e-7  # where rounding hides every decrease, a step that promises less is as good as none
_MOST_STEPS = 60
_MOST_HALVINGS = 30


class Direction(NamedTuple):
    """Where to go."""

    step: Array  # of the free parameters, (f,)
    promised: float  # the decrease of the value at its end


@dataclass(frozen=True, eq=False)
class LineSearchState(Value):
    """Where a search is: at the best point, or on the way to the next."""

    theta: Array  # the best point, (p,)
    value: float  # what is minimised, there
    step: Array | None = None  # from there, (p,); None as long as the derivatives there are wanted
    promised: float = math.inf  # the decrease at its end
    share: float = 1.0  # the part of it that is tried
    taken: int = 0  # how many steps were
    ended: bool = False  # whether another look would change nothing
    is_minimum: bool = False  # whether it has ended at one
    box: Array | None = None  # lower and upper bounds, (2, p); None where there are none

    @property
    def trial(self) -> Array:
        """Where to look: for derivatives at the best point, or for the value on the way."""
        if self.step is None:
            return self.theta
        trial = self.theta + self.share * self.step
        return trial if self.box is None else np.clip(trial, *self.box)


@dataclass(frozen=True)
class LineSearch(ABC):
    r"""A search for the minimum over the free parameters.

    .. math:: f(\theta + s \delta) \le f(\theta) - 10^{-4} s \Delta, \qquad s = 1, 1/2, 1/4, \dots

    with the decrease :math:`\Delta` that a quadratic model promises for the step :math:`\delta`.

    References:
        Larry Armijo: Minimization of Functions Having Lipschitz Continuous First Partial Derivatives (1966).
    """

    free: tuple[int, ...]  # places of the parameters that move
    boxes: tuple[tuple[float, float], ...] = ()  # lower and upper bound of every parameter; empty where there are none

    @abstractmethod
    def direction(self, sums: ResidualSums | LikelihoodSums, low: Array, high: Array) -> Direction | None:
        """Where to go, at least ``low`` and at most ``high`` ``(f,)`` far; None where the sums are not finite."""

    def start(self, theta: Array, value: float) -> LineSearchState:
        """The state before derivatives were looked at; it has ended where there is no way to go."""
        ended = not self.free or not math.isfinite(value)
        box = np.array(self.boxes).T if self.boxes else None
        return LineSearchState(theta, value, ended=ended, is_minimum=ended and math.isfinite(value), box=box)

    def advance(self, state: LineSearchState, sums: ResidualSums | LikelihoodSums | float) -> LineSearchState:
        """The state after a look at its trial, for derivatives where it has no step, for a value where it has one."""
        if state.step is None:
            return self._begun(state, sums)
        if not isinstance(sums, float):
            raise TypeError("on its way a line search asks for values alone")
        if sums <= state.value - _LEAST_GAIN * state.share * state.promised and sums < state.value:
            taken = state.taken + 1
            return LineSearchState(state.trial, sums, taken=taken, ended=taken == _MOST_STEPS, box=state.box)
        share = state.share / 2
        if share < 0.5 ** (_MOST_HALVINGS - 1):
            return state.changed(ended=True, is_minimum=state.promised <= _NEARLY)
        return state.changed(share=share)

    def _begun(self, state: LineSearchState, sums: ResidualSums | LikelihoodSums | float) -> LineSearchState:
        """The state with a step, or at its end."""
        free = list(self.free)
        low, high = np.full((2, len(free)), [[-np.inf], [np.inf]])
        if state.box is not None:
            low, high = (state.box - state.theta)[:, free]
        direction = None if isinstance(sums, float) else self.direction(sums, low, high)
        if direction is None:
            return state.changed(ended=True)
        if direction.promised <= _ENOUGH:
            return state.changed(ended=True, is_minimum=True)
        step = np.zeros_like(state.theta)
        step[free] = direction.step
        return state.changed(step=step, promised=direction.promised)


@dataclass(frozen=True)
class NewtonSearch(LineSearch):
    """By Newton's steps with the exact Hessian; where it curves downwards, its eigenvalues' absolute values."""

    def direction(self, sums: ResidualSums | LikelihoodSums, low: Array, high: Array) -> Direction | None:
        """Newton's."""
        if not isinstance(sums, LikelihoodSums) or not sums.is_finite():
            return None
        gradient, curvature = sums.gradient[list(self.free)], sums.curvature[np.ix_(self.free, self.free)]
        step, decrease = ScaledCurvature.of(curvature).downhill(gradient)
        if not ((low <= step) & (step <= high)).all():
            step, decrease = NewtonStep(gradient, curvature).step_in_box(0.0, low, high)
        return Direction(step, decrease)


@dataclass(frozen=True)
class GaussNewtonSearch(LineSearch):
    """By Gauss-Newton steps on the triangular factor."""

    scale: float = 1.0  # what the residual's squared length is multiplied by

    def direction(self, sums: ResidualSums | LikelihoodSums, low: Array, high: Array) -> Direction | None:
        """Gauss's and Newton's."""
        if not isinstance(sums, ResidualSums) or not sums.is_finite():
            return None
        columns, target = sums.factor[:, list(self.free)], sums.factor[:, -1]
        step, decrease = ScaledColumns.of(columns).towards(target)
        if not ((low <= step) & (step <= high)).all():
            step = least_squares_in_box(columns, target, low, high)
            along = columns @ step
            decrease = float(2 * (target @ along) - along @ along)
        return Direction(step, self.scale * decrease)
