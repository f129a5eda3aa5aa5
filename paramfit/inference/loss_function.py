"""The objective as a function of one vector, in float64."""

import copy
from collections.abc import Collection
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from paramfit.formulas.rooms import FunctionRoom
from paramfit.models import FormulaModel, ParametricModel
from paramfit.models.base import trainable_parameters
from paramfit.objectives import Objective
from paramfit.observations import Observations
from paramfit.passes.stable_functions import StableFunctions

__all__ = ["InPlaceOfForward", "LossFunction", "element_names"]


def element_names(model: nn.Module) -> tuple[str, ...]:
    """A name for each element of the trainable parameters: ``weight``, or ``weight[0,1]`` where it is not a scalar."""
    return _element_names(trainable_parameters(model))


def _element_names(parameters: dict[str, nn.Parameter]) -> tuple[str, ...]:
    names: list[str] = []
    for name, parameter in parameters.items():
        if parameter.ndim == 0:
            names.append(name)
            continue
        places = torch.cartesian_prod(*(torch.arange(size) for size in parameter.shape)).reshape(-1, parameter.ndim)
        names += [f"{name}[{','.join(map(str, place))}]" for place in places.tolist()]
    return tuple(names)


class InPlaceOfForward(nn.Module):
    """A method of a model in the place where ``functional_call`` looks for a forward; parameters are ``model.NAME``."""

    def __init__(self, model: ParametricModel, method: str) -> None:
        super().__init__()
        self.model, self._method = model, method

    def forward(self, *inputs: Tensor) -> Any:
        """What the method gives."""
        return getattr(self.model, self._method)(*inputs)


class LossFunction:
    """Objective, model and observations as a function of the flat parameter vector ``theta`` ``(p,)``.

    Everything is copied and computed in float64 on the CPU, whatever the fit's precision: curvatures and errors need
    the digits, and the fit's own tensors stay untouched. Theta holds the model's trainable
    parameters, in the order of ``named_parameters()``.
    """

    def __init__(self, model: nn.Module, objective: Objective, observations: Observations) -> None:
        with torch.no_grad():
            moved = observations.to(torch.empty((), dtype=torch.float64))
        self._hold(copy.deepcopy(model).to(device="cpu", dtype=torch.float64).eval(), objective, moved)

    @classmethod
    def around(cls, model: nn.Module, objective: Objective, observations: Observations) -> "LossFunction":
        """The same without copies, of what is float64, on the CPU and in evaluation mode already."""
        function = cls.__new__(cls)
        function._hold(model, objective, observations)
        return function

    def _hold(self, model: nn.Module, objective: Objective, observations: Observations) -> None:
        self.model, self.objective, self.observations = model, objective, observations
        self._trainable = trainable_parameters(model)
        self.names = _element_names(self._trainable)

    @property
    def n(self) -> int:
        """Number of observations."""
        return self.observations.n

    @property
    def p(self) -> int:
        """Number of parameters."""
        return len(self.names)

    @property
    def theta(self) -> Tensor:
        """The parameters as they were when this was made, ``(p,)``."""
        values = self._trainable.values()
        if all(value.ndim == 0 and value.dtype == torch.float64 for value in values):
            return torch.from_numpy(np.array([value.item() for value in values]))
        return torch.cat([value.detach().reshape(-1) for value in values])

    def natural(self, theta: Tensor) -> Tensor:
        """The parameters' values within their bounds, ``(p,)``: theta holds unconstrained numbers of bounded ones."""
        if not isinstance(self.model, ParametricModel) or not self.model.transforms:
            return theta
        values = theta.clone()
        for name, transform in self.model.transforms.items():
            place = self.names.index(name)
            values[place] = transform(theta[place])
        return values

    def slopes(self, theta: Tensor) -> Tensor:
        """Derivative of each parameter's value by its element of theta, ``(p,)``: 1 where there is no bound."""
        slopes = torch.ones_like(theta)
        if isinstance(self.model, ParametricModel):
            for name in self.model.transforms:
                place = self.names.index(name)
                slopes[place] = self.model.specifications[name].slope(theta[place])
        return slopes

    def _parameters(self, theta: Tensor) -> dict[str, Tensor]:
        pieces = torch.split(theta, [parameter.numel() for parameter in self._trainable.values()])
        return {
            name: piece.view(parameter.shape)
            for piece, (name, parameter) in zip(pieces, self._trainable.items(), strict=True)
        }

    def prediction(self, theta: Tensor) -> Tensor:
        """What the model's forward returns at ``theta``: ``(n,)`` or a distribution."""
        predicted: Tensor = functional_call(self.model, self._parameters(theta), self.observations.inputs)
        if isinstance(predicted, Tensor) and predicted.ndim == 0:
            predicted = predicted.expand(self.observations.target.shape)  # a constant
        return predicted

    def locally_needed(self, theta: Tensor) -> Collection[str] | None:
        """The parameters on which a prediction depends near theta; None where the model cannot tell."""
        if not isinstance(self.model, ParametricModel):
            return None
        needed: Collection[str] | None = self._by_method(self.model, "locally_needed", theta)
        return needed

    def rooms(self, theta: Tensor) -> list[FunctionRoom]:
        """The room that arguments of functions in a formula have at theta; none of any other model."""
        if not isinstance(self.model, FormulaModel):
            return []
        rooms: list[FunctionRoom] = self._by_method(self.model, "rooms", theta)
        return rooms

    def _by_method(self, model: ParametricModel, method: str, theta: Tensor) -> Any:
        named = {f"model.{name}": value for name, value in self._parameters(theta.detach()).items()}
        with torch.no_grad():
            return functional_call(InPlaceOfForward(model, method), named, self.observations.inputs)

    def __call__(self, theta: Tensor) -> Tensor:
        """The reduced loss with its penalty, ``()``."""
        loss = self.objective(self.prediction(theta), *self.observations.measured)
        if self.objective.penalised:
            loss = loss + self.objective.penalty(self._parameters(theta).values())
        return loss

    def gradient(self, theta: Tensor) -> Tensor:
        """Derivative of the loss, ``(p,)``."""
        with torch.enable_grad():
            point = theta.detach().clone().requires_grad_()
            (gradient,) = torch.autograd.grad(self(point), point, allow_unused=True, materialize_grads=True)
        return gradient.detach()

    def hessian(self, theta: Tensor) -> Tensor:
        """Second derivatives of the loss, ``(p, p)``, symmetric."""
        with torch.enable_grad():
            matrix: Tensor = torch.autograd.functional.hessian(self, theta.detach())  # type: ignore[no-untyped-call]
            if not bool(matrix.isfinite().all()):
                with StableFunctions():
                    matrix = torch.autograd.functional.hessian(self, theta.detach())  # type: ignore[no-untyped-call]
        return (matrix + matrix.T) / 2

    def hessian_product(self, theta: Tensor, direction: Tensor) -> Tensor:
        """The Hessian times a vector ``(p,)``, without the Hessian."""
        with torch.enable_grad():
            _, product = torch.autograd.functional.vhp(self, theta.detach(), direction)  # type: ignore[no-untyped-call]
        curved: Tensor = product
        return curved

    def jacobian(self, theta: Tensor) -> Tensor:
        """Derivative of each prediction by each parameter, ``(n, p)``: by the model itself, or by ``torch.func``."""
        if isinstance(self.model, ParametricModel) and all(one.ndim == 0 for one in self._trainable.values()):
            _, slopes = self._by_method(self.model, "value_and_jacobian", theta)
            columns = [torch.as_tensor(slopes[name], dtype=torch.float64).expand(self.n) for name in self.names]
            return torch.stack(columns, dim=1)
        with torch.enable_grad():
            matrix: Tensor = torch.func.jacfwd(self.prediction)(theta.detach())
        return matrix.detach()
