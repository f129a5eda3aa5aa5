"""The gradient by the chain rule, written out by hand."""

import weakref
from collections.abc import Callable
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

    def __init__(self) -> None:
        # Which of a model's columns are asked for is found out once: naming its parameters takes longer than the
        # arithmetic of a small update.
        self._checked: Callable[[], nn.Module | None] = lambda: None
        self._names: tuple[str, ...] = ()

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
        inputs, target, sigma = observations
        prediction = model(*inputs)
        loss = objective(prediction, target, sigma)
        derivative = objective.derivative(prediction, target, sigma)
        columns = cast("_KnowsItsJacobian", model).jacobian(*inputs)
        if self._checked() is not model:
            self._names = _trainable(model, columns)
            self._checked = weakref.ref(model)
        if len(columns) != len(self._names):
            columns = {name: columns[name] for name in self._names}
        gradients = objective.contract(derivative, columns)
        if objective.penalised:
            parameters = {name: value for name, value in model.named_parameters() if name in gradients}
            loss = loss + objective.penalty(parameters.values())
            gradients = {
                name: gradient + objective.penalty_gradient(parameters[name]) for name, gradient in gradients.items()
            }
        return loss, gradients


def _trainable(model: nn.Module, columns: dict[str, Tensor | float]) -> tuple[str, ...]:
    """The names of the trainable parameters, each of which needs a column."""
    names = tuple(name for name, parameter in model.named_parameters() if parameter.requires_grad)
    if missing := [name for name in names if name not in columns]:
        msg = f"{type(model).__name__}.jacobian has no column for the parameter {missing[0]}"
        raise InputError(msg)
    return names
