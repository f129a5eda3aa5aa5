"""The gradient by central differences."""

import torch
from torch import Tensor, nn

from paramfit.errors import InputError
from paramfit.gradients.base import GradientRule
from paramfit.models.base import trainable_parameters
from paramfit.objectives import Objective
from paramfit.observations import Observations

__all__ = ["NumericalGradient"]


class NumericalGradient(GradientRule):
    r"""Central differences, ``(L(theta + delta) - L(theta - delta)) / (2 delta)`` for each parameter in turn.

    Its error is of second order in delta (zero for a quadratic loss), plus rounding of order ``eps * L / delta``; once
    a float32 parameter is so large that ``theta + delta`` rounds back to it, the rule sees no slope at all.

    Args:
        delta: half the width of the difference, above 0, in the parameter's own unit.

    Raises:
        InputError: if delta is not positive.
    """

    def __init__(self, delta: float = 0.1) -> None:
        if not delta > 0:
            raise InputError(f"delta: a finite difference needs a step above 0, but got {delta}")
        self.delta = delta

    @torch.no_grad()
    def __call__(
        self, model: nn.Module, objective: Objective, observations: Observations
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Two evaluations of the loss for each parameter, and one of the loss itself."""
        parameters = trainable_parameters(model)

        def loss_now() -> Tensor:
            loss = objective(model(*observations.inputs), *observations.measured)
            return loss + objective.penalty(parameters.values()) if objective.penalised else loss

        loss = loss_now()
        gradients = {}
        for name, parameter in parameters.items():
            gradient = torch.empty_like(parameter)
            element, slope = parameter.view(-1), gradient.view(-1)
            for index in range(parameter.numel()):
                present = element[index].clone()
                element[index] = present + self.delta
                above = loss_now()
                element[index] = present - self.delta
                below = loss_now()
                element[index] = present
                slope[index] = (above - below) / (2.0 * self.delta)
            gradients[name] = gradient
        return loss, gradients
