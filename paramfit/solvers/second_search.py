"""A second search, where the first may have gone astray: in all parameters at once, and with growing steps."""

import numpy as np

from paramfit.linalg.lapack import Array, length, lengths
from paramfit.solvers.damping import DampedStep
from paramfit.solvers.gauss_newton_state import MOST_GROWTH, GaussNewtonState
from paramfit.solvers.standing import Finding, Standing

__all__ = ["damped_to_size", "grows", "settled"]

_STILL_NEXT_TO_ZERO = 1e-4  # below it a parameter may grow without a gain that could be seen
_LEAST_GAIN = 1e-9  # of the loss: less is no reason to prefer one end to the other
_NEAR = 1e-4  # of a column and the residual: a slope that is no rounding
_MOST_DAMPING = 1e30


def settled(state: GaussNewtonState) -> GaussNewtonState:
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
    least = _LEAST_GAIN * first.steps.point.loss
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
    size = lengths(state.whole_factor)
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
    if state.standing.stalled or finding is Finding.SINGULAR:
        return True
    return 0.0 in point.curved_lengths and bool(((point.curved_lengths == 0) & (point.unprojected > 0)).any())


def grows(state: GaussNewtonState, trial: Array) -> bool:
    """Whether a parameter of a second search grows from next to 0 as fast as it may."""
    before = np.maximum(np.abs(state.theta), state.least_start)
    grown = np.abs(trial - state.theta) > MOST_GROWTH / 2 * before
    return state.first is not None and bool((grown & (before < _STILL_NEXT_TO_ZERO)).any())


def damped_to_size(steps: DampedStep, theta: Array, damping: float) -> float:
    """The damping by which the first step is no longer than the start is large, in the metric of the steps.

    References:
        Jorge More: The Levenberg-Marquardt Algorithm: Implementation and Theory (1978), section 5.
    """
    size = length(steps.size * theta)
    while size > 0 and damping < _MOST_DAMPING and length(steps.size * steps.step(damping)[0]) > size:
        damping *= 10
    return damping
