"""The negative log-likelihood."""

from typing import Any

from torch import Tensor
from torch.distributions import Distribution, Normal

from paramfit.errors import InputError
from paramfit.objectives.base import Objective

__all__ = ["NegativeLogLikelihood"]


class NegativeLogLikelihood(Objective):
    r"""Negative log-likelihood, ``-log p(target)`` for each observation; dimensionless.

    Args:
        reduction: ``sum`` (the likelihood of the sample) or ``mean``.
        l1: weight of an L1 penalty on the parameters.
        l2: weight of an L2 penalty on the parameters.

    Raises:
        InputError: for an unknown reduction, a penalty below 0, a model that returns no distribution, or (by the
            analytic rule) a distribution other than the normal.

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
        if sigma is not None:
            msg = (
                "data.sigma: the negative log-likelihood has a scale of its own and no use for known errors; leave"
                " sigma out, or use LeastSquares"
            )
            raise InputError(msg)
        if not isinstance(prediction, Distribution):
            msg = (
                "the negative log-likelihood needs a model whose forward returns a torch.distributions.Distribution,"
                f" but got {type(prediction).__name__}; use SquaredError or AbsoluteError for a prediction"
            )
            raise InputError(msg)
        log_density: Tensor = prediction.log_prob(target)
        return -log_density

    def derivative(self, prediction: Any, target: Tensor, sigma: Tensor | None = None) -> Tensor:
        """The normal's negative score by its location, ``(location - target) / scale**2``."""
        del sigma  # refused where the loss is computed
        if not isinstance(prediction, Normal):
            msg = (
                f"the analytic rule knows the score of the normal distribution, not of {type(prediction).__name__};"
                " use AutogradGradient or NumericalGradient"
            )
            raise InputError(msg)
        return (prediction.loc - target) / prediction.scale**2
