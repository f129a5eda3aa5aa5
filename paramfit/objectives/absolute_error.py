"""The absolute error."""

from torch import Tensor

from paramfit.objectives.base import Objective, check_shapes

__all__ = ["AbsoluteError"]


class AbsoluteError(Objective):
    r"""Absolute error, ``|prediction - target|`` for each observation: the median's loss, which outliers move little.

    Its unit is that of the target. It has no curvature, so no standard errors and no largest stable learning rate.

    Args:
        reduction: ``mean`` or ``sum``.
        l1: weight of an L1 penalty on the parameters.
        l2: weight of an L2 penalty on the parameters.

    Raises:
        InputError: for an unknown reduction, a penalty below 0, or shapes that do not match.

    Example:
        >>> import torch
        >>> AbsoluteError()(torch.tensor([1.0, 3.0]), torch.tensor([0.0, 0.0])).item()
        2.0
    """

    def __init__(self, reduction: str = "mean", l1: float = 0.0, l2: float = 0.0) -> None:
        super().__init__(reduction, l1, l2)

    def per_observation(self, prediction: Tensor, target: Tensor) -> Tensor:
        """``|prediction - target|``."""
        check_shapes(prediction, target)
        return (prediction - target).abs()

    def derivative(self, prediction: Tensor, target: Tensor) -> Tensor:
        """The sign of ``prediction - target``, and 0 at the kink, as autograd has it."""
        return (prediction - target).sign()
