"""The gradient by the chain rule, written out by hand."""

import weakref
from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn

from paramfit.distributions import censored_score, score
from paramfit.errors import InputError
from paramfit.gradients.base import GradientRule
from paramfit.models import DistributionModel
from paramfit.models.base import trainable_parameters
from paramfit.objectives import Objective
from paramfit.observations import Observations

__all__ = ["AnalyticGradient"]


class AnalyticGradient(GradientRule):
    r"""The chain rule: model Jacobian times objective derivative, without autograd.

    .. math:: \frac{dL}{d\theta_k} = \mathrm{reduce}_i\, \frac{d\ell_i}{dp_i}\, \frac{dp_i}{d\theta_k}

    A ``DistributionModel`` has several arguments :math:`\eta_a`, whose scores are closed forms where there are any:

    .. math:: \frac{dL}{d\theta_k} = \mathrm{reduce}_i\, \Big(-\sum_a \frac{\partial \log p(y_i)}{\partial \eta_{ia}}\,
        \frac{\partial \eta_{ia}}{\partial \theta_k}\Big)

    Raises:
        InputError: for a model without ``jacobian(*inputs)``.
    """

    def __init__(self) -> None:
        # Which of a model's columns are asked for is found out once: naming its parameters takes longer than the
        # arithmetic of a small update.
        self._checked: Callable[[], nn.Module | None] = lambda: None
        self._names: tuple[str, ...] = ()
        self._has_arguments = False

    def __call__(
        self, model: nn.Module, objective: Objective, observations: Observations
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Predict, compare, contract with each column of the Jacobian."""
        if torch.is_grad_enabled():  # within a block it is off already, and turning it off costs a tenth of an update
            with torch.no_grad():
                return self(model, objective, observations)
        if self._checked() is not model:
            self._examine(model)
        if self._has_arguments:
            loss, gradients = _by_arguments(cast("DistributionModel", model), objective, observations)
        else:
            loss, gradients = self._by_prediction(model, objective, observations)
        if objective.penalised:
            parameters = {name: value for name, value in model.named_parameters() if name in gradients}
            loss = loss + objective.penalty(parameters.values())
            gradients = {
                name: gradient + objective.penalty_gradient(parameters[name]) for name, gradient in gradients.items()
            }
        return loss, gradients

    def _examine(self, model: nn.Module) -> None:
        if not callable(getattr(model, "jacobian", None)):
            raise InputError(
                f"the analytic gradient rule needs {type(model).__name__}.jacobian(*inputs), a dictionary of the"
                " prediction's derivative by each parameter; give it one, or use AutogradGradient or NumericalGradient"
            )
        self._names = ()
        self._has_arguments = isinstance(model, DistributionModel)
        self._checked = weakref.ref(model)

    def _by_prediction(
        self, model: nn.Module, objective: Objective, observations: Observations
    ) -> tuple[Tensor, dict[str, Tensor]]:
        inputs, target, sigma, censoring = observations
        if censoring is not None:
            raise InputError(
                f"data.censoring: the analytic rule has no score of {type(model).__name__} for censored observations;"
                " use AutogradGradient, or a DistributionModel"
            )
        prediction = model(*inputs)
        loss = objective(prediction, target, sigma)
        derivative = objective.derivative(prediction, target, sigma)
        columns: dict[str, Tensor | float] = cast("Any", model).jacobian(*inputs)
        if not self._names:
            self._names = _trainable(model, columns)
        if len(columns) != len(self._names):
            columns = {name: columns[name] for name in self._names}
        return loss, objective.contract(derivative, columns)


def _by_arguments(
    model: DistributionModel, objective: Objective, observations: Observations
) -> tuple[Tensor, dict[str, Tensor]]:
    """Loss and gradient by way of the arguments, each of which may depend on several parameters."""
    inputs, target, _, censoring = observations
    distribution = model(*inputs)
    loss = objective(distribution, *observations.measured)
    columns = model.argument_jacobian(*inputs)
    wanted = [name for name in model.names if columns[name]]
    if censoring is None:
        scores = score(distribution, target, wanted)
    else:
        scores = censored_score(distribution, target, *censoring, wanted)
    gradients = {name: torch.zeros_like(value) for name, value in trainable_parameters(model).items()}
    for argument, column in scores.items():
        parts = objective.contract(-column.expand(target.shape), columns[argument])
        for name in parts.keys() & gradients.keys():
            gradients[name] = gradients[name] + parts[name]
    return loss, gradients


def _trainable(model: nn.Module, columns: dict[str, Tensor | float]) -> tuple[str, ...]:
    """The names of the trainable parameters, each of which needs a column."""
    names = tuple(trainable_parameters(model))
    if missing := [name for name in names if name not in columns]:
        raise InputError(f"{type(model).__name__}.jacobian has no column for the parameter {missing[0]}")
    return names
