"""A model written as a formula."""

import copy
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from paramfit.errors import InputError
from paramfit.formulas.compiled_formula import compiled
from paramfit.formulas.exponents import LargeExponent
from paramfit.formulas.names import as_names, check_names
from paramfit.formulas.rooms import FunctionRoom
from paramfit.formulas.underflow import LostDigits
from paramfit.linalg.lapack import LARGEST_TO_SQUARE
from paramfit.models.base import ParametricModel, Separated, broadcast_parameters
from paramfit.parameters import dtype_named

__all__ = ["FormulaModel"]

_OWN = {"_parameters", "_buffers", "_modules"}  # what a copy must not share


class FormulaModel(ParametricModel):
    r"""Any closed-form expression, ``prediction = formula(variables; parameters)``.

    SymPy turns the text into a torch function and its exact Jacobian, so that every gradient rule and least squares
    work on it. Parameters in which the formula is linear are found: least squares needs no start for them.

    A formula has numbers, names, ``+ - * /``, powers (``**``, or ``^``, which is the same), brackets and the functions
    exp, expm1, log (ln), log1p, log2, log10, sqrt, abs, sin, cos, tan, asin (arcsin), acos, atan, atan2, sinh, cosh,
    tanh, asinh, acosh, atanh, erf, erfc, loggamma, sigmoid (expit), min and max. ``pi`` and ``e`` are constants unless
    they are declared. It is computed as it is written: sums in their order, nothing expanded.

    Args:
        formula: the right-hand side, as text.
        variables: names of the inputs, in the order of ``forward``; none for a constant.
        parameters: for each parameter its start, or a mapping with start, lower, upper, fixed, unit; nothing (null)
            where the formula is linear in it.
        dtype: precision of the parameters, ``float32`` or ``float64``.

    Shapes:
        inputs ``(n,)`` give ``(n,)``; parameters with leading dimensions broadcast, as in ``LinearModel``. Without
        variables the prediction is one number, ``()``.

    Raises:
        InputError: if the formula cannot be read, a name in it is unknown, a variable or a parameter is not in it,
            a start is missing, or a parameter cannot be made (``ParameterSpec``).

    Example:
        >>> import torch
        >>> model = FormulaModel("b1 * (1 - exp(-b2 * x))", ["x"], {"b1": None, "b2": 5e-4})
        >>> model.linear_parameters()
        ('b1',)
        >>> model.separated(torch.tensor([0.0, 2000.0], dtype=torch.float64)).basis["b1"].tolist()
        [0.0, 0.6321205588285577]
    """

    def __init__(
        self, formula: str, variables: Sequence[str], parameters: Mapping[str, Any], dtype: str = "float64"
    ) -> None:
        super().__init__()
        self.formula = formula
        self.variables = as_names("variables", variables)
        self.names = as_names("parameters", parameters)
        check_names(self, self.variables, self.names)
        self._compiled = compiled(formula, self.variables, self.names)
        used = self._compiled.names
        for name in self.variables:
            if name not in used:
                raise InputError(
                    f"variables: the formula does not depend on {name}; leave it out of the variables (and the inputs)"
                )
        for name in self.names:
            if name not in used:
                raise InputError(
                    f"parameters.{name}: the formula does not depend on it, so that no data can tell it; leave it out"
                )
        for name, given in zip(self.names, parameters.values(), strict=True):
            self.declare(name, given, dtype_named(dtype))
        self._find_linear()

    def __deepcopy__(self, memo: dict[int, Any]) -> "FormulaModel":
        """A copy with parameters of its own; without this, copying takes as long as a step of a small fit."""
        twin = memo[id(self)] = type(self).__new__(type(self))
        own = twin.__dict__
        for name, value in self.__dict__.items():
            own[name] = value.copy() if isinstance(value, dict | set) else value
        own.pop("_compiled_call_impl", None)  # which calls the module that it was made of
        for name in _OWN:
            own[name].update({key: copy.deepcopy(value, memo) for key, value in own[name].items()})
        return twin

    def leave_bounds_to_solver(self) -> None:
        """Bounded parameters may then be among those that it solves for exactly."""
        super().leave_bounds_to_solver()
        self._find_linear()

    def _find_linear(self) -> None:
        free = [name for name, spec in self.specifications.items() if not spec.fixed]
        startless = [name for name in free if self.specifications[name].start is None]
        linear = self._compiled.linear([name for name in free if name not in self.transforms], startless)
        for name in startless:
            if name not in linear:
                together = self._compiled.linear([name], [name])
                rivals = " and ".join(other for other in linear if other in startless)
                why = f"it multiplies {rivals}, which has none either" if together else "it is not linear in it"
                raise InputError(f"parameters.{name}.start: the formula needs one, since {why}")
        self._linear = linear
        self._others = tuple(name for name in free if name not in linear)
        self.linear_in_parameters = bool(free) and not self._others and not self.boxes

    def forward(self, *inputs: Tensor) -> Tensor:
        """The formula at the inputs."""
        value: Tensor = self._compiled.value(*inputs, *self._values(inputs))  # type: ignore[assignment]
        return value

    def jacobian(self, *inputs: Tensor) -> dict[str, Tensor | float]:
        """The exact derivative by each parameter."""
        columns = dict(zip(self.names, self._compiled.jacobian(*inputs, *self._values(inputs)), strict=True))
        return self.by_unconstrained(columns) if self.transforms else columns

    def value_and_jacobian(self, *inputs: Tensor) -> tuple[Any, dict[str, Tensor | float]]:
        """The formula and its derivatives, with what they have in common computed once."""
        value, *slopes = self._compiled.joint(*inputs, *self._values(inputs))
        columns = dict(zip(self.names, slopes, strict=True))
        return value, self.by_unconstrained(columns) if self.transforms else columns

    def locally_needed(self, *inputs: Tensor) -> Collection[str]:
        """The free parameters that the kinks of the formula do not leave out at every row."""
        free = [name for name, spec in self.specifications.items() if not spec.fixed]
        return self._compiled.locally_needed((*inputs, *self._values(inputs)), free)

    def large_exponents(self, *inputs: Tensor) -> list[LargeExponent]:
        """What exponentials are far out, if other starts of the free parameters that multiply inputs in them help.

        With all of these starts predictions are finite, of a size that can be squared, and move.
        """
        values = self._values(inputs)
        exponents = self._compiled.large_exponents(*inputs, *values) or []
        starts = {exponent.parameter: exponent.start for exponent in exponents}
        for name, start in starts.items():
            spec = self.specifications[name]
            is_below = spec.lower is not None and start <= spec.lower
            if spec.fixed or is_below or (spec.upper is not None and start >= spec.upper):
                return []
        moved = [
            value.new_tensor(starts[name]) if name in starts else value
            for name, value in zip(self.names, values, strict=True)
        ]
        prediction, *slopes = map(torch.as_tensor, self._compiled.joint(*inputs, *moved))
        is_usable = bool((prediction.abs() < LARGEST_TO_SQUARE).all()) and any(bool(slope.any()) for slope in slopes)
        return exponents if is_usable else []

    @property
    def magnifies_underflow(self) -> bool:
        """Whether a quotient or a function may make much of what was too small for float64."""
        return self._compiled.underflow.is_fragile

    def lost_digits(self, scale: Tensor, *inputs: Tensor) -> LostDigits | None:
        """The operation whose result is too small for float64 and changes most, by the ``scale`` ``(n,)`` of errors."""
        return self._compiled.underflow((*inputs, *self._values(inputs)), scale.numpy())

    @property
    def may_reach_edges(self) -> bool:
        """Whether parameters move an argument of a function that is not defined everywhere."""
        return bool(self._compiled.rooms.ends)

    def rooms(self, *inputs: Tensor) -> list[FunctionRoom]:
        """The room that arguments of functions, if parameters move them, have to the ends of where they are defined."""
        return self._compiled.rooms((*inputs, *self._values(inputs)))

    def linear_parameters(self) -> tuple[str, ...]:
        """Free parameters whose second derivatives, mixed ones included, all vanish."""
        return self._linear

    def separated(self, *inputs: Tensor) -> Separated:
        """The formula taken apart by ``linear_parameters()``."""
        function, basis, offset_slopes, basis_slopes = self._compiled.separated(self._linear, self._others)
        results = function(*inputs, *self._values(inputs))
        first, second = 1 + len(basis), 1 + len(basis) + len(offset_slopes)
        apart = Separated(
            results[0],
            dict(zip(basis, results[1:first], strict=True)),
            dict(zip(offset_slopes, results[first:second], strict=True)),
            dict(zip(basis_slopes, results[second:], strict=True)),
        )
        if not self.transforms:
            return apart
        slopes = self._transform_slopes()
        return apart._replace(
            offset_slopes={k: column * slopes.get(k, 1.0) for k, column in apart.offset_slopes.items()},
            basis_slopes={(j, k): column * slopes.get(k, 1.0) for (j, k), column in apart.basis_slopes.items()},
        )

    def _values(self, inputs: tuple[Tensor, ...]) -> list[Tensor]:
        self.check_count(inputs, "the formula has")
        parameters: dict[str, Any] = self._parameters  # where getattr finds them too, in ten times the time
        values = [self.natural(name) if self.transforms else parameters[name] for name in self.names]
        return broadcast_parameters(self.names, values, inputs[0].ndim if inputs else 1)
