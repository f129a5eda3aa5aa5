"""Newton's method and Fisher scoring, as a torch optimizer."""

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from paramfit.errors import InputError
from paramfit.linalg.lapack import Array
from paramfit.solvers.damping import gain_ratio
from paramfit.solvers.likelihood_sums import LikelihoodSums
from paramfit.solvers.newton_step import NewtonStep
from paramfit.solvers.trial_solver import TrialSolver, kept, restored

__all__ = ["Newton"]

_LEAST_GAIN = 1e-4
_TRUSTED = 0.5  # a gain from which the quadratic model is believed
_SHORTEST, _LONGEST = 0.1, 0.5  # part of a step that failed
_MOST_STRETCH = 2.0  # of an unconstrained number in one step: a bounded value changes by a factor of 7 at most
_MOST_DAMPING = 1e16
_LEAST_DAMPING = 1e-10
_NEAR = 1e-3  # of a standard error: near enough to be called a minimum where rounding ends the descent
_UNSEEN = 1e-13  # a promised decrease so small a part of the loss, or of 1, is lost in its rounding, or means nothing
_LOST = 1e-6  # of the sharpest curvature that a parameter has had: the loss hardly depends on it any more
_MOST_CREEPING = 5  # steps in a row that won nothing of what they promised: a kink
_CLOSE = 0.5  # standard errors from the minimum: the Hessian can be trusted
_CRAWLING = 0.03  # of the last distance is left after a step
_UNKNOWN = 1e4  # times the way it went: so large an error
_FAR = 10.0  # times its smallest error: so far it went
_GROWN = 2.0  # of a logarithm: sevenfold
_ENDLESS = 30.0  # a logarithm with so large an error: from there the loss changes by less than 1e-3 up to infinity
_WORSE = 3.0  # times the error at the start: a parameter too many has had it there, too
_ASTRAY = 5.0  # standard errors of all others from where they would settle: a bad start has led them there
_BEYOND = 10.0  # of a logarithm: so far out what curves down is rounding
_REMEMBERED = (
    "converged", "stalled", "reason", "expected", "_theta", "_trial", "_promised", "_damping", "_start", "_sharpest",
    "_last", "_tried", "_creeping", "_first_errors"
)  # fmt: skip


class Newton(TrialSolver):
    r"""Maximum likelihood by Newton's method or Fisher scoring, with control of the step.

    .. math:: \delta = -(H + \lambda S^2)^{-1} g

    where g is the gradient of the summed negative log-likelihood and H its Hessian (``expected=False``) or the expected
    information (Fisher scoring). What it needs of the data are these sums (``LikelihoodSums``), so that it does not
    matter in how many batches they came.

    Each ``step(closure)`` is one pass over the data: the closure sums up the rows at the parameters as it finds them, a
    trial point; the step accepts or rejects the trial by its gain ratio and leaves the parameters at the best point so
    far. Once ``converged`` or ``stalled``, a step changes nothing.

    Args:
        params: the parameters, all float64.
        expected: whether the expected information takes the place of the Hessian, where it is known in closed form.
            It is positive definite everywhere, and bears far starts better. Where it then converges by a constant
            factor only, the Hessian takes over.
        damping: lambda at the start, above 0, in units of the largest curvature.
        tolerance: converged, once the step that is left is so small a part of the standard errors,
            :math:`\sqrt{g^T H^{-1} g}`.

    Raises:
        InputError: for an option out of its range, parameters that are not float64, or a start at which the likelihood
            is not finite.

    References:
        Ronald Fisher: The Case of Zero Survivors in Probit Assays (1935), for scoring.
        Donald Marquardt: An Algorithm for Least-Squares Estimation of Nonlinear Parameters (1963), for lambda.
    """

    point: LikelihoodSums | None

    def __init__(
        self, params: Iterable[Tensor], expected: bool = True, damping: float = 1e-4, tolerance: float = 1e-8
    ) -> None:
        if not 0 < damping < math.inf:
            msg = f"damping: expected a number above 0, but got {damping}"
            raise InputError(msg)
        if not 0 < tolerance < 1:
            msg = f"tolerance: expected a part of a standard error, between 0 and 1, but got {tolerance}"
            raise InputError(msg)
        super().__init__(params, {"expected": expected, "damping": damping, "tolerance": tolerance})
        self.expected = expected
        self._tolerance = tolerance
        self._sharpest: Array | None = None
        self._first_errors: Array | None = None
        self._damping = damping
        self._last = math.inf
        self._tried = False
        self._creeping = 0

    def _judge(self, sums: LikelihoodSums, there: Array) -> None:
        finite = sums.is_finite()
        if self.point is None:
            if not finite:
                msg = "the likelihood is not finite at the start; give other starts"
                raise InputError(msg)
            self._accept(sums, there)
            return
        gain = gain_ratio(self.point.loss, sums.loss if finite else math.inf, self._promised)
        least = _UNSEEN * max(1.0, abs(self.point.loss))
        unseen = abs(self._promised) <= least
        if unseen:
            accepted = finite and NewtonStep(sums.gradient, sums.curvature).distance < self._distance()
        else:
            accepted = gain > _LEAST_GAIN
        if accepted:
            creeps = self.point.loss - sums.loss <= least and not unseen
            self._creeping = self._creeping + 1 if creeps else 0
            # Full steps once they are trusted: that is what makes the convergence quadratic.
            self._damping = max(_LEAST_DAMPING, self._damping / (100 if gain > _TRUSTED else 3))
            self._accept(sums, there)
            if self._creeping >= _MOST_CREEPING and not self.converged:
                self._end_at_rounding()
        elif unseen or self._damping > _MOST_DAMPING:
            self._end_at_rounding()
        else:
            share = self._share_by_loss(sums.loss if finite else math.inf)
            self._damping = self._seen().shortening(self._damping, share)
            self._trial = None

    def _share_by_loss(self, after: float) -> float:
        """The part of a step at which a parabola through the losses at its ends and the slope has its minimum."""
        assert self.point is not None
        rise = after - self.point.loss
        share = self._promised / (rise + 2 * self._promised) if math.isfinite(rise) else 0.0
        return min(max(share, _SHORTEST), _LONGEST)

    def _accept(self, sums: LikelihoodSums, there: Array) -> None:
        curved = np.abs(sums.curvature.diagonal())
        if self._start is None or self._sharpest is None:
            self._start, self._sharpest = there.copy(), curved.copy()
            self._first_errors = NewtonStep(sums.gradient, sums.curvature).errors
        self._theta, self.point, self._trial = there.copy(), sums, None
        self._sharpest = np.maximum(self._sharpest, curved)
        distance = self._distance()
        self._choose_curvature(distance)
        self.reason = f"the step that is left is {distance:.1e} standard errors"
        if distance <= self._tolerance:
            self.converged = True
            self.reason += f", at most {self._tolerance:g}"

    def _choose_curvature(self, distance: float) -> None:
        """Take the Hessian where scoring crawls near the end, and scoring again where the Hessian is no help."""
        if self.expected and not self._tried and distance < _CLOSE and distance > _CRAWLING * self._last:
            self.expected, self._tried = False, True
        elif self._tried and not self.expected and math.isinf(distance):
            self.expected = True
        self._last = distance

    def _distance(self) -> float:
        assert self.point is not None
        return NewtonStep(self.point.gradient, self.point.curvature).distance

    def _propose(self) -> None:
        assert self._theta is not None
        assert self.point is not None
        seen = self._seen()
        step, self._promised = seen.step(self._damping)
        if self.point.bounded:
            far = float(np.abs(step[list(self.point.bounded)]).max())
            if far > _MOST_STRETCH:
                step, self._promised = seen.step(self._damping, _MOST_STRETCH / far)
        self._trial = self._theta + step

    def _seen(self) -> NewtonStep:
        """Steps from the best point, in which a parameter that has lost its influence is the first to be damped."""
        assert self.point is not None
        assert self._sharpest is not None
        return NewtonStep(self.point.gradient, self.point.curvature, np.sqrt(_LOST * self._sharpest))

    def _end_at_rounding(self) -> None:
        self._trial = None
        distance = self._distance()
        if distance <= _NEAR:
            self.converged = True
            self.reason = f"the loss cannot be lowered any more, and the minimum is {distance:.1e} standard errors away"
        elif math.isinf(distance):
            self.stalled = True
            self.reason = (
                "no step lowers the loss, but it is no minimum: along some direction it is flat or curves down;"
                " give other starts"
            )
        else:
            self.stalled = True
            self.reason = (
                "no step lowers the loss, though the minimum seems"
                f" {distance:.1e} standard errors away, above {_NEAR:g}; give other starts"
            )

    def run_off(self, logarithms: Collection[int] = ()) -> list[tuple[int, float, float]]:
        """Elements of theta that have run off to where the loss does not depend on them, with start and end.

        The farthest comes first.

        Where all failures lie on one side, a logistic curve becomes a step and its slope grows without end: the step
        that is left is a small part of the standard error only because that error grows faster still.

        Where counts vary no more than Poisson's do, the number of failures of a negative binomial grows without end,
        and its probability falls with it: each alone is well known, if the other is. So a logarithm has also run off
        where it has grown, its error, all others being unknown, is far larger than it was at the start, and all others
        are settled.

        Args:
            logarithms: the elements that are one of what has a bound on one side: they have no end above.
        """
        if self.point is None or self._theta is None or self._start is None or self._sharpest is None:
            return []
        curved = np.abs(self.point.curvature.diagonal())
        moved = np.abs(self._theta - self._start)
        # Errors are those of one parameter where all others are known: the least there are.
        lost = (curved < _LOST * self._sharpest) & (curved * np.square(_UNKNOWN * moved) < 1)
        lost &= self._sharpest * np.square(moved) > _FAR**2
        for k in logarithms:
            lost[k] = self._is_endless(k)
        places = sorted(np.flatnonzero(lost).tolist(), key=lambda k: -moved[k])
        return [(k, float(self._start[k]), float(self._theta[k])) for k in places]

    def _is_endless(self, place: int) -> bool:
        """Whether a logarithm has grown to where nothing holds it."""
        assert self.point is not None
        assert self._theta is not None
        assert self._start is not None
        assert self._first_errors is not None
        here, grown = NewtonStep(self.point.gradient, self.point.curvature), self._theta[place] - self._start[place]
        lost = here.errors[place] > max(_ENDLESS, _WORSE * self._first_errors[place])
        beyond = grown > _BEYOND and self.stalled and math.isinf(here.distance)
        return bool(beyond or (grown > _GROWN and lost)) and self._others_are_settled(place)

    def _others_are_settled(self, place: int) -> bool:
        """Whether all others are near their minimum, were this one held: not where a bad start has led astray."""
        assert self.point is not None
        others = np.delete(np.arange(len(self.point.gradient)), place)
        if not len(others):
            return True
        return NewtonStep(self.point.gradient[others], self.point.curvature[np.ix_(others, others)]).distance < _ASTRAY

    def reason_with(self, names: Sequence[str], natural: Callable[[int, float], float]) -> str:
        """The reason; it is about no parameter by name."""
        del names, natural
        return self.reason

    def fill_gradients(self, count: int = 1) -> None:
        """Give each parameter the gradient of the summed loss over ``count`` as its ``grad``, for whoever looks."""
        assert self.point is not None
        self._vector.fill_gradients(self.point.gradient / count)

    def state_dict(self) -> dict[str, Any]:
        """Where the solver is, besides torch's own."""
        solver: dict[str, Any] | None = None
        if self.point is not None:
            self._next()
            solver = {name: kept(getattr(self, name)) for name in _REMEMBERED} | {"point": self.point.state_dict()}
        return {**super().state_dict(), "solver": solver}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there."""
        solver = state_dict.get("solver")
        super().load_state_dict({key: value for key, value in state_dict.items() if key != "solver"})
        if solver is None:
            return
        for name in _REMEMBERED:
            setattr(self, name, restored(solver[name]))
        self.point = LikelihoodSums.from_state_dict(solver["point"])
