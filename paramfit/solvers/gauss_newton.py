"""Nonlinear least squares by damped Gauss-Newton steps: states and how one follows from another."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from paramfit.errors import InputError
from paramfit.linalg.lapack import Array, lengths, triangle, unit_of
from paramfit.linalg.unit_free import ScaledColumns
from paramfit.solvers.damping import DampedStep, gain_ratio, next_damping
from paramfit.solvers.equal_starts import moved_apart
from paramfit.solvers.loop import Start, solve
from paramfit.solvers.polishing import MOST_POLISHING_STEPS, Polishing, PolishingState
from paramfit.solvers.projection import Linearization, linearization, thrown_away, unprojected
from paramfit.solvers.standing import Finding, Standing, divergent_parameter, least_relative_error
from paramfit.solvers.sums import Layout, ResidualSums
from paramfit.solvers.value import Value

__all__ = ["GaussNewton", "GaussNewtonState"]

_EPS = float(np.finfo(np.float64).eps)
_ALMOST_EXACT = 1e-8  # of the target's length
_LEAST_GAIN = 1e-4
_MOST_DAMPING = 1e30
_SMALL = 1e-1  # a relative offset from which a polish is tried
_NEAR = 1e-4  # a relative offset below it is near enough to a minimum to be called one
_UNSEEN = 1e-12  # a promised decrease so small a part of the loss is lost in its rounding
_MOST_REFUSALS = 4
_NO_SLOPE = 1e-5  # of the residuals: a parameter whose own size changes predictions by less has no slope there
_NEAR_AT_KINK = 1e-3  # a relative offset of both sides' combination: the trial beyond is a little off the kink
_MOST_LINEAR = 1e280  # of a linear parameter, over the target's unit: what multiplies it has vanished
_NEAR_BY = 1e-6  # of a parameter's size: from so far away slopes change only across a kink
_LEAST_ALONG = 1e-9  # of the loss: a step along a kink that promises less is not looked for
_UNDETERMINED = 1e3  # of a parameter's size: what means something stays below 1, what ran off is above 2000
_MOST_POLISH = 0.5  # of a parameter's size in all steps of a polish
_ROUNDED = 1e-5  # below this relative offset the rounding of J^T e could be seen
_DETERMINED = 1e-4  # of the strongest direction: of a weaker one a difference of slopes may be rounding
_MOST_GROWTH = 9.0  # of a parameter's size, in one step of a second search
_NEXT_TO_ZERO = 1e-8  # as what a start of 0 counts there, if no other is smaller
_STILL_NEXT_TO_ZERO = 1e-4  # below it a parameter may grow without a gain that could be seen
_POLISHED = 1e-15  # of a standard error: a relative offset that needs no polish
_ENOUGH = 1e-12  # the same where there is more to win than the rounding of a fit that has converged


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
    beyond: Linearization | None = None  # the problem as seen from the last other point near by
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

    @cached_property
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
            reach = _MOST_GROWTH * np.maximum(np.abs(here), self.least_start)
            lower, upper = np.maximum(lower, here - reach), np.minimum(upper, here + reach)
        step, promised = self.steps.step_in_box(self.damping, lower - here, upper - here)
        # To the last digit: what has gone all the way to a bound is the bound.
        reached = np.where(step <= lower - here, lower, np.where(step >= upper - here, upper, here + step))
        trial[places] = np.clip(reached, lower, upper)
        return trial, promised

    @cached_property
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
    def _whole(self) -> Array:
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
        p, factor = self.layout.p, self._whole
        ordered = np.empty(p)
        ordered[self.layout.order] = factor[:, :p].T @ factor[:, p]
        return ordered

    def factor(self) -> Array:
        """Triangular factor of ``[J, e]`` at the best point, ``(p + 1, p + 1)``; not after a polish."""
        p, factor = self.layout.p, self._whole
        columns = np.empty_like(factor)
        columns[:, self.layout.order] = factor[:, :p]
        columns[:, p] = factor[:, p]
        return triangle(columns) * self.unit


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
            return _settled(begun) if begun.ended else begun
        if state.ended:
            return state
        after = self._moved_apart(state, sums, point) if state.apart is not None else self._judged(state, sums, point)
        return _settled(after) if after.ended else after

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
                accepted = steps.offset < state.steps.offset or _grows(state, trial)
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
            judged["beyond"] = point
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
            damping = _damped_to_size(steps, theta[layout.nonlinear_places], damping)
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
        moved = np.abs(theta - state.theta)[layout.nonlinear_places]
        beyond = state.steps.point if (moved <= _NEAR_BY * _sizes(state)).all() else None
        reached = state.changed(theta=theta, steps=steps, standing=standing, beyond=beyond, along=None, **judged)
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
        flat = state.steps.point.unprojected * _sizes(state) <= _NO_SLOPE * math.sqrt(state.steps.point.loss)
        if away is not None and away.finding is Finding.DIVERGENT:
            return state.changed(standing=away)
        if flat.any() and state.steps.changed(held=flat).offset <= near:
            places = tuple(state.layout.nonlinear[number] for number in np.flatnonzero(flat))
            return state.changed(standing=Standing(Finding.SINGULAR, offset, places=places))
        if state.beyond is not None and _is_determined(state):
            along, promised, offset = state.steps.along_kink(state.beyond)
            if offset <= _NEAR_AT_KINK:
                return state.changed(standing=Standing(Finding.KINK, offset, _NEAR_AT_KINK))
            if state.along is None and promised > _LEAST_ALONG * state.steps.point.loss:
                return state.changed(along=along, promised=promised, refusals=0)
        return state.changed(standing=standing)

    def polished(self, state: GaussNewtonState, look: Callable[[PolishingState], Array]) -> GaussNewtonState:
        r"""The state with its last digits won, once the step that is left is small; see ``Polishing``.

        A state that is not near its end, or has stalled, is left as it is. ``look`` gives :math:`J^T e` ``(p,)`` at a
        polish's trial, more exact than float64 sums do.
        """
        converged = state.standing.converged
        if state.apart is not None or not (converged or (not state.ended and state.steps.offset <= _SMALL)):
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
        return _settled(moved.changed(standing=standing))


def _settled(state: GaussNewtonState) -> GaussNewtonState:
    """The end of a search, or the beginning of a second one where it may have gone astray, or the better of both.

    From starts next to 0 a first step of Gauss and Newton's is far too long, and where the columns of linear parameters
    all but vanish, or become alike, what is solved for is rounding. The second search goes from the same start in all
    parameters at once, each of which grows by at most a power of ten in a step, so that factors that are both next to 0
    come up together.
    """
    first = state.first
    if first is None:
        if not _is_doubtful(state):
            return state
        return state.changed(first=state, apart=state.start, standing=Standing(Finding.OFFSET_LEFT, state.steps.offset))
    gained = first.steps.point.loss - state.steps.point.loss
    least = _LEAST_ALONG * first.steps.point.loss
    if gained > least or (gained >= -least and state.standing.converged and not first.standing.converged):
        return _at_bounds(state.changed(first=None))
    return _at_bounds(first)


def _at_bounds(state: GaussNewtonState) -> GaussNewtonState:
    """An end at which some parameters have no influence is a minimum where others are held at their bounds.

    With a strict slope towards a bound there is none inwards near by, whatever the values of those are: a rate whose
    amplitude is 0 and wants below.
    """
    layout, theta = state.layout, state.theta
    if state.standing.finding is not Finding.NO_INFLUENCE or not layout.boxes:
        return state
    uphill, (lower, upper) = state.uphill, layout.box
    size = lengths(state._whole)
    columns = np.empty(layout.p)
    columns[layout.order] = size[:-1]
    held = (theta <= lower) & (uphill < 0) | (theta >= upper) & (uphill > 0)
    strict = held & (np.abs(uphill) > _NEAR * columns * size[-1])
    if not strict.any() or (columns[list(layout.linear)] == 0).any():
        return state
    return state.changed(standing=state.standing.changed(finding=Finding.SINGULAR))


def _is_doubtful(state: GaussNewtonState) -> bool:
    """Whether an end may be one by the way that led there: a stall, or an optimum with parameters without slope."""
    finding, point = state.standing.finding, state.steps.point
    if finding in (Finding.LINEAR, Finding.EXACT):
        return False
    hidden = (point.curved_lengths == 0) & (point.unprojected > 0)
    return state.standing.stalled or finding is Finding.SINGULAR or bool(hidden.any())


def _is_determined(state: GaussNewtonState) -> bool:
    """Whether slopes are more than rounding in every direction, so that their change means something."""
    singular = ScaledColumns.of(state.free_factor()[:-1, :-1]).singular
    return bool(singular[-1] > _DETERMINED * singular[0])


def _grows(state: GaussNewtonState, trial: Array) -> bool:
    """Whether a parameter of a second search grows from next to 0 as fast as it may."""
    before = np.maximum(np.abs(state.theta), state.least_start)
    grown = np.abs(trial - state.theta) > _MOST_GROWTH / 2 * before
    return state.first is not None and bool((grown & (before < _STILL_NEXT_TO_ZERO)).any())


def _damped_to_size(steps: DampedStep, theta: Array, damping: float) -> float:
    """The damping by which the first step is no longer than the start is large, in the metric of the steps.

    References:
        Jorge More: The Levenberg-Marquardt Algorithm: Implementation and Theory (1978), section 5.
    """
    size = float(lengths((steps.size * theta)[:, None])[0])
    while size > 0 and damping < _MOST_DAMPING and lengths((steps.size * steps.step(damping)[0])[:, None])[0] > size:
        damping *= 10
    return damping


def _finite_point(sums: ResidualSums) -> Linearization | None:
    """The problem as seen from where the rows were summed up; None where it is not finite."""
    if not sums.is_finite():
        return None
    with np.errstate(over="ignore", invalid="ignore"):  # a trial may be anywhere
        point = linearization(sums)
        return point if math.isfinite(point.loss) and np.isfinite(point.curved_lengths).all() else None


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
    endless = np.flatnonzero(np.abs(point.linear) > _MOST_LINEAR)
    if len(endless):
        return Standing(Finding.DIVERGENT, places=(int(state.layout.linear[endless[0]]),))
    places, factor = state.free_places[point.q :], state.free_factor()  # those at a bound are reported by name
    if not len(places):
        return None
    values, starts = state.theta[places], state.start[places]
    away = divergent_parameter(factor, point.n, values, starts)
    if away is not None:
        return Standing(Finding.DIVERGENT, places=(int(places[away]),))
    error = least_relative_error(factor, point.n, values, starts)
    return None if error <= _UNDETERMINED else Standing(Finding.UNDETERMINED, error)


def _sizes(state: GaussNewtonState) -> Array:
    """How large each nonlinear parameter is, or was at the start, ``(m,)``; 1 where both are 0."""
    places = state.layout.nonlinear_places
    size = np.maximum(np.abs(state.theta[places]), np.abs(state.start[places]))
    return np.where(size > 0, size, 1.0)
