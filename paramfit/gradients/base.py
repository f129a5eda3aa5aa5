"""What a gradient rule is."""

from abc import ABC, abstractmethod

from torch import Tensor, nn

from paramfit.objectives import Objective
from paramfit.observations import Observations

__all__ = ["GradientRule"]


class GradientRule(ABC):
    """How the derivative of the loss by each parameter is obtained."""

    @abstractmethod
    def __call__(
        self, model: nn.Module, objective: Objective, observations: Observations
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss at the present parameters, and its gradient.

        Args:
            model: its trainable ``named_parameters()`` are what is estimated.
            objective: its reduction and penalty are part of the loss.
            observations: one batch.

        Returns:
            The loss ``()``, and for each trainable parameter its derivative, in the parameter's shape. Neither
            tracks gradients.
        """
