"""The negative log-likelihood."""

from typing import Any

from torch import Tensor
from torch.distributions import Distribution, Normal

from paramfit.distributions import censored_log_prob, log_density
from paramfit.distributions.domain import infinite_outside
from paramfit.errors import InputError
from paramfit.objectives.base import Objective
from paramfit.observations import Censored

__all__ = ["NegativeLogLikelihood"]


class NegativeLogLikelihood(Objective):
    r"""Negative log-likelihood, ``-log p(target)`` for each observation; dimensionless.

    It is infinite where an argument of the distribution is outside what its ``arg_constraints`` allow.

    Args:
        reduction: ``sum`` (the likelihood of the sample) or ``mean``.
        l1: weight of an L1 penalty on the parameters.
        l2: weight of an L2 penalty on the parameters.

    Raises:
        InputError: for an unknown reduction, a penalty below 0, a model that returns no distribution, or (by the
            analytic rule) a distribution other than the normal, unless it is that of a ``DistributionModel``.

    Example:
        >>> import torch
        >>> loss = NegativeLogLikelihood()(Normal(0.0, 1.0), torch.zeros(2))
        >>> round(loss.item(), 4)  # log(2 pi)
        1.8379
    """

    def __init__(self, reduction: str = "sum", l1: float = 0.0, l2: float = 0.0) -> None:
        super().__init__(reduction, l1, l2)

    def per_observation(self, prediction: Any, target: Tensor, sigma: Tensor | None = None) -> Tensor:
        """``-log p(target)``."""
        distribution = _distribution(prediction, sigma)
        return infinite_outside(distribution, -self._log_prob(distribution, target))

    def censored(self, prediction: Any, target: Tensor, sigma: Tensor | None, censoring: Censored) -> Tensor:
        """``-log p(target)`` of values; of bounds minus the log-probability of what they leave."""
        distribution = _distribution(prediction, sigma)
        log_prob = censored_log_prob(distribution, target, censoring.status, censoring.upper, self._log_prob)
        return infinite_outside(distribution, -log_prob)

    def _log_prob(self, distribution: Distribution, target: Tensor) -> Tensor:
        return log_density(distribution, target)

    def derivative(self, prediction: Any, target: Tensor, sigma: Tensor | None = None) -> Tensor:
        """The normal's negative score by its location, ``(location - target) / scale**2``."""
        if not isinstance(prediction, Normal):
            raise InputError(
                f"the analytic rule knows the score of the normal distribution, not of {type(prediction).__name__};"
                " use AutogradGradient, NumericalGradient, or a DistributionModel"
            )
        return (prediction.loc - target) / prediction.scale**2


def _distribution(prediction: Any, sigma: Tensor | None) -> Distribution:
    """The prediction, if it is one that a likelihood can be taken of."""
    if sigma is not None:
        raise InputError(
            "data.sigma: the negative log-likelihood has a scale of its own and no use for known errors; leave"
            " sigma out, or use LeastSquares"
        )
    if not isinstance(prediction, Distribution):
        raise InputError(
            "the negative log-likelihood needs a model whose forward returns a torch.distributions.Distribution,"
            f" but got {type(prediction).__name__}; use SquaredError or AbsoluteError for a prediction"
        )
    return prediction
