"""Newton's method and Fisher scoring, as a torch optimizer."""

from collections.abc import Iterable

from torch import Tensor

from paramfit.solvers.interior_point import Ending, InteriorState
from paramfit.solvers.kinked_likelihood import KinkWalk, LikelihoodSide
from paramfit.solvers.newton_raphson import NewtonRaphson, NewtonState
from paramfit.solvers.solver_optimizer import SolverOptimizer
from paramfit.solvers.sums import BarrierSums, LikelihoodSums

__all__ = ["Newton"]


class Newton(SolverOptimizer[NewtonState]):
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

    task = "MaximumLikelihood"
    kinds = (
        *SolverOptimizer.kinds,
        NewtonState,
        LikelihoodSums,
        BarrierSums,
        InteriorState,
        Ending,
        KinkWalk,
        LikelihoodSide,
    )

    def __init__(
        self,
        params: Iterable[Tensor],
        expected: bool = NewtonRaphson.expected,
        damping: float = NewtonRaphson.damping,
        tolerance: float = NewtonRaphson.tolerance,
    ) -> None:
        super().__init__(params, NewtonRaphson(expected, damping, tolerance))

    def fill_gradients(self, count: int = 1) -> None:
        """Give each parameter the gradient of the summed loss over ``count`` as its ``grad``, for whoever looks."""
        state = self.reached
        if isinstance(state, NewtonState):
            self.vector.fill_gradients(state.sums.gradient / count)
