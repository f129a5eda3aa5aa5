"""The absolute error."""

from torch import Tensor

from paramfit.objectives.base import Objective, check_shapes

__all__ = ["AbsoluteError"]


class AbsoluteError(Objective):
    r"""Absolute error, ``|prediction - target|`` for each observation: the median's loss, which outliers move little.

    Its unit is that of the target; with known errors, ``|prediction - target| / sigma``, it has none. It has no
    curvature, so no standard errors and no largest stable learning rate.

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

    def per_observation(self, prediction: Tensor, target: Tensor, sigma: Tensor | None = None) -> Tensor:
        """``|prediction - target|``, over ``sigma`` where it is known."""
        check_shapes(prediction, target)
        size = (prediction - target).abs()
        return size if sigma is None else size / sigma

    def derivative(self, prediction: Tensor, target: Tensor, sigma: Tensor | None = None) -> Tensor:
        """The sign of ``prediction - target`` (over ``sigma``), and 0 at the kink, as autograd has it."""
        sign = (prediction - target).sign()
        return sign if sigma is None else sign / sigma
