"""Levenberg and Marquardt's method, as a torch optimizer."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from paramfit.errors import InputError
from paramfit.linalg.lapack import Array, triangle
from paramfit.solvers.damping import (
    DampedStep,
    Tolerances,
    converged_by,
    gain_ratio,
    lost_sight_of,
    next_damping,
    verdict_on,
)
from paramfit.solvers.polishing import polished
from paramfit.solvers.projection import Linearization, linearization
from paramfit.solvers.residual_sums import Layout, ResidualSums
from paramfit.solvers.runaway import least_relative_error, ran_off, runs_away
from paramfit.solvers.trial_solver import TrialSolver, kept, restored

__all__ = ["LevenbergMarquardt"]

_EPS = float(np.finfo(np.float64).eps)
_LEAST_GAIN = 1e-4
_MOST_DAMPING = 1e30
_SMALL = 1e-1  # a relative offset from which a polish is tried
_MOST_STRETCH = 2.0  # of an unconstrained number in one step: a bounded value changes by a factor of 7 at most
_FAR = 15.0  # from the start, or from the middle between two bounds: exp(-15) is 3e-7
_NEAR = 1e-4  # a relative offset below it is near enough to a minimum to be called one
_UNSEEN = 1e-12  # a promised decrease so small a part of the loss is lost in its rounding
_MOST_REFUSALS = 4
_UNDETERMINED = 1e3  # of a parameter's size: what means something stays below 1, what ran off is above 2000
_MOST_POLISH = 0.5  # of a parameter's size in all steps of a polish
_ROUNDED = 1e-5  # below this relative offset the rounding of J^T e could be seen
_POLISHED = 1e-15  # of a standard error: a relative offset that needs no polish
_ENOUGH = 1e-12  # the same where there is more to win than the rounding of a fit that has converged
_REMEMBERED = (
    "converged",
    "stalled",
    "reason",
    "_lost",
    "_ran_off",
    "_start",
    "_theta",
    "_trial",
    "_promised",
    "_damping",
    "_growth",
    "_size_of_target",
    "_offset",
    "_refusals",
)


class LevenbergMarquardt(TrialSolver):
    r"""Nonlinear least squares by damped Gauss-Newton steps, with the linear parameters projected out.

    .. math:: \delta = \arg\min_\delta |e - J \delta|^2 + \lambda |S \delta|^2

    where e is the residual ``target - prediction``, J the prediction's Jacobian and S the largest lengths that J's
    columns have had. What it needs of the data is one triangle (``ResidualSums``), so that it does not matter in how
    many batches they came.

    Each ``step(closure)`` is one pass over the data: the closure sums up the rows at the parameters as it finds them, a
    trial point; the step accepts or rejects the trial by its gain ratio and leaves the parameters at the best point so
    far. The first step looks at the start, and needs sums that hold the ``target`` too (``ResidualRows.sums_checked``
    gives them), without which no fit is recognised as exact. Parameters in which the model is linear are solved for at
    every point. Once ``converged`` or ``stalled``, a step changes nothing.

    Args:
        params: the parameters, all float64.
        damping: lambda at the start, above 0, in units of the squared columns.
        orthogonality: converged, once the relative offset (Bates and Watts) is this small.
        step_tolerance: converged, once the undamped step is so small a part of each parameter.
        cost_tolerance: converged, once the residuals are so small a part of the target: the fit is exact.

    Raises:
        InputError: for an option that is not above 0, parameters that are not float64, or a start at which the model
            is not finite.

    Geodesic acceleration (Transtrum and Sethna, 2012) is left out: with the linear parameters projected out it saves 39
    of 520 passes over the data in NIST's 54 nonlinear fits, and takes 479 more to find the second derivative along each
    step. Without the projection it does better, but not as well as the projection.

    References:
        Jorge More: The Levenberg-Marquardt Algorithm: Implementation and Theory (1978).
    """

    point: Linearization | None

    def __init__(
        self,
        params: Iterable[Tensor],
        damping: float = 1e-3,
        orthogonality: float = 1e-6,
        step_tolerance: float = 1e-14,
        cost_tolerance: float = 4 * _EPS,
    ) -> None:
        options = {
            "damping": damping,
            "orthogonality": orthogonality,
            "step_tolerance": step_tolerance,
            "cost_tolerance": cost_tolerance,
        }
        for name, value in options.items():
            if not 0 < value < math.inf:
                msg = f"{name}: expected a number above 0, but got {value}"
                raise InputError(msg)
        super().__init__(params, options)
        self._tolerances = Tolerances(orthogonality, step_tolerance, cost_tolerance)
        self._lost: tuple[int, ...] = ()  # places in theta, as is the next
        self._ran_off: int | None = None
        self._layout: Layout | None = None
        self._damping, self._growth = damping, 2.0
        self._step: DampedStep | None = None
        self._size_of_target = 0.0
        self._offset = math.inf
        self._refusals = 0

    def reason_with(self, names: Sequence[str], natural: Callable[[int, float], float]) -> str:
        """The ``reason``, with names for the parameters that it is about.

        Args:
            names: what the elements of theta are called, ``(p,)``.
            natural: the value within its bounds of the parameter at a place, from its unconstrained number.
        """
        if self._lost:
            return lost_sight_of([names[place] for place in self._lost])
        if self._ran_off is not None:
            assert self._start is not None
            assert self._theta is not None
            place = self._ran_off
            return ran_off(names[place], *(natural(place, float(at[place])) for at in (self._start, self._theta)))
        return self.reason

    def _judge(self, sums: ResidualSums, there: Array) -> None:
        assert sums.factor is not None
        found = None
        if sums.is_finite():
            with np.errstate(over="ignore", invalid="ignore"):  # a trial may be anywhere
                found = linearization(sums)
                if not (math.isfinite(found.loss) and np.isfinite(found.curved_lengths).all()):
                    found = None
        if self.point is None:
            if found is None:
                msg = "the model is not finite at the start; give other starts, or bounds that keep it finite"
                raise InputError(msg)
            self._layout, self._size_of_target, self._start = sums.layout, math.sqrt(sums.target), there.copy()
            self._accept(found, there)
            return
        seen = None
        after = math.inf if found is None else found.loss
        gain = gain_ratio(self.point.loss, after, self._promised)
        if self._promised <= _UNSEEN * self.point.loss:
            # No loss is exact enough to show so small a decrease: the orthogonality is.
            accepted = found is not None and after <= self.point.loss * (1 + 1e-9)
            if accepted and found is not None:
                seen = self._seen_from(found, there)
                accepted = seen.offset < self._offset
            self._refusals = 0 if accepted else self._refusals + 1
        else:
            accepted = gain > _LEAST_GAIN
            self._refusals = 0
        self._damping, self._growth = next_damping(self._damping, self._growth, gain, accepted=accepted)
        if accepted and found is not None:
            self._accept(found, there, seen)
        elif self._damping > _MOST_DAMPING or self._refusals >= _MOST_REFUSALS:
            self._end_at_rounding()
        else:
            self._trial = None

    def polish(self, closure: Callable[[], Tensor]) -> None:
        r"""Win the last digits, once the step that is left is small; see ``polished``. Before, it changes nothing.

        To be called, like ``update``, under ``no_grad``.

        Args:
            closure: the derivative of half the squared error by theta, :math:`J^T e`, ``(p,)``, at the parameters as
                it finds them, more exact than float64 sums give it.
        """
        if not (self.converged or self._offset <= _SMALL) or self.stalled or self.point is None:
            return
        assert self._theta is not None
        assert self._layout is not None

        def slope(theta: Array) -> Array:
            self._vector.write(theta)
            found: Array = closure().numpy()
            return found

        p, n = self._layout.p, self.point.n
        order = self._layout.order
        residual = abs(float(self.point.factor[-1, -1]))
        first = self._uphill() if self._offset > _ROUNDED else None
        reach = np.full(p, math.inf)
        reach[self._layout.nonlinear_places] = _MOST_POLISH * self._sizes()
        enough = (_POLISHED if self.converged else _ENOUGH) * residual
        with np.errstate(over="ignore"):
            theta, left = polished(self._theta, self.point.factor[:p, :p], order, slope, reach, enough, first)
        offset = left / math.sqrt(p) / residual * math.sqrt(max(1, n - p)) if residual > 0 else math.inf
        if self.converged:
            self._theta = theta
        elif offset <= self._tolerances.orthogonality:
            self._theta = theta
            self._converge(converged_by(offset, self._tolerances))
        self._vector.write(self._theta)

    def _seen_from(self, found: Linearization, theta: Array) -> DampedStep:
        return DampedStep(found, None if self._step is None else self._step.size, self._at_bound(found, theta))

    def _at_bound(self, found: Linearization, theta: Array) -> NDArray[np.bool_] | None:
        """Which nonlinear parameters have come a millionth of their first distance near to a bound, and want beyond."""
        assert self._layout is not None
        if not any(self._layout.bounds) or self._start is None:
            return None
        now, first = theta[self._layout.nonlinear_places], self._start[self._layout.nonlinear_places]
        bounds = np.array(self._layout.bounds)
        q, p = len(self._layout.linear), self._layout.p
        uphill = found.factor[:, q:p].T @ found.factor[:, p]  # where the step of each alone would go
        low = ((bounds == 1) & (now < first - _FAR) | (bounds == 2) & (now < -_FAR)) & (uphill <= 0)
        high = (bounds == 2) & (now > _FAR) & (uphill >= 0)
        outward: NDArray[np.bool_] = low | high
        return outward

    def _accept(self, found: Linearization, there: Array, seen: DampedStep | None = None) -> None:
        assert self._layout is not None
        theta = there.copy()
        theta[self._layout.linear_places] = found.linear
        self._theta, self.point, self._trial = theta, found, None
        if not self._layout.nonlinear:
            self.converged, self._offset = True, 0.0
            self.reason = "the model is linear in its parameters: solved exactly"
            return
        self._step = self._seen_from(found, theta) if seen is None else seen
        self._offset = self._step.offset
        nonlinear = theta[self._layout.nonlinear_places]
        verdict = verdict_on(found, self._step, nonlinear, self._size_of_target, self._tolerances)
        self.reason = verdict.reason
        if verdict.converged:
            self._converge(verdict.reason)
        elif verdict.lost:
            self.stalled = True
            self._lost = tuple(self._layout.nonlinear[number] for number in verdict.lost)
            self.reason = lost_sight_of([f"parameter {place}" for place in self._lost])

    def _converge(self, reason: str) -> None:
        """End at a minimum, unless the slope is 0 only because nothing is seen from here."""
        left = self._left_the_data()
        self.converged, self.stalled, self._trial = left is None, left is not None, None
        self.reason = left or reason

    def _sizes(self) -> Array:
        """How large each nonlinear parameter is, or was at the start, ``(m,)``; 1 where both are 0."""
        assert self._layout is not None
        assert self._theta is not None
        assert self._start is not None
        places = self._layout.nonlinear_places
        found = np.maximum(np.abs(self._theta[places]), np.abs(self._start[places]))
        return np.where(found > 0, found, 1.0)

    def _left_the_data(self) -> str | None:
        """Why nothing holds the parameters here; None where the observations do."""
        assert self._layout is not None
        assert self.point is not None
        assert self._theta is not None
        assert self._start is not None
        places = self._layout.nonlinear_places
        if not len(places) or self._at_bound(self.point, self._theta) is not None:
            return None  # a parameter at its bound is told of by name
        factor, n, values, starts = self.point.factor, self.point.n, self._theta[places], self._start[places]
        away = runs_away(factor, n, values, starts)
        if away is not None:
            self._ran_off = self._layout.nonlinear[away]
            return ran_off(f"parameter {self._ran_off}", starts[away], values[away])
        error = least_relative_error(factor, n, values, starts)
        if error <= _UNDETERMINED:
            return None
        return (
            f"no parameter is determined here, the best known one to {error:.1e} times its size: the model has lost"
            " sight of the data; give other starts"
        )

    def _propose(self) -> None:
        assert self._layout is not None
        assert self._theta is not None
        assert self._step is not None
        assert self.point is not None
        step, self._promised = self._step.step(self._damping)
        if any(self._layout.bounds):
            far = float(np.abs(step[np.array(self._layout.bounds) > 0]).max())
            if far > _MOST_STRETCH:
                step, self._promised = self._step.shortened(step, _MOST_STRETCH / far)
        trial = self._theta.copy()
        trial[self._layout.nonlinear_places] += step
        self._trial = trial

    def _end_at_rounding(self) -> None:
        assert self.point is not None
        self._trial = None
        residual = abs(float(self.point.factor[-1, -1]))
        # Residuals that are all but rounding cannot be seen to be orthogonal to anything.
        near = max(_NEAR, 10 * _EPS * self._size_of_target / residual if residual > 0 else math.inf)
        if self._offset <= near:
            self._converge(f"the loss cannot be lowered any more, and the relative offset is {self._offset:.1e}")
        else:
            self.stalled = True
            self.reason = f"no step lowers the loss, though the relative offset is {self._offset:.1e}, above {near:.0e}"

    def state_dict(self) -> dict[str, Any]:
        """Where the solver is, besides torch's own."""
        solver: dict[str, Any] | None = None
        if self.point is not None and self._layout is not None:
            self._next()
            solver = {name: kept(getattr(self, name)) for name in _REMEMBERED} | {
                "layout": self._layout.as_tuple(),
                "point": {part.name: kept(getattr(self.point, part.name)) for part in fields(self.point)},
                "size": None if self._step is None else kept(self._step.size),
            }
        return {**super().state_dict(), "solver": solver}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there."""
        solver = state_dict.get("solver")
        super().load_state_dict({key: value for key, value in state_dict.items() if key != "solver"})
        if solver is None:
            return
        for name in _REMEMBERED:
            setattr(self, name, restored(solver[name]))
        self._layout = Layout.from_tuple(solver["layout"])
        self.point = Linearization(**{name: restored(part) for name, part in solver["point"].items()})
        if solver["size"] is not None:
            assert self._theta is not None
            at_bound = self._at_bound(self.point, self._theta)
            self._step = DampedStep(self.point, restored(solver["size"]), at_bound)

    def factor(self) -> Array:
        """Triangular factor of ``[J, e]`` at the best point, ``(p + 1, p + 1)``; not after a polish."""
        assert self._layout is not None
        assert self.point is not None
        p = self._layout.p
        columns = np.empty_like(self.point.factor)
        columns[:, self._layout.order] = self.point.factor[:, :p]
        columns[:, p] = self.point.factor[:, p]
        return triangle(columns)

    def _uphill(self) -> Array:
        """``J^T e`` at the best point, ``(p,)``."""
        assert self._layout is not None
        assert self.point is not None
        p, factor = self._layout.p, self.point.factor
        found = np.empty(p)
        found[self._layout.order] = factor[:, :p].T @ factor[:, p]
        return found

    def fill_gradients(self) -> None:
        """Give each parameter the gradient of the mean loss as its ``grad``, for whoever looks."""
        assert self._layout is not None
        assert self.point is not None
        self._vector.fill_gradients(-2 / self.point.n * self._uphill())
