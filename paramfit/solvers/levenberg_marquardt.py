"""Levenberg and Marquardt's method, as a torch optimizer."""

from collections.abc import Iterable

from torch import Tensor

from paramfit.linalg.lapack import Array
from paramfit.solvers.damping import DampedStep
from paramfit.solvers.gauss_newton import GaussNewton
from paramfit.solvers.gauss_newton_state import GaussNewtonState
from paramfit.solvers.projection import Linearization
from paramfit.solvers.solver_optimizer import SolverOptimizer
from paramfit.solvers.sums import Layout

__all__ = ["LevenbergMarquardt"]


class LevenbergMarquardt(SolverOptimizer[GaussNewtonState]):
    r"""Nonlinear least squares by damped Gauss-Newton steps, with the linear parameters projected out.

    .. math:: \delta = \arg\min_\delta |e - J \delta|^2 + \lambda |S \delta|^2

    where e is the residual ``target - prediction``, J the prediction's Jacobian and S the largest lengths that J's
    columns have had. What it needs of the data is one triangle (``ResidualSums``), so that it does not matter in how
    many batches they came.

    Each ``step(closure)`` is one pass over the data: the closure sums up the rows at the parameters as it finds them, a
    trial point; the step accepts or rejects the trial by its gain ratio and leaves the parameters at the best point so
    far. The first step looks at the start, and needs sums that hold the ``target`` too (``ResidualRows.at_start``
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

    task = "LeastSquares"
    kinds = (*SolverOptimizer.kinds, GaussNewtonState, DampedStep, Linearization, Layout)

    solver: GaussNewton

    def __init__(
        self,
        params: Iterable[Tensor],
        damping: float = GaussNewton.damping,
        orthogonality: float = GaussNewton.orthogonality,
        step_tolerance: float = GaussNewton.step_tolerance,
        cost_tolerance: float = GaussNewton.cost_tolerance,
    ) -> None:
        super().__init__(params, GaussNewton(damping, orthogonality, step_tolerance, cost_tolerance))

    def fill_gradients(self, count: int = 1, uphill: Array | None = None) -> None:
        """Give each parameter the gradient of the summed loss over ``count`` as its ``grad``, for whoever looks.

        Args:
            count: number of observations for that of a mean.
            uphill: ``J^T e`` ``(p,)`` where the parameters are, rows over the state's unit: the state has that of where
                they were before a polish.
        """
        state = self.reached
        if isinstance(state, GaussNewtonState):
            best = state.best
            self.vector.fill_gradients(-2 / count * (best.uphill if uphill is None else uphill) * best.unit * best.unit)
