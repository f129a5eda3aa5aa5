"""The gradient by reverse-mode automatic differentiation."""

import torch
from torch import Tensor, nn

from paramfit.gradients.base import GradientRule
from paramfit.models.base import trainable_parameters
from paramfit.objectives import Objective
from paramfit.observations import Observations

__all__ = ["AutogradGradient"]


class AutogradGradient(GradientRule):
    """The gradient as torch's autograd computes it: exact to rounding, for any model that torch can differentiate.

    A parameter that the loss does not depend on has a gradient of 0.
    """

    def __call__(
        self, model: nn.Module, objective: Objective, observations: Observations
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Record the loss, then walk the record backwards."""
        parameters = trainable_parameters(model)
        with torch.enable_grad():
            loss = objective(model(*observations.inputs), *observations.measured)
            if objective.penalised:
                loss = loss + objective.penalty(parameters.values())
            gradients = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True, materialize_grads=True)
        return loss.detach(), dict(zip(parameters, gradients, strict=True))
