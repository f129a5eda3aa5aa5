"""Nonlinear least squares by damped Gauss-Newton steps: states and how one follows from another."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paramfit.errors import InputError
from paramfit.linalg.lapack import Array, unit_of
from paramfit.solvers.damping import DampedStep, gain_ratio, next_damping
from paramfit.solvers.equal_starts import moved_apart
from paramfit.solvers.gauss_newton_state import GaussNewtonState
from paramfit.solvers.kink import step_along_kink
from paramfit.solvers.loop import Start, solve
from paramfit.solvers.polishing import MOST_POLISHING_STEPS, Polishing, PolishingState
from paramfit.solvers.projection import Linearization, linearization, thrown_away, unprojected
from paramfit.solvers.second_search import damped_to_size, grows, settled
from paramfit.solvers.standing import Finding, Standing, divergent_parameter, least_relative_error
from paramfit.solvers.sums import Layout, ResidualSums

__all__ = ["GaussNewton"]

_EPS = float(np.finfo(np.float64).eps)
_ALMOST_EXACT = 1e-8  # of the target's length
_LEAST_GAIN = 1e-4
_MOST_DAMPING = 1e30
_SMALL = 1e-1  # a relative offset from which a polish is tried
_NEAR = 1e-4  # a relative offset below it is near enough to a minimum to be called one
_UNSEEN = 1e-12  # a promised decrease so small a part of the loss is lost in its rounding
_MOST_REFUSALS = 4
_NO_SLOPE = 1e-5  # of the residuals: a parameter whose own size changes predictions by less has no slope there
_NEAR_AT_KINK = 1e-3  # a relative offset of all sides' combination: the trials beyond are a little off the kink
_MOST_LINEAR = 1e280  # of a linear parameter, over the target's unit: what multiplies it has vanished
_NEAR_BY = 1e-6  # of a parameter's size: from so far away slopes change only across a kink
_LEAST_ALONG = 1e-9  # of the loss: a step along a kink that promises less is not looked for
_UNDETERMINED = 1e3  # of a parameter's size: what means something stays below 1, what ran off is above 2000
_MOST_POLISH = 0.5  # of a parameter's size in all steps of a polish
_ROUNDED = 1e-5  # below this relative offset the rounding of J^T e could be seen
_POLISHED = 1e-15  # of a standard error: a relative offset that needs no polish
_ENOUGH = 1e-12  # the same where there is more to win than the rounding of a fit that has converged


@dataclass(frozen=True)
class GaussNewton:
    """The method of Levenberg and Marquardt, without data and without parameters; see ``LevenbergMarquardt``."""

    damping: float = 1e-3  # lambda at the start, above 0, in units of the squared columns
    orthogonality: float = 1e-6  # converged, once the relative offset (Bates and Watts) is this small
    step_tolerance: float = 1e-14  # converged, once the undamped step is so small a part of each parameter
    cost_tolerance: float = 4 * _EPS  # converged, once residuals are so small a part of the target: the fit is exact

    def __post_init__(self) -> None:
        """Check the options."""
        for name in ("damping", "orthogonality", "step_tolerance", "cost_tolerance"):
            value = getattr(self, name)
            if not 0 < value < math.inf:
                raise InputError(f"{name}: expected a number above 0, but got {value}")

    def start(self, theta: Array) -> Start:
        """The state before anything has been looked at."""
        return Start(theta)

    # A trial may be anywhere, and is not taken where it is beyond the numbers.
    @np.errstate(over="ignore", invalid="ignore", divide="ignore")
    def advance(self, state: Start | GaussNewtonState, sums: ResidualSums) -> GaussNewtonState:
        """The state after judging a trial: it is taken where the loss falls by a part of what was promised.

        The sums are those of all rows at its trial. At the start they hold the target's length, or no fit is recognised
        as exact; where they are not finite there, that is an InputError. A state that has ended stays as it is.
        """
        unit = unit_of(sums.target) if isinstance(state, Start) else state.unit
        sums = sums.over(unit)
        point = _finite_point(sums)
        if isinstance(state, Start):
            if point is None:
                if sums.is_finite():
                    raise InputError(
                        "the prediction at the start is finite, but so large that the square of its residual overflows;"
                        " give starts nearer to the data, or bounds that keep the prediction in their range"
                    )
                raise InputError(
                    "the model is not finite at the start; give other starts, or bounds that keep it finite"
                )
            begun = _parted(self._begun(state.theta, sums, point, unit))
            return settled(begun) if begun.ended else begun
        if state.ended:
            return state
        after = self._moved_apart(state, sums, point) if state.apart is not None else self._judged(state, sums, point)
        return settled(after) if after.ended else after

    def _judged(self, state: GaussNewtonState, sums: ResidualSums, point: Linearization | None) -> GaussNewtonState:
        """The state after a trial."""
        before, (trial, promised) = state.steps.point.loss, state.proposal
        steps, layout = None, sums.layout
        if point is not None and len(state.layout.linear) < len(layout.linear):  # it has begun in all parameters
            point, layout = unprojected(sums, trial) if state.first is not None else _to_step_by(sums, trial, point)
        after = math.inf if point is None else point.loss
        gain = gain_ratio(before, after, promised)
        if promised <= _UNSEEN * before:
            # No loss is exact enough to show so small a decrease: the orthogonality is.
            accepted = point is not None and after <= before * (1 + 1e-9)
            if accepted and point is not None:
                steps = _steps_from(state, point, layout, trial)
                accepted = steps.offset < state.steps.offset or grows(state, trial)
            refusals = 0 if accepted else state.refusals + 1
        else:
            accepted = gain > _LEAST_GAIN
            refusals = 0
        damping, growth = next_damping(state.damping, state.growth, gain, accepted=accepted)
        judged: dict[str, Any] = {"damping": damping, "growth": growth, "refusals": refusals}
        if accepted and point is not None:
            theta = _with_linear(trial, layout, point)
            steps = steps or _steps_from(state, point, layout, theta)
            return self._reached(state.changed(layout=layout), theta, steps, **judged)
        if point is not None and after > before:
            # The last refusal is the nearest, but for one along a kink: that is seen from one more side of it.
            judged["sides"] = (*state.sides[: state.corners], point)
        refused, ended = state.changed(**judged), damping > _MOST_DAMPING or refusals >= _MOST_REFUSALS
        if state.along is not None:
            ended = refusals > 0 or promised <= _LEAST_ALONG * before
            if not ended:
                return refused.changed(along=state.along / 2, promised=promised / 2, damping=state.damping)
        return self._ended_at_rounding(refused) if ended else refused

    def _begun(
        self,
        start: Array,
        sums: ResidualSums,
        point: Linearization,
        unit: float,
        first: GaussNewtonState | None = None,
    ) -> GaussNewtonState:
        point, layout = _to_step_by(sums, start, point) if first is None else unprojected(sums, start)
        theta = _with_linear(start, layout, point)
        steps = DampedStep(point, None, _held(layout, theta, point))
        damping = self.damping
        if first is not None:
            damping = damped_to_size(steps, theta[layout.nonlinear_places], damping)
        linear = Standing(Finding.LINEAR)
        if math.sqrt(point.loss) <= self.cost_tolerance * sums.target:
            linear = Standing(Finding.EXACT, math.sqrt(point.loss) * unit)
        state = GaussNewtonState(theta, start.copy(), layout, steps, linear, sums.target, damping, unit, first=first)
        return self._reached(state, theta, steps) if layout.nonlinear else state

    def _moved_apart(
        self, state: GaussNewtonState, sums: ResidualSums, point: Linearization | None
    ) -> GaussNewtonState:
        """The state at a start whose equal components were moved apart; at the start itself where that cannot be."""
        if point is None or state.apart is None:
            return self._reached(state.changed(apart=None, alike=()), state.theta, state.steps)
        begun = self._begun(state.apart, sums, point, state.unit, state.first)
        return _parted(begun.changed(alike=state.alike, size_of_target=state.size_of_target))

    def _reached(self, state: GaussNewtonState, theta: Array, steps: DampedStep, **judged: Any) -> GaussNewtonState:
        """The state at a point that was just reached, with how the search stands there."""
        layout = state.layout
        standing = self.standing_at(steps, theta[layout.nonlinear_places], state.size_of_target)
        if standing.finding is Finding.EXACT:
            standing = standing.changed(value=standing.value * state.unit)
        if standing.places:
            standing = standing.changed(places=tuple(layout.nonlinear[number] for number in standing.places))
        if state.along is not None:
            judged["damping"] = self.damping
        judged["sides"] = (state.steps.point,) if _is_near_by(state, theta) else ()
        reached = state.changed(theta=theta, steps=steps, standing=standing, along=None, corners=0, **judged)
        away = _out_of_sight(reached) if standing.converged else None
        return reached if away is None else reached.changed(standing=away)

    def standing_at(self, steps: DampedStep, theta: Array, size_of_target: float) -> Standing:
        """Whether a point is a minimum, by orthogonality, by the step that is left, or by a loss that is rounding.

        ``theta`` are the nonlinear parameters, ``(m,)``; places of those without influence are numbers among them.
        """
        offset, residual = steps.offset, math.sqrt(max(steps.point.loss, 0.0))
        if residual <= self.cost_tolerance * size_of_target:
            return Standing(Finding.EXACT, residual)
        if offset <= self.orthogonality:
            lost = steps.lost
            if lost.any():
                return Standing(Finding.NO_INFLUENCE, offset, places=tuple(np.flatnonzero(lost).tolist()))
            return Standing(Finding.ORTHOGONAL, offset, self.orthogonality)
        if residual > _ALMOST_EXACT * size_of_target:
            return Standing(Finding.OFFSET_LEFT, offset)
        # Residuals that are little more than rounding hide the orthogonality; the step that is left does not mind.
        step, _ = steps.step(0.0)
        left = float((np.abs(step) / np.maximum(np.abs(theta), 1e-300)).max())
        if left <= self.step_tolerance:
            return Standing(Finding.STEP_SMALL, left, self.step_tolerance)
        return Standing(Finding.OFFSET_LEFT, offset)

    def _ended_at_rounding(self, state: GaussNewtonState) -> GaussNewtonState:
        residual, offset = abs(float(state.steps.point.factor[-1, -1])), state.steps.offset
        # Residuals that are all but rounding cannot be seen to be orthogonal to anything.
        near = max(_NEAR, 10 * _EPS * state.size_of_target / residual if residual > 0 else math.inf)
        standing = Standing(Finding.NO_DESCENT, offset, near)
        if offset <= near:
            exact = math.sqrt(state.steps.point.loss) <= _ALMOST_EXACT * state.size_of_target
            at_rounding = Standing(Finding.EXACT, residual * state.unit) if exact else None
            at_rounding = at_rounding or Standing(Finding.OFFSET_AT_ROUNDING, offset)
            return state.changed(standing=_out_of_sight(state) or at_rounding)
        away = _out_of_sight(state)
        flat = _is_flat(state, state.steps.point)
        if away is not None and away.finding is Finding.DIVERGENT:
            return state.changed(standing=away)
        if flat.any() and state.steps.changed(held=flat).offset <= near:
            places = tuple(state.layout.nonlinear[number] for number in np.flatnonzero(flat))
            return state.changed(standing=Standing(Finding.SINGULAR, offset, places=places))
        at_kink = self._at_kink(state) if state.sides else None
        if at_kink is not None:
            return at_kink
        return state.changed(standing=standing)

    def _at_kink(self, state: GaussNewtonState) -> GaussNewtonState | None:
        """The state at a kink of the loss: at its end on a minimum, or with a step along it; None where neither is."""
        sides, here = (state.steps.point, *state.sides), state.steps
        flat = np.all([_is_flat(state, side) for side in sides], axis=0)
        if flat.all():
            return None
        kink = step_along_kink(sides, flat if here.held is None else flat | here.held)
        if not kink.determined:
            return None
        is_open = state.along is None or (_is_further_side(state) and state.corners <= 2 * len(kink.step))
        if is_open and kink.promised > _LEAST_ALONG * here.point.loss:
            return state.changed(along=kink.step, promised=kink.promised, refusals=0, corners=len(state.sides))
        if kink.offset <= _NEAR_AT_KINK:
            return state.changed(standing=Standing(Finding.KINK, kink.offset, _NEAR_AT_KINK))
        return None

    def polished(self, state: GaussNewtonState, look: Callable[[PolishingState], Array]) -> GaussNewtonState:
        r"""The state with its last digits won, once the step that is left is small; see ``Polishing``.

        A state that is not near its end, has stalled, or is at a kink, where :math:`J^T e` is not 0, is left as it is.
        ``look`` gives :math:`J^T e` ``(p,)`` at a polish's trial, more exact than float64 sums do.
        """
        converged = state.standing.converged
        if state.apart is not None or state.standing.finding is Finding.KINK:
            return state
        if not (converged or (not state.ended and state.steps.offset <= _SMALL)):
            return state
        layout, point, places = state.layout, state.steps.point, state.free_places
        if not len(places):
            return state
        residual = abs(float(point.factor[-1, -1]))
        reach = np.full(layout.p, math.inf)
        reach[layout.nonlinear_places] = _MOST_POLISH * _sizes(state)
        if layout.boxes:
            lower, upper = layout.box
            reach = np.minimum(reach, np.minimum(state.theta - lower, upper - state.theta))
        enough = (_POLISHED if converged else _ENOUGH) * residual
        with np.errstate(over="ignore", invalid="ignore"):
            polishing = Polishing.near(state.theta, state.free_factor()[:-1, :-1], places, reach, enough, state.unit)
            if polishing is None:
                return state
            begun = polishing.begin(state.uphill if state.steps.offset > _ROUNDED else None)
            best, _ = solve(polishing, begun, look, MOST_POLISHING_STEPS)
        moved = state.changed(theta=best.theta)
        if converged:
            return moved
        offset = (
            best.left / math.sqrt(len(places)) / residual * math.sqrt(max(1, state.n - layout.p))
            if residual > 0
            else math.inf
        )
        if offset > self.orthogonality or (len(places) < layout.p and _leaves_bound(moved, look, best)):
            return state
        standing = _out_of_sight(moved) or Standing(Finding.ORTHOGONAL, offset, self.orthogonality)
        return settled(moved.changed(standing=standing))


def _is_flat(state: GaussNewtonState, point: Linearization) -> NDArray[np.bool_]:
    """Which nonlinear parameters change predictions by next to nothing when they change by their own size, ``(m,)``."""
    flat: NDArray[np.bool_] = point.unprojected * _sizes(state) <= _NO_SLOPE * math.sqrt(point.loss)
    return flat


def _is_further_side(state: GaussNewtonState) -> bool:
    """Whether the last refusal along a kink is on a side where, unlike on those before, the loss rises that way."""
    if len(state.sides) == state.corners or state.along is None:
        return False
    point = state.sides[-1]
    fall = float((point.curved[: len(point.slope)].T @ point.slope) @ state.along)
    return fall < state.promised / 2


def _finite_point(sums: ResidualSums) -> Linearization | None:
    """The problem as seen from where the rows were summed up; None where it is not finite."""
    if not sums.is_finite():
        return None
    point = linearization(sums)
    return point if math.isfinite(point.loss) and all(map(math.isfinite, point.curved_lengths.tolist())) else None


def _parted(begun: GaussNewtonState) -> GaussNewtonState:
    """The state at a start, which is to look at another where equal components have to be moved apart."""
    apart, alike = moved_apart(begun.layout, begun.steps.point, begun.start)
    if not alike or not begun.layout.nonlinear:
        return begun
    alike = tuple(sorted({*begun.alike, *alike}))
    return begun.changed(apart=apart, alike=alike, standing=Standing(Finding.OFFSET_LEFT, begun.steps.offset))


def _to_step_by(sums: ResidualSums, theta: Array, projected: Linearization) -> tuple[Linearization, Layout]:
    """The problem to step by: with the linear parameters solved for, unless that throws the start away.

    Where a linear parameter that has a value is solved to 0, since its column vanishes, or is held at a bound, and
    others lose their influence with it, the first steps are made in all parameters at once, if any leads away.
    """
    is_lost = bool(projected.held) and bool((projected.unprojected == 0).any())
    if is_lost or thrown_away(sums, theta):
        joint, layout = unprojected(sums, theta)
        if (joint.factor[:, :-1].T @ joint.factor[:, -1]).any():
            return joint, layout
    return projected, sums.layout


def _with_linear(theta: Array, layout: Layout, point: Linearization) -> Array:
    """A point with the exact values of the linear parameters there."""
    best = theta.copy()
    best[list(layout.linear)] = point.linear
    return best


def _steps_from(state: GaussNewtonState, point: Linearization, layout: Layout, theta: Array) -> DampedStep:
    earlier = state.steps.largest if len(layout.nonlinear) == len(state.layout.nonlinear) else None
    return DampedStep(point, earlier, _held(layout, theta, point))


def _held(layout: Layout, theta: Array, point: Linearization) -> NDArray[np.bool_] | None:
    """Which nonlinear parameters are on a bound, and want beyond."""
    if not layout.boxes:
        return None
    places = layout.nonlinear_places
    (lower, upper), here = layout.box[:, places], theta[places]
    uphill = point.factor[:, point.q : -1].T @ point.factor[:, -1]  # where the step of each alone would go
    outward: NDArray[np.bool_] = (here <= lower) & (uphill < 0) | (here >= upper) & (uphill > 0)
    return outward


def _leaves_bound(moved: GaussNewtonState, look: Callable[[PolishingState], Array], best: PolishingState) -> bool:
    """Whether a parameter that a polish held at its bound would leave it from where the others went."""
    uphill, (lower, upper) = look(best.changed(trial=best.theta)), moved.layout.box
    return bool(((moved.theta <= lower) & (uphill > 0) | (moved.theta >= upper) & (uphill < 0)).any())


def _out_of_sight(state: GaussNewtonState) -> Standing | None:
    """Why nothing holds the parameters where the slope is 0; None where the observations do."""
    point = state.steps.point
    endless = [k for k, value in enumerate(point.linear.tolist()) if abs(value) > _MOST_LINEAR]
    if endless:
        return Standing(Finding.DIVERGENT, places=(state.layout.linear[endless[0]],))
    places, factor = state.free_places[point.q :], state.free_factor()  # those at a bound are reported by name
    if not len(places):
        return None
    values, starts = state.theta[places], state.start[places]
    away = divergent_parameter(factor, point.n, values, starts)
    if away is not None:
        return Standing(Finding.DIVERGENT, places=(int(places[away]),))
    error = least_relative_error(factor, point.n, values, starts)
    return None if error <= _UNDETERMINED else Standing(Finding.UNDETERMINED, error)


def _is_near_by(state: GaussNewtonState, theta: Array) -> bool:
    """Whether no nonlinear parameter has moved by more than a millionth of its size."""
    here, start = state.theta.tolist(), state.start.tolist()
    return all(
        abs(value - here[k]) <= _NEAR_BY * (max(abs(here[k]), abs(start[k])) or 1.0)
        for k, value in enumerate(theta.tolist())
        if k not in state.layout.linear
    )


def _sizes(state: GaussNewtonState) -> Array:
    """How large each nonlinear parameter is, or was at the start, ``(m,)``; 1 where both are 0."""
    places = state.layout.nonlinear_places
    size = np.maximum(np.abs(state.theta[places]), np.abs(state.start[places]))
    return np.where(size > 0, size, 1.0)
