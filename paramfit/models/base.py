"""What the models of paramfit have in common."""

import math
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.distributions.transforms import Transform

from paramfit.errors import InputError
from paramfit.parameters import ParameterSpec

__all__ = [
    "ParametricModel",
    "Separated",
    "boxes_of",
    "broadcast_parameters",
    "leave_bounds_to_solver",
    "match_columns",
    "natural_values",
    "specification_of",
    "start_value",
    "trainable_parameters",
    "unconstrained_values",
]

_NO_BOX = (-math.inf, math.inf)


class Separated(NamedTuple):
    r"""A prediction taken apart into what is linear in some parameters c and what is not (in the others, a).

    .. math:: f(x; a, c) = \phi_0(x; a) + \sum_j c_j\, \phi_j(x; a)

    Every column is ``(n,)`` or one number for all rows; derivatives are by the ``nn.Parameter`` itself, so by the
    unconstrained number of a bounded parameter. What is not there is 0.
    """

    offset: Tensor | float  # phi_0
    basis: dict[str, Tensor | float]  # phi_j for each linear parameter
    offset_slopes: dict[str, Tensor | float]  # derivative of phi_0 by each other trainable parameter
    basis_slopes: dict[tuple[str, str], Tensor | float]  # derivative of phi_j by a_k, at (j, k)


class ParametricModel(nn.Module, ABC):
    """A model whose ``nn.Parameter``s are what is estimated, and which knows its own Jacobian.

    ``forward(*inputs)`` gives a prediction tensor, or a ``torch.distributions.Distribution`` for a likelihood.
    Parameters are scalars; they may also be given leading dimensions (``torch.func.functional_call``), which then
    broadcast with each other and lead the observations: parameters ``(2, 3)`` and inputs ``(n,)`` give ``(2, 3, n)``.

    A subclass makes its parameters by ``declare``, in the one form of ``ParameterSpec``, and reads them by
    ``natural`` where one may be bounded.

    Any other ``nn.Module`` can be fitted as well; this base is needed for the analytic gradient rule, closed-form
    estimates, bounds, and estimates in original units.
    """

    #: Whether the prediction is linear in every ``nn.Parameter``; then least squares has a closed form.
    linear_in_parameters: bool = False
    #: Names of the inputs in the order of ``forward``, where the model has any.
    variables: tuple[str, ...] = ()
    #: How each parameter was described.
    specifications: Mapping[str, ParameterSpec] = {}
    #: For each parameter whose bounds hold by a transform the way from its unconstrained number to its value.
    transforms: Mapping[str, Transform] = {}
    #: Lower and upper bound of each parameter whose bounds a solver keeps.
    boxes: Mapping[str, tuple[float, float]] = {}

    def declare(self, name: str, given: Any, dtype: torch.dtype) -> ParameterSpec:
        """Make one parameter.

        Args:
            name: what it is called.
            given: a start, a mapping, or a ``ParameterSpec``; without a start it begins at 0.
            dtype: its precision.

        Raises:
            InputError: if it cannot be made.
        """
        if isinstance(given, Tensor):
            self.register_parameter(name, start_value(name, given, dtype))
            spec = ParameterSpec(start=None if given.ndim else given.item())
        else:
            spec = ParameterSpec.of(name, given)
            transform = spec.transform
            start = torch.tensor(0.0 if spec.start is None else spec.start, dtype=torch.float64)
            if transform is not None:
                self.transforms = {**self.transforms, name: transform}
                self.linear_in_parameters = False
                start = _unconstrained_start(spec)
            parameter = start_value(name, start, dtype)
            parameter.requires_grad_(not spec.fixed)
            self.register_parameter(name, parameter)
        self.specifications = {**self.specifications, name: spec}
        return spec

    def restore_fixed(self) -> None:
        """Give fixed parameters the value they were declared with, after a change of precision rounded it."""
        for name, spec in self.specifications.items():
            if spec.fixed and spec.start is not None:
                getattr(self, name).data.fill_(spec.start)

    def leave_bounds_to_solver(self) -> None:
        """Hold the value itself of each parameter whose bounds the user gave: the solver keeps them, as ``boxes``.

        A start that is still as it was declared becomes the declared one to the last digit, on its bound or off it.
        """
        for name in self._bounded_by_user():
            parameter, spec = getattr(self, name), self.specifications[name]
            declared = _unconstrained_start(spec).to(parameter.dtype)
            value = self.transforms[name](parameter.detach()).clamp(*spec.box)
            if spec.start is not None and parameter.item() == declared.item():
                value = torch.full_like(parameter, spec.start)
            parameter.data = value
            self.boxes = {**self.boxes, name: spec.box}
        self.transforms = {name: way for name, way in self.transforms.items() if name not in self.boxes}

    def _bounded_by_user(self) -> tuple[str, ...]:
        """The parameters with a transform whose bounds are the user's own."""
        return tuple(self.transforms)

    def natural(self, name: str) -> Tensor:
        """The value of a parameter: within its bounds, if it has any."""
        parameter: Tensor = getattr(self, name)
        transform = self.transforms.get(name)
        return parameter if transform is None else transform(parameter)

    def check_count(self, inputs: Sequence[Tensor], owner: str) -> None:
        """Refuse another number of input columns than there are variables; ``owner`` begins the sentence: who has."""
        if len(inputs) != len(self.variables):
            raise InputError(
                f"inputs: {owner} {len(self.variables)} variables ({', '.join(self.variables) or 'none'}), but the data"
                f" have {len(inputs)} input columns"
            )

    def take_columns(self, columns: Sequence[str]) -> None:
        """Learn what the input columns are called; most models know their variables without."""

    def _transform_slopes(self) -> dict[str, Tensor]:
        """Derivative of each bounded parameter's value by its ``nn.Parameter``."""
        return {name: self.specifications[name].slope(getattr(self, name)) for name in self.transforms}

    def by_unconstrained(self, columns: dict[str, Tensor | float]) -> dict[str, Tensor | float]:
        """Derivatives by the values as derivatives by the ``nn.Parameter``s: the chain rule's last factor."""
        slopes = self._transform_slopes()
        return {name: column * slopes[name] if name in slopes else column for name, column in columns.items()}

    def linear_parameters(self) -> tuple[str, ...]:
        """Free parameters in which the prediction is linear while all others are held.

        Least squares solves for them exactly, within bounds that are left to it; those that hold by a transform are not
        linear. Their mixed second derivatives all vanish, so that of two factors of a product there is one.
        """
        if not type(self).linear_in_parameters or self.transforms:
            return ()
        return tuple(trainable_parameters(self))

    def separated(self, *inputs: Tensor) -> Separated:
        """The prediction taken apart by ``linear_parameters()``, at the present values of the others.

        Args:
            inputs: one tensor ``(n,)`` for each input column.
        """
        names = self.linear_parameters()
        none = {name: torch.zeros_like(parameter) for name, parameter in self.named_parameters() if name in names}
        columns = self.jacobian(*inputs)
        offset: Tensor = torch.func.functional_call(self, none, inputs)
        return Separated(offset, {name: columns[name] for name in names}, {}, {})

    @abstractmethod
    def jacobian(self, *inputs: Tensor) -> dict[str, Tensor | float]:
        """Derivative of each observation's prediction (or location) by each ``nn.Parameter``.

        Args:
            inputs: one tensor ``(n,)`` for each input column.

        Returns:
            For each parameter name a column ``(n,)``, or one number where it is the same for every observation.
        """

    def value_and_jacobian(self, *inputs: Tensor) -> tuple[Any, dict[str, Tensor | float]]:
        """The prediction and its Jacobian, for models in which they share work."""
        return self(*inputs), self.jacobian(*inputs)

    def locally_needed(self, *inputs: Tensor) -> Collection[str] | None:
        """The free parameters on which a prediction depends near their values; None where the model cannot tell.

        One that ``max`` or ``min`` leaves out at every row is not among them; one whose term has underflowed is.
        """
        del inputs
        return None

    def original_units(self, shift: float, scale: float) -> Tensor | None:
        """How estimates on the normalised input ``z = (x - shift) * scale`` become those on ``x``.

        Returns:
            The matrix M ``(p, p)``, float64, of the linear map ``theta_x = M theta_z`` in the order of
            ``named_parameters()``; None where the model cannot undo it.
        """
        return None

    def sample_estimate(self, target: Tensor) -> dict[str, Tensor] | None:
        """Closed-form maximum-likelihood estimates from a sample ``(n,)``, where there are any."""
        return None


def _unconstrained_start(spec: ParameterSpec) -> Tensor:
    """The number by which a transform stands for the start."""
    start = torch.tensor(spec.inner_start, dtype=torch.float64)
    transform = spec.transform
    return start if transform is None else transform.inv(start)


def leave_bounds_to_solver(model: nn.Module) -> None:
    """Have a model that knows of bounds leave them to a solver (``ParametricModel.leave_bounds_to_solver``)."""
    if isinstance(model, ParametricModel) and model.transforms and all(not p.ndim for p in model.parameters()):
        model.leave_bounds_to_solver()


def boxes_of(model: nn.Module, names: Sequence[str]) -> tuple[tuple[float, float], ...]:
    """Bounds that a solver has to keep, of each of the parameters; nothing where there are none."""
    boxes = model.boxes if isinstance(model, ParametricModel) else {}
    return tuple(boxes.get(name, _NO_BOX) for name in names) if boxes.keys() & set(names) else ()


def trainable_parameters(model: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters that are estimated, by name."""
    if type(model).named_parameters is nn.Module.named_parameters and not model._modules:
        own = model._parameters.items()  # of which torch's walk through submodules makes a tenfold of the time
        return {name: value for name, value in own if value is not None and value.requires_grad}
    return {name: value for name, value in model.named_parameters() if value.requires_grad}


def natural_values(model: nn.Module, names: Sequence[str], parameters: Sequence[Tensor]) -> list[Tensor]:
    """Parameters as values within their bounds, where the model knows of bounds."""
    transforms = getattr(model, "transforms", {})
    return [
        transforms[name](parameter.detach()) if name in transforms else parameter
        for name, parameter in zip(names, parameters, strict=True)
    ]


def unconstrained_values(model: nn.Module, name: str, values: Tensor) -> Tensor:
    """What a ``nn.Parameter`` is at these values of the parameter, of any shape; the inverse of ``natural_values``."""
    transforms: Mapping[str, Transform] = getattr(model, "transforms", {})
    return transforms[name].inv(values) if name in transforms else values


def specification_of(model: nn.Module, name: str) -> ParameterSpec:
    """What was said of a parameter before the fit; nothing where the model knows of none."""
    specifications = model.specifications if isinstance(model, ParametricModel) else {}
    return specifications.get(name, ParameterSpec())


def match_columns(model: nn.Module, inputs: Sequence[str]) -> None:
    """Tell a model what its input columns are called.

    Those that have the variables' names, but another order, are refused: they are matched by position.

    Raises:
        InputError: naming both orders.

    Example:
        >>> from paramfit.models import FormulaModel
        >>> match_columns(FormulaModel("a * c / t", ["c", "t"], {"a": 1.0}), ["t", "c"])
        Traceback (most recent call last):
        paramfit.errors.InputError: inputs: the columns are t, c, but the model's variables are c, t, and the first ...
    """
    if not isinstance(model, ParametricModel):
        return
    model.take_columns(inputs)
    variables = model.variables
    if tuple(inputs) != variables and sorted(inputs) == sorted(variables):
        raise InputError(
            f"inputs: the columns are {', '.join(inputs)}, but the model's variables are {', '.join(variables)}, and"
            f" the first column is taken for the first variable; give inputs as [{', '.join(variables)}]"
        )


def start_value(name: str, value: float | Tensor, dtype: torch.dtype) -> nn.Parameter:
    """A parameter that starts at ``value``.

    Raises:
        InputError: if the value is not finite.
    """
    start = torch.as_tensor(value, dtype=dtype).clone()
    if not bool(torch.isfinite(start).all()):
        raise InputError(f"{name}: a start must be a finite number, but got {value!r}")
    return nn.Parameter(start)


def broadcast_parameters(names: Sequence[str], parameters: Sequence[Tensor], trailing: int = 1) -> list[Tensor]:
    """Parameters with room for the observations behind their own leading dimensions.

    Scalars are left as they are; a parameter ``(...)`` becomes ``(..., 1)``, or has more ``trailing`` ones.

    Raises:
        InputError: if the shapes do not broadcast; the message names both.
    """
    if not any([parameter.ndim for parameter in parameters]):  # a list takes half of a generator's time
        return list(parameters)
    for (name, one), (other, another) in combinations(zip(names, parameters, strict=True), 2):
        common = zip(reversed(one.shape), reversed(another.shape), strict=False)  # the longer shape leads
        if any(1 != m != n != 1 for m, n in common):
            raise InputError(
                f"shapes do not broadcast: {name} has {tuple(one.shape)} and {other} has {tuple(another.shape)};"
                " sizes must be equal or 1, compared from the right"
            )
    room = (1,) * trailing
    return [parameter if parameter.ndim == 0 else parameter.reshape(parameter.shape + room) for parameter in parameters]
