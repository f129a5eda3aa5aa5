"""Maximum likelihood by damped steps of Newton's method or Fisher scoring: states and how one follows from another."""

import math
from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from paramfit.errors import InputError
from paramfit.linalg.lapack import Array
from paramfit.solvers.damping import gain_ratio
from paramfit.solvers.interior_point import Ending, InteriorPoint, InteriorState
from paramfit.solvers.kinked_likelihood import KinkWalk, LikelihoodKink, LikelihoodSide
from paramfit.solvers.loop import Start
from paramfit.solvers.newton_step import NewtonStep
from paramfit.solvers.standing import Finding, Standing
from paramfit.solvers.sums import LikelihoodSums
from paramfit.solvers.value import Value, derived

__all__ = ["NewtonRaphson", "NewtonState"]

_LEAST_GAIN = 1e-4
_TRUSTED = 0.5  # a gain from which the quadratic model is believed
_SHORTEST, _LONGEST = 0.1, 0.5  # part of a step that failed
_MOST_STRETCH = 2.0  # of an unconstrained number in one step: a bounded value changes by a factor of 7 at most
_MOST_DAMPING = 1e16
_LEAST_DAMPING = 1e-10
_UNDAMPED = 1e-14  # below the weakest curvature that is no rounding
_HELD_BACK = 10.0  # times what a damped step promises, an undamped one does
_NEAR = 1e-3  # of a standard error: near enough to be called a minimum where rounding ends the descent
_NEAR_AT_KINK = 1e-3  # the same of all sides' combination
_LEAST_ALONG = 1e-9  # of the loss, or of 1: a step along a kink that promises less is not looked for
_UNSEEN = 1e-13  # a promised decrease so small a part of the loss, or of 1, is lost in its rounding, or means nothing
_LOST = 1e-6  # of the sharpest curvature that a parameter has had: the loss hardly depends on it any more
_NEARER = 0.9  # times the last distance, a step that no loss can tell of has to be: beside a kink it never ends to fall
_MOST_CREEPING = 5  # steps in a row that won nothing of what they promised: a kink
_CLOSE = 0.5  # standard errors from the minimum: the Hessian can be trusted
_CRAWLING = 0.03  # of the last distance is left after a step
_UNKNOWN = 1e4  # times the way it went: so large an error
_FAR = 10.0  # times its smallest error: so far it went
_GROWN = 2.0  # of a logarithm: sevenfold
_ENDLESS = 30.0  # a logarithm with so large an error: from there the loss changes by less than 1e-3 up to infinity
_WORSE = 3.0  # times the error at the start: a parameter too many has had it there, too
_ASTRAY = 5.0  # standard errors of all others from where they would settle: a bad start has led them there
_MOST_OUTSIDE = (
    4  # trials outside the domain: an overshoot or two are nothing, but a maximum on the edge calls for more
)
_MOST_SEARCHES = 3  # from the inside
_STRAIGHT = 1.9  # times what was promised: 2 where the loss does not bend at all
_SHARPENED = 10.0  # times the information before a step: it has no end where an edge draws near
_BEYOND = 10.0  # of a logarithm: so far out what curves down is rounding
_ALL_THE_WAY = 0.999  # to a bound: ten times what the first damping leaves of a step
_NEWTONS = 0.3  # of the last distance: quadratic convergence leaves less, a way without end exp(-1/2) = 0.61
_FIRST_DOUBTS = 3  # steps in a row that left more
_MANY = 16  # looks, after which, and after twice as many, it is asked why there is no end


@dataclass(frozen=True, eq=False)
class NewtonState(Value):
    """What is known after a step."""

    theta: Array  # the best point so far, (p,)
    start: Array  # where the fit began, (p,)
    sums: LikelihoodSums  # at the best point
    sharpest: Array  # the largest curvature that each parameter has had, (p,)
    first_errors: Array  # standard errors at the start, (p,)
    standing: Standing  # how the search stands
    expected: bool  # whether the expected information is wanted at the next trial, where it is known
    damping: float  # lambda of the next step
    distance: float  # from the minimum, in standard errors
    switched: bool = False  # whether the Hessian has taken over once
    creeping: int = 0  # steps in a row that won nothing of what they promised
    undamped: bool = False  # whether a step without damping was tried where no loss could tell
    looks: int = 0  # how many were made
    lingering: int = 0  # steps in a row, near the minimum, that left much of the way to it
    recession: Array | None = None  # a direction along which the likelihood rises without end, (p,), once it is known
    outside: int = 0  # trials outside what the distribution allows
    searches: int = 0  # from the inside, so far
    interior: InteriorState | None = None  # the one that goes on, or has found the edge
    kink: KinkWalk = field(default_factory=KinkWalk)  # what was seen of one that the best point is at

    @property
    def at_edge(self) -> bool:
        """Whether the best point is on the edge of what the distribution allows."""
        return self.interior is not None and self.interior.ending is Ending.ON_EDGE

    @property
    def slacks(self) -> bool:
        """Whether the room of the distribution's arguments is wanted at the next trial."""
        return self.interior is not None and self.interior.slacks

    @property
    def best(self) -> "NewtonState":
        """Where the parameters are."""
        return self

    @property
    def ended(self) -> bool:
        """Whether another step would change nothing."""
        return self.standing.ended

    @property
    def loss(self) -> float:
        """The summed loss at the best point."""
        return self.sums.loss

    @property
    def is_doubtful(self) -> bool:
        """Whether there may be no minimum: each step leaves as much to do as the one before; ever more seldom."""
        if self.recession is not None or self.standing.finding is Finding.UNBOUNDED:
            return False
        if self.interior is not None:
            return self.interior.begins_weight
        if self.ended:
            return self.standing.stalled or bool(self.divergent())
        return _is_power_of_two(self.lingering / _FIRST_DOUBTS) or (
            self.looks >= _MANY and _is_power_of_two(self.looks / _MANY)
        )

    @derived
    def steps(self) -> NewtonStep:
        """Steps from the best point, in which a parameter that has lost its influence is the first to be damped."""
        return NewtonStep(self.sums.gradient, self.sums.curvature, np.sqrt(_LOST * self.sharpest))

    @derived
    def proposal(self) -> tuple[Array, float]:
        """The next trial ``(p,)``, and the decrease of the loss that the quadratic model promises there."""
        if self.kink.along is not None:
            trial = self.theta + self.kink.along
            return np.clip(trial, *np.array(self.sums.boxes).T) if self.sums.boxes else trial, self.kink.promised
        step, promised = self.steps.step(self.damping)
        share = 1.0
        if self.sums.bounded:
            far = float(np.abs(step[list(self.sums.bounded)]).max())
            if far > _MOST_STRETCH:
                share = _MOST_STRETCH / far
                step, promised = self.steps.step(self.damping, share)
        if not self.sums.boxes:
            return self.theta + step, promised
        lower, upper = np.array(self.sums.boxes).T
        low, high = lower - self.theta, upper - self.theta
        step, promised = self.steps.step_in_box(self.damping, low, high, share)
        # To the last digit: what damping alone keeps from a bound is the bound.
        reached = np.where(
            step <= _ALL_THE_WAY * low, lower, np.where(step >= _ALL_THE_WAY * high, upper, self.theta + step)
        )
        return np.clip(reached, lower, upper), promised

    @property
    def trial(self) -> Array:
        """Where to look next, ``(p,)``; the best point at the end."""
        if self.interior is not None and not self.ended:
            return self.interior.trial
        return self.theta if self.ended else self.proposal[0]

    def divergent(self, logarithms: Collection[int] = ()) -> list[int]:
        """Elements of theta that have run off to where the loss does not depend on them, the farthest first.

        Where all failures lie on one side, a logistic curve becomes a step and its slope grows without end: the step
        that is left is a small part of the standard error only because that error grows faster still.

        Where counts vary no more than Poisson's do, the number of failures of a negative binomial grows without end,
        and its probability falls with it: each alone is well determined, if the other is. So a logarithm has also run
        off where it has grown, its error, all others being unknown, is far larger than it was at the start, and all
        others are settled. ``logarithms`` are the elements that stand for what has a bound on one side alone, or that
        value itself where it has a box.
        """
        curved = np.abs(self.sums.curvature.diagonal())
        moved = np.abs(self.theta - self.start)
        # Errors are those of one parameter where all others are given: the least there are.
        # Roots, since the square of what has run off may be beyond all numbers.
        lost = (curved < _LOST * self.sharpest) & (np.sqrt(curved) * (_UNKNOWN * moved) < 1)
        lost &= np.sqrt(self.sharpest) * moved > _FAR
        for k in logarithms:
            lost[k] = self._is_endless(k)
        return sorted(np.flatnonzero(lost).tolist(), key=lambda k: -moved[k])

    def _is_endless(self, place: int) -> bool:
        """Whether a logarithm, or that of the way from a value's one bound, has grown to where nothing holds it."""
        steps, grown = NewtonStep(self.sums.gradient, self.sums.curvature), self.theta[place] - self.start[place]
        error, first_error = steps.errors[place], self.first_errors[place]
        ends = [end for end in (self.sums.boxes[place] if self.sums.boxes else ()) if math.isfinite(end)]
        if ends:
            way, first = abs(self.theta[place] - ends[0]), abs(self.start[place] - ends[0])
            if not (way > 0 and first > 0):
                return False
            error, first_error, grown = error / way, first_error / first, math.log(way) - math.log(first)
        lost = error > max(_ENDLESS, _WORSE * first_error)
        beyond = grown > _BEYOND and self.standing.stalled and math.isinf(steps.distance)
        return bool(beyond or (grown > _GROWN and lost)) and self._others_are_settled(place)

    def _others_are_settled(self, place: int) -> bool:
        """Whether all others are near their minimum, were this one held: not where a bad start has led astray."""
        others = np.delete(np.arange(len(self.sums.gradient)), place)
        if not len(others):
            return True
        steps = NewtonStep(self.sums.gradient[others], self.sums.curvature[np.ix_(others, others)])
        return steps.distance < _ASTRAY


@dataclass(frozen=True)
class NewtonRaphson:
    """Newton's method and Fisher scoring, without data and without parameters; see ``Newton``."""

    expected: bool = True  # whether the expected information stands for the Hessian, where it has a closed form
    damping: float = 1e-4  # lambda at the start, above 0, in units of the largest curvature
    tolerance: float = 1e-8  # converged, once the step that is left is so small a part of the standard errors

    def __post_init__(self) -> None:
        """Check the options."""
        if not 0 < self.damping < math.inf:
            raise InputError(f"damping: expected a number above 0, but got {self.damping}")
        if not 0 < self.tolerance < 1:
            raise InputError(
                f"tolerance: expected a part of a standard error, between 0 and 1, but got {self.tolerance}"
            )

    def start(self, theta: Array) -> Start:
        """The state before anything has been looked at."""
        return Start(theta, self.expected)

    # A trial may be anywhere, and is not taken where it is beyond the numbers.
    @np.errstate(over="ignore", invalid="ignore", divide="ignore")
    def advance(self, state: Start | NewtonState, sums: LikelihoodSums) -> NewtonState:
        """The state after judging a trial: it is taken where the loss falls by a part of what was promised.

        The sums are those of all rows at its trial; where they are not finite at the start, that is an InputError. A
        state that has ended stays as it is.
        """
        finite = sums.is_finite()
        if isinstance(state, Start):
            if not finite:
                raise InputError("the likelihood is not finite at the start; give other starts")
            return self._begun(state.theta, sums)
        if state.ended:
            return state
        if state.interior is not None:
            return self._from_inside(state, state.interior, sums)
        state = state.changed(looks=state.looks + 1)
        trial, promised = state.proposal
        after = sums.loss if finite else math.inf
        gain = gain_ratio(state.loss, after, promised)
        least = _UNSEEN * max(1.0, abs(state.loss))
        unseen = abs(promised) <= least
        accepted = finite and _distance(sums, trial) < _NEARER * state.distance if unseen else gain > _LEAST_GAIN
        if not accepted and finite:
            state = state.changed(kink=state.kink.seen_from(LikelihoodSide(trial, sums)))
        if state.kink.along is not None and not accepted:
            return self._refused_along_kink(state, least)
        undamped = unseen and not state.undamped and _holds_back(state)
        if accepted and not unseen and gain > _STRAIGHT and _nears_edge(state, sums, trial):
            return self._turned_inside(state, rescaled=True)
        if accepted:
            creeps = state.loss - sums.loss <= least and not unseen
            creeping = state.creeping + 1 if creeps else 0
            # Full steps once they are trusted: that is what makes the convergence quadratic.
            damping = max(_LEAST_DAMPING, state.damping / (100 if gain > _TRUSTED else 3))
            if undamped:
                damping = _UNDAMPED
            taken = self._taken(state, trial, sums).changed(damping=damping, creeping=creeping, undamped=undamped)
            return self._at_rounding(taken) if creeping >= _MOST_CREEPING and not taken.ended else taken
        if sums.outside and state.distance > _NEAR:
            state = state.changed(outside=state.outside + 1)
        elif undamped:
            return state.changed(damping=_UNDAMPED, undamped=True)
        ends = unseen or state.damping > _MOST_DAMPING
        if ends and (at_kink := self._at_kink(state)) is not None:
            return at_kink
        if state.outside >= (1 if ends else _MOST_OUTSIDE) and state.searches < _MOST_SEARCHES:
            return self._turned_inside(state)
        if ends:
            return self._at_rounding(state)
        shorter = state.steps.shortening(state.damping, _share_by_loss(after - state.loss, promised))
        state = state.changed(damping=shorter)
        if not finite or state.looks < _MANY:
            return state
        tried = state.kink.tried_from(LikelihoodSide(state.theta, state.sums))
        return state if tried is None else state.changed(kink=tried)

    def _at_rounding(self, state: NewtonState) -> NewtonState:
        """The state where no step lowers the loss any more: at its end, or at a kink with a step along it."""
        at_kink = self._at_kink(state)
        return _ended_at_rounding(state) if at_kink is None else at_kink

    def _at_kink(self, state: NewtonState) -> NewtonState | None:
        """The state at a kink of the loss: at its end on a minimum, or with a step along it; None where neither is."""
        here, walk = LikelihoodSide(state.theta, state.sums), state.kink
        if not (_ended_at_rounding(state).standing.stalled and walk.sides):
            return None
        kink = LikelihoodKink.between(here, walk.sides, _held(state.sums, state.theta))
        if kink is None:
            return None
        is_open = walk.along is None or (walk.is_further_side and walk.corners <= 2 * len(kink.step))
        if is_open and kink.promised > _LEAST_ALONG * max(1.0, abs(state.loss)):
            return state.changed(kink=KinkWalk(walk.sides, len(walk.sides), kink.step, kink.promised))
        if kink.is_convex and kink.distance <= _NEAR_AT_KINK:
            return state.changed(standing=Standing(Finding.KINK, kink.distance, _NEAR_AT_KINK))
        return None

    def _refused_along_kink(self, state: NewtonState, least: float) -> NewtonState:
        """The state after a trial along a kink that was not taken: half as far, or at its end."""
        walk = state.kink
        if walk.tentative:
            return state.changed(kink=KinkWalk(walk.sides))
        if walk.along is None or walk.promised <= max(least, _LEAST_ALONG * max(1.0, abs(state.loss))):
            return self._at_rounding(state)
        return state.changed(kink=walk.changed(along=walk.along / 2, promised=walk.promised / 2))

    def beyond(self, state: NewtonState, theta: Array, sums: LikelihoodSums, recession: Array) -> NewtonState:
        """The state far along a direction in which the likelihood rises without end: all others settle there."""
        return self._taken(state, theta, sums).changed(recession=recession, damping=_LEAST_DAMPING)

    def moved(self, state: NewtonState, theta: Array, sums: LikelihoodSums) -> NewtonState:
        """The state at a better point, however it was reached."""
        return self._taken(state, theta, sums)

    def without_minimum(
        self, state: NewtonState, finding: Finding = Finding.NO_MINIMUM, recession: Array | None = None
    ) -> NewtonState:
        """The end where no step is of use, since the likelihood rises without end."""
        return state.changed(standing=Standing(finding, state.distance), recession=recession)

    def _turned_inside(self, state: NewtonState, *, rescaled: bool = False) -> NewtonState:
        """The state of a search whose way is barred by the edge of what the distribution allows.

        It is ``rescaled`` where the information has grown with nearness to the edge and no longer tells an error.
        """
        errors = 1 / np.sqrt(np.where(state.sharpest > 0, state.sharpest, 1.0))
        interior = InteriorPoint().start(state.theta, None if rescaled else errors, tuple(range(len(state.theta))))
        return state.changed(interior=interior, expected=False, searches=state.searches + 1)

    def _from_inside(self, state: NewtonState, interior: InteriorState, sums: LikelihoodSums) -> NewtonState:
        """The state after a look at a trial of the search from the inside."""
        after = InteriorPoint().advance(interior, sums)
        if after.ending is Ending.NOT_BEGUN or after.sums is None:
            return _ended_at_rounding(state.changed(interior=None))
        reached = state.changed(interior=after, theta=after.theta, sums=after.sums)
        if after.ending is Ending.INSIDE:
            distance = _distance(after.sums, after.theta)
            standing = self._standing(distance)
            return reached.changed(
                interior=None, outside=0, damping=self.damping, distance=distance, standing=standing, switched=True
            )
        if after.ending is Ending.ENDLESS:
            return reached.changed(standing=Standing(Finding.ENDLESS_AT_EDGE))
        if after.ending is Ending.ON_EDGE:
            distance = after.distance_along_edge
            finding = Finding.ON_EDGE if distance <= _NEAR else Finding.NO_MINIMUM
            return reached.changed(distance=distance, standing=Standing(finding, distance))
        return reached.changed(distance=after.decrement, standing=Standing(Finding.DISTANCE_LEFT, after.decrement))

    def _begun(self, theta: Array, sums: LikelihoodSums) -> NewtonState:
        errors, distance = NewtonStep(sums.gradient, sums.curvature).errors, _distance(sums, theta)
        sharpest, standing = np.abs(sums.curvature.diagonal()), self._standing(distance)
        return NewtonState(
            theta.copy(), theta.copy(), sums, sharpest, errors, standing, self.expected, self.damping, distance
        )

    def _taken(self, state: NewtonState, trial: Array, sums: LikelihoodSums) -> NewtonState:
        """The state at a trial that was taken, with how the search stands there."""
        distance = _distance(sums, trial)
        expected, switched = state.expected, state.switched
        # The Hessian where scoring crawls near the end, and scoring again where the Hessian is no help.
        if expected and not switched and distance < _CLOSE and distance > _CRAWLING * state.distance:
            expected, switched = False, True
        elif switched and not expected and math.isinf(distance):
            expected = True
        lingers = _NEWTONS * state.distance < distance < 1
        sharpest = np.maximum(state.sharpest, np.abs(sums.curvature.diagonal()))
        reached = state.changed(theta=trial, sums=sums, sharpest=sharpest, standing=self._standing(distance))
        is_close = state.kink.tentative and not state.kink.is_close
        reached = reached.changed(kink=KinkWalk((LikelihoodSide(state.theta, state.sums),), is_close=is_close))
        lingering = state.lingering + 1 if lingers else 0
        return reached.changed(expected=expected, distance=distance, switched=switched, lingering=lingering)

    def _standing(self, distance: float) -> Standing:
        if distance <= self.tolerance:
            return Standing(Finding.DISTANCE_SMALL, distance, self.tolerance)
        return Standing(Finding.DISTANCE_LEFT, distance)


def _holds_back(state: NewtonState) -> bool:
    """Whether damping is all that keeps a step from being seen, as along curvature much weaker than the strongest."""
    promised = state.steps.step(_UNDAMPED)[1]
    return promised > _HELD_BACK * state.steps.step(state.damping)[1]


def _nears_edge(state: NewtonState, sums: LikelihoodSums, trial: Array) -> bool:
    """Whether steps end by the expected information alone, while the loss falls straight on.

    Of n successes in n trials the loss is near n (1 - p), a straight line that ends at p = 1, and the expected
    information n / (p (1 - p)): each step goes the rest of the way but never arrives. On a bound of its own a parameter
    has arrived.
    """
    if not state.expected or state.searches == _MOST_SEARCHES or not 0 < _distance(sums, trial) < _CLOSE:
        return False
    return bool((sums.curvature.diagonal() > _SHARPENED * state.sums.curvature.diagonal()).any())


def _is_power_of_two(count: float) -> bool:
    """Whether it is 1, 2, 4, ..."""
    return count >= 1 and math.frexp(count)[0] == 0.5


def _distance(sums: LikelihoodSums, theta: Array) -> float:
    """How far the minimum is in standard errors, with those held that are on a bound and want beyond."""
    if not sums.boxes:
        return NewtonStep(sums.gradient, sums.curvature).distance
    held = _held(sums, theta)
    if held.all():
        return 0.0
    return NewtonStep(sums.gradient[~held], sums.curvature[np.ix_(~held, ~held)]).distance


def _held(sums: LikelihoodSums, theta: Array) -> NDArray[np.bool_]:
    """Which parameters are on a bound and want beyond, ``(p,)``."""
    if not sums.boxes:
        return np.zeros(len(theta), dtype=bool)
    lower, upper = np.array(sums.boxes).T
    held: NDArray[np.bool_] = (theta <= lower) & (sums.gradient > 0) | (theta >= upper) & (sums.gradient < 0)
    return held


def _share_by_loss(rise: float, promised: float) -> float:
    """The part of a step at which a parabola through the losses at its ends and the slope has its minimum."""
    share = promised / (rise + 2 * promised) if math.isfinite(rise) else 0.0
    return min(max(share, _SHORTEST), _LONGEST)


def _ended_at_rounding(state: NewtonState) -> NewtonState:
    """The end where no step lowers the loss any more."""
    distance = state.distance
    if distance <= _NEAR:
        standing = Standing(Finding.DISTANCE_AT_ROUNDING, distance)
    elif math.isinf(distance):
        standing = Standing(Finding.NO_MINIMUM, distance)
    else:
        standing = Standing(Finding.NO_DESCENT_BY_DISTANCE, distance, _NEAR)
    return state.changed(standing=standing)
