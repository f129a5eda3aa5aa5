"""The squared error."""

from torch import Tensor

from paramfit.errors import InputError
from paramfit.objectives.base import Objective, check_shapes
from paramfit.objectives.summation import Pairwise, Sequential

__all__ = ["SquaredError"]

_ORDERS = {"pairwise": Pairwise(), "sequential": Sequential()}


class SquaredError(Objective):
    r"""Squared error, ``(prediction - target)**2`` for each observation; its mean is the mean squared error.

    Its unit is that of the target, squared. With known errors it is ``((prediction - target) / sigma)**2``, which has
    none; its sum is then chi-squared.

    Args:
        reduction: ``mean`` or ``sum``.
        summation: ``pairwise`` as torch sums, or ``sequential``, left to right and divided last, as a textbook's loop
            over the rows does; in float32 the two differ in the last printed digits.
        l1: weight of an L1 penalty on the parameters.
        l2: weight of an L2 penalty on the parameters.

    Raises:
        InputError: for an unknown reduction or summation, a penalty below 0, or shapes that do not match.

    Example:
        >>> import torch
        >>> SquaredError()(torch.tensor([1.0, 3.0]), torch.tensor([0.0, 0.0])).item()
        5.0
    """

    def __init__(self, reduction: str = "mean", summation: str = "pairwise", l1: float = 0.0, l2: float = 0.0) -> None:
        if summation not in _ORDERS:
            raise InputError(f"summation: expected one of {', '.join(_ORDERS)}, but got {summation!r}")
        super().__init__(reduction, l1, l2, _ORDERS[summation])

    def per_observation(self, prediction: Tensor, target: Tensor, sigma: Tensor | None = None) -> Tensor:
        """``(prediction - target)**2``, over ``sigma**2`` where it is known."""
        check_shapes(prediction, target)
        residual = prediction - target
        return residual.square() if sigma is None else (residual / sigma).square()

    def derivative(self, prediction: Tensor, target: Tensor, sigma: Tensor | None = None) -> Tensor:
        """``2 * (prediction - target)``, over ``sigma**2`` where it is known."""
        residual = prediction - target
        if sigma is not None:
            residual = residual / sigma.square()
        return residual + residual  # exactly 2r, and twice as fast as multiplying by a Python number
