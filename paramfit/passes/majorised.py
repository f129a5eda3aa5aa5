"""The negative log-likelihood as solvers see it."""

from torch import Tensor
from torch.distributions import Distribution

from paramfit.distributions import kinked_argument, majorised_log_prob
from paramfit.objectives.negative_log_likelihood import NegativeLogLikelihood

__all__ = ["MajorisedLikelihood"]


class MajorisedLikelihood(NegativeLogLikelihood):
    """The same values and slopes; where a density has a kink, second derivatives of the parabola that touches it.

    Args:
        objective: whose reduction this has.
    """

    def __init__(self, objective: NegativeLogLikelihood) -> None:
        super().__init__(objective.reduction, objective.l1, objective.l2)

    def _log_prob(self, distribution: Distribution, target: Tensor) -> Tensor:
        if kinked_argument(distribution, tuple(distribution.arg_constraints)):
            return majorised_log_prob(distribution, target)
        return super()._log_prob(distribution, target)
