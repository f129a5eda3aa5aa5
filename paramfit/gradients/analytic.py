"""The gradient by the chain rule, written out by hand."""

from typing import Protocol, cast

import torch
from torch import Tensor, nn

from paramfit.errors import InputError
from paramfit.gradients.base import GradientRule
from paramfit.objectives import Objective
from paramfit.observations import Observations

__all__ = ["AnalyticGradient"]


class _KnowsItsJacobian(Protocol):
    def jacobian(self, *inputs: Tensor) -> dict[str, Tensor | float]: ...


class AnalyticGradient(GradientRule):
    r"""The chain rule: model Jacobian times objective derivative, without autograd.

    .. math:: \frac{dL}{d\theta_k} = \mathrm{reduce}_i\, \frac{d\ell_i}{dp_i}\, \frac{dp_i}{d\theta_k}

    Raises:
        InputError: for a model without ``jacobian(*inputs)``.
    """

    def __call__(
        self, model: nn.Module, objective: Objective, observations: Observations
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Predict, compare, contract with each column of the Jacobian."""
        if torch.is_grad_enabled():  # within a block it is off already, and turning it off costs a tenth of an update
            with torch.no_grad():
                return self(model, objective, observations)
        if not callable(getattr(model, "jacobian", None)):
            msg = (
                f"the analytic gradient rule needs {type(model).__name__}.jacobian(*inputs), a dictionary of the"
                " prediction's derivative by each parameter; give it one, or use AutogradGradient or NumericalGradient"
            )
            raise InputError(msg)
        inputs, target = observations.inputs, observations.target
        prediction = model(*inputs)
        loss = objective(prediction, target)
        derivative = objective.derivative(prediction, target)
        columns = cast("_KnowsItsJacobian", model).jacobian(*inputs)
        parameters = {name: value for name, value in model.named_parameters() if value.requires_grad}
        if columns.keys() != parameters.keys():
            columns = _matching(columns, parameters, type(model).__name__)
        gradients = objective.contract(derivative, columns)
        if objective.penalised:
            loss = loss + objective.penalty(parameters.values())
            gradients = {
                name: gradient + objective.penalty_gradient(parameters[name]) for name, gradient in gradients.items()
            }
        return loss, gradients


def _matching(
    columns: dict[str, Tensor | float], parameters: dict[str, nn.Parameter], model: str
) -> dict[str, Tensor | float]:
    """The columns of the trainable parameters alone."""
    if missing := [name for name in parameters if name not in columns]:
        msg = f"{model}.jacobian has no column for the parameter {missing[0]}"
        raise InputError(msg)
    return {name: columns[name] for name in parameters}
