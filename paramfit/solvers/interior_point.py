"""A maximum of a likelihood with what its distribution allows as limits, found from the inside."""

import math
from dataclasses import dataclass
from enum import Enum

import numpy as np

from paramfit.linalg.lapack import Array
from paramfit.solvers.newton_step import NewtonStep
from paramfit.solvers.sums import LikelihoodSums
from paramfit.solvers.value import Value, derived

__all__ = ["Ending", "InteriorPoint", "InteriorState"]

_LEAST_GAIN = 1e-4  # of what was promised for a part of the step: Armijo (1966)
_UNSEEN = 1e-14  # of the loss, or of 1: a promised decrease that rounding hides
_SHORTEST_SHARE = 1e-10  # of a step
_CENTRED = 0.1  # of the root of the weight: Newton's decrement, from which its convergence is quadratic
_AT_EDGE = 1e5  # one over a room in standard errors: so near the edge
_ENDLESS = 1e12  # the same, of a likelihood that grows without end there ...
_EARLY = 1e-3  # ... before the weight has fallen so far
_SHIFTS = (0.0, 0.0, 1e-9, 1e-6, 1e-4, 1e-2)  # of the way back inside, until rounding puts no row beyond the edge
_ZERO = 1e-12  # of a standard error: what the first of these takes for rounding of 0
_NO_WORSE = 1e-9  # of the loss, or of 1
_ENTRY = 0.1  # of the way by which all rooms would be twice as large: the first try at leaving the edge
_LEAST_ENTRY = 1e-8  # of the same
_FAR_FROM_EDGE = 1.0  # one over a room in standard errors: no edge is near
_MOST_STEPS = 25  # with one weight: too large, it leads away without end where the domain has none
_MOST_FALLING = 50  # the same, as long as the loss itself falls and an edge is near
_WON = 0.5  # of what a whole step promises; less is won at a kink, ...
_MOST_CREEPING = 8  # ... after as many steps in a row, not at the edge, plain steps lead on, which know a way along it
_ENDLESSLY_MANY = 100  # steps with one weight, of which Newton's method takes some ten: likewise


class Ending(Enum):
    """How a search from the inside ended."""

    OPEN = "open"  # it goes on
    ON_EDGE = "on the edge"
    INSIDE = "inside"  # no edge is near: plain steps lead on
    ENDLESS = "without end"  # the likelihood grows without end towards the edge
    NOT_BEGUN = "not begun"  # a row is on the edge from the first, and no way leads inside

    __hash__ = object.__hash__  # members are single; Enum would hash their names


@dataclass(frozen=True, eq=False)
class InteriorState(Value):
    """Where the search is."""

    theta: Array  # the best point so far, (p,)
    scale: Array  # a standard error of each parameter, all others being known, (p,)
    free: tuple[int, ...]  # places of the parameters that move
    weight: float  # mu, of the barrier
    sums: LikelihoodSums | None = None  # at the best point; None before the first look
    bend: float = 0.0  # the weight with which the barrier curves in the next step
    share: float = 1.0  # the part of the step that is tried
    landing: int = -1  # which of the shifts is tried; below 0 before
    ending: Ending = Ending.OPEN
    steps: int = 0  # taken with this weight
    creeping: int = 0  # of them the last in a row that won little of what they promised
    # Of these and where they began, where the loss without the barrier is least; None before the first.
    lowest: tuple[Array, LikelihoodSums] | None = None
    rescales: bool = False  # whether the first look is to give the scale

    @property
    def ended(self) -> bool:
        """Whether another look would change nothing."""
        return self.ending is not Ending.OPEN

    @property
    def begins_weight(self) -> bool:
        """Whether no step was taken with this weight yet."""
        return not self.ended and self.sums is not None and self.steps == 0

    @property
    def slacks(self) -> bool:
        """Whether the next look is asked for the barrier."""
        return self.landing < 0 and not self.ended

    @property
    def trial(self) -> Array:
        """Where to look next, ``(p,)``."""
        if self.ended or self.sums is None:
            return self.theta
        if self.is_entering:
            trial = self.theta + self.share * self._entry
        elif self.landing == 0:
            trial = np.where(np.abs(self.edge) <= _ZERO * self.scale, 0.0, self.edge)
        elif self.landing > 0:
            trial = self.edge + _SHIFTS[self.landing] * (self.theta - self.edge)
        else:
            trial = self.theta + self.share * self._step[0]
        return np.clip(trial, *np.array(self.sums.boxes).T) if self.sums.boxes else trial

    @property
    def is_entering(self) -> bool:
        """Whether the search began on the edge, and is on its way inside."""
        return self.sums is not None and self.sums.barrier is not None and not self.sums.barrier.is_finite()

    @property
    def _entry(self) -> Array:
        r"""The way inside, with which :math:`a_i^T d / s_i` is nearest to 1 in all rows; none has quite no room."""
        scale, barrier = self.scale[list(self.free)], self._looked.barrier
        assert barrier is not None  # the last look asked for it
        inner, *_ = np.linalg.lstsq(self._normals, -barrier.gradient[list(self.free)] * scale, rcond=None)
        return self._whole(scale * inner)

    @property
    def promised(self) -> float:
        """The decrease at the end of the whole step, by the slope."""
        return self._step[1]

    @derived
    def _step(self) -> tuple[Array, float]:
        gradient, curvature = self._local(self.weight, self.bend)
        inner, promised = NewtonStep(gradient, curvature).step(0.0)
        return self._whole(inner), promised

    @property
    def decrement(self) -> float:
        """Newton's, by the absolute curvature."""
        _, promised = NewtonStep(*self._local(self.weight, self.weight)).step(0.0)
        return math.sqrt(max(2 * promised, 0.0))

    @derived
    def nearest(self) -> float:
        """One over the room that is left, in standard errors."""
        return math.sqrt(max(float(np.linalg.eigvalsh(self._normals)[-1]), 0.0)) if self.free else 0.0

    @derived
    def edge(self) -> Array:
        r"""Where the rows that are nearly there meet the edge, and the loss is least along it, ``(p,)``.

        .. math:: \sum_i \Big(\frac{a_i^T d}{s_i} + 1\Big)^2 \to \min, \qquad Z^T H Z\, z = -Z^T (g + H d)

        with a the slopes of the rooms s; rows that have room left weigh nothing.
        """
        values, vectors = np.linalg.eigh(self._normals)
        active = values > _AT_EDGE**2
        held, along = vectors[:, active], vectors[:, ~active]
        scale = self.scale[list(self.free)]
        sums = self._looked
        assert sums.barrier is not None  # the last look asked for it
        pull = sums.barrier.gradient[list(self.free)] * scale
        step = held @ ((held.T @ pull) / values[active])
        gradient, curvature = _scaled(sums, self.free, scale)
        if along.shape[1]:
            rest = along.T @ (gradient + curvature @ step)
            inner, _ = NewtonStep(rest, along.T @ curvature @ along).step(0.0)
            step = step + along @ inner
        return self.theta + self._whole(scale * step)

    @property
    def distance_along_edge(self) -> float:
        """How far the minimum on the edge is in standard errors."""
        values, vectors = np.linalg.eigh(self._normals)
        along = vectors[:, values <= _AT_EDGE**2]
        if not along.shape[1]:
            return 0.0
        gradient, curvature = _scaled(self._looked, self.free, self.scale[list(self.free)])
        return NewtonStep(along.T @ gradient, along.T @ curvature @ along).distance

    @property
    def _looked(self) -> LikelihoodSums:
        assert self.sums is not None  # after the first look
        return self.sums

    @property
    def _normals(self) -> Array:
        """The slopes of the rooms over these, squared and summed up, in standard errors, ``(f, f)``."""
        barrier = self._looked.barrier
        assert barrier is not None  # as above
        free, scale = list(self.free), self.scale[list(self.free)]
        normals: Array = barrier.normals[np.ix_(free, free)] * np.outer(scale, scale)
        return normals

    def _local(self, weight: float, bend: float) -> tuple[Array, Array]:
        """Gradient and curvature of loss and barrier by the free parameters."""
        sums, free = self._looked, list(self.free)
        assert sums.barrier is not None  # as above
        gradient = sums.gradient + weight * sums.barrier.gradient
        curvature = sums.curvature + bend * sums.barrier.curvature
        return gradient[free], curvature[np.ix_(free, free)]

    def _whole(self, inner: Array) -> Array:
        step = np.zeros_like(self.theta)
        step[list(self.free)] = inner
        return step


@dataclass(frozen=True)
class InteriorPoint:
    r"""Newton's method with a logarithmic barrier.

    .. math:: \min_\theta\; -\sum_i \log p_\theta(y_i) - \mu \sum_i \log s_i(\theta), \qquad \mu \to 0

    with s the room of each row's arguments to the ends of what the distribution allows. Each weight's minimum is the
    start of the next; the first step there is made by the curvature of the one before, which is the tangent to the path
    of minima. Along this path a room shrinks as :math:`\mu / \lambda`, with lambda what the likelihood would gain
    beyond, and the loss is within :math:`m \mu` of the least for m rooms. At its end the rows that have no room left
    are put on the edge itself.

    References:
        Anthony Fiacco, Garth McCormick: Nonlinear Programming: Sequential Unconstrained Minimization Techniques (1968).
        Jorge Nocedal, Stephen Wright: Numerical Optimization, 2nd edition (2006), section 19.6.
    """

    first: float = 0.1  # mu, of a log-likelihood's unit
    last: float = 1e-9  # below which rows on the edge are told from others by eight digits
    factor: float = 0.1  # from one weight to the next

    def start(self, theta: Array, scale: Array | None, free: tuple[int, ...]) -> InteriorState:
        """The state before the rooms were looked at; without a scale the first look gives one."""
        given = np.ones(len(theta)) if scale is None else scale
        return InteriorState(theta, given, free, self.first, bend=self.first, rescales=scale is None)

    def advance(self, state: InteriorState, sums: LikelihoodSums) -> InteriorState:
        """The state after a look at its trial."""
        if state.sums is None or state.is_entering:
            return self._entered(state, sums)
        if state.landing >= 0:
            return self._landed(state, sums)
        here, after = (_barred(looked, state.weight) for looked in (state.sums, sums))
        if state.promised <= _UNSEEN * max(1.0, abs(here)):
            return self._lowered(state)
        if after <= here - _LEAST_GAIN * state.share * state.promised:
            taken = state.changed(theta=state.trial, sums=sums, share=1.0, bend=state.weight, steps=state.steps + 1)
            taken = taken.changed(creeping=0 if here - after > _WON * state.promised else state.creeping + 1)
            if state.lowest is None or sums.loss < state.lowest[1].loss:
                taken = taken.changed(lowest=(state.trial, sums))
            if taken.nearest > _ENDLESS and taken.weight > _EARLY:
                return taken.changed(ending=Ending.ENDLESS)
            creeps = taken.creeping >= _MOST_CREEPING or taken.steps >= _ENDLESSLY_MANY
            if creeps and taken.nearest <= _AT_EDGE:
                return taken.changed(ending=Ending.INSIDE)
            return self._next_weight(taken)
        share = state.share / 2 if math.isfinite(after) else state.share / 4
        return self._lowered(state) if share < _SHORTEST_SHARE else state.changed(share=share)

    def _entered(self, state: InteriorState, sums: LikelihoodSums) -> InteriorState:
        """Inside, where the search begins; from the edge a shorter way inside is tried as long as there is none."""
        if state.sums is None and state.rescales and sums.is_finite():
            state = state.changed(scale=_unit_of_loss(sums))
        if sums.is_finite() and sums.barrier is not None and sums.barrier.is_finite():
            lowest = (state.trial, sums)
            return self._next_weight(state.changed(theta=state.trial, sums=sums, share=1.0, lowest=lowest))
        if state.sums is None and sums.is_finite() and sums.barrier is not None:
            return state.changed(sums=sums, share=_ENTRY)
        share = state.share / 4
        if state.sums is None or share < _LEAST_ENTRY:
            return state.changed(sums=sums, ending=Ending.NOT_BEGUN)
        return state.changed(share=share)

    def _next_weight(self, state: InteriorState) -> InteriorState:
        """At the next weight where this one's minimum is reached, or where it has none.

        The logarithm of a room that has no other end falls without one: where the loss has a limit that way, as
        Student's with its degrees of freedom, loss and barrier together have no minimum. The next weight then begins
        where the loss alone was lowest.
        """
        if state.decrement <= _CENTRED * math.sqrt(state.weight):
            return self._lowered(state)
        if state.steps < _MOST_STEPS or state.lowest is None or state.sums is None:
            return state
        theta, sums = state.lowest
        if state.nearest > _FAR_FROM_EDGE and state.sums.loss <= sums.loss and state.steps < _MOST_FALLING:
            return state
        return self._lowered(state.changed(theta=theta, sums=sums))

    def _lowered(self, state: InteriorState) -> InteriorState:
        """At the next weight, or at the end of them."""
        weight = self.factor * state.weight
        if weight >= self.last * (1 - 1e-9):  # rounding
            assert state.sums is not None  # after the first look
            lowest = (state.theta, state.sums)
            return state.changed(weight=weight, bend=state.weight, share=1.0, steps=0, creeping=0, lowest=lowest)
        if state.nearest <= _AT_EDGE:
            return state.changed(ending=Ending.INSIDE)
        return state.changed(landing=0)

    def _landed(self, state: InteriorState, sums: LikelihoodSums) -> InteriorState:
        """On the edge, or as near to it as no row is beyond."""
        inside = state.sums
        assert inside is not None  # after the first look
        if sums.is_finite() and sums.loss <= inside.loss + _NO_WORSE * max(1.0, abs(inside.loss)):
            landed = sums.changed(outside=False, barrier=inside.barrier)
            return state.changed(theta=state.trial, sums=landed, ending=Ending.ON_EDGE)
        if state.landing + 1 < len(_SHIFTS):
            return state.changed(landing=state.landing + 1)
        return state.changed(ending=Ending.ON_EDGE)


def _barred(sums: LikelihoodSums, weight: float) -> float:
    """Loss and barrier; infinite outside."""
    if sums.barrier is None or not (sums.is_finite() and sums.barrier.is_finite()):
        return math.inf
    return sums.loss + weight * sums.barrier.value


def _unit_of_loss(sums: LikelihoodSums) -> Array:
    """How far each parameter alone changes the loss by about 1: by its curvature or, where it falls straight, slope."""
    sharpest = np.maximum(np.sqrt(np.abs(sums.curvature.diagonal())), np.abs(sums.gradient))
    unit: Array = 1 / np.where(sharpest > 0, sharpest, 1.0)
    return unit


def _scaled(sums: LikelihoodSums, free: tuple[int, ...], scale: Array) -> tuple[Array, Array]:
    """Gradient and curvature of the loss by the free parameters in standard errors."""
    places = list(free)
    return sums.gradient[places] * scale, sums.curvature[np.ix_(places, places)] * np.outer(scale, scale)
