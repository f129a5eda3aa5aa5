"""A formula as torch functions: its value, its Jacobian, and its parts that are linear in some parameters."""

from collections.abc import Callable, Collection, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import sympy as sp
from sympy.core.parameters import distribute
from torch import Tensor

from paramfit.formulas.elementary import is_finite
from paramfit.formulas.expression import parse_expression
from paramfit.formulas.linearity import linear_set
from paramfit.formulas.torch_code import torch_function

__all__ = ["CompiledFormula", "SeparatedParts"]


class SeparatedParts(NamedTuple):
    """One function for all parts of a separated formula, and what its results are.

    Attributes:
        function: of variables and parameters; returns the offset, the basis and both kinds of slopes, in this order.
        basis: the linear parameters.
        offset_slopes: parameters by which the offset has a derivative other than 0.
        basis_slopes: the same for the basis, as ``(linear parameter, parameter)``.
    """

    function: Callable[..., list[Tensor | float]]
    basis: tuple[str, ...]
    offset_slopes: tuple[str, ...]
    basis_slopes: tuple[tuple[str, str], ...]


class CompiledFormula:
    """A formula, parsed and differentiated once; copies of a model share it.

    The parameters follow the variables as arguments of all its functions.

    Raises:
        InputError: if it cannot be parsed.
    """

    def __init__(self, text: str, variables: Sequence[str], parameters: Sequence[str]) -> None:
        self._made_of = (text, tuple(variables), tuple(parameters))
        names = (*variables, *parameters)
        self.expression = parse_expression(text, names)
        self._symbols = {name: sp.Symbol(name, real=True) for name in names}
        with distribute(False):  # 2 * (a + b) stays what it is
            self.slopes: dict[str, Any] = {name: self.expression.diff(self._symbols[name]) for name in parameters}

        self._separated: dict[tuple[tuple[str, ...], tuple[str, ...]], SeparatedParts] = {}

    def __deepcopy__(self, memo: dict[int, Any]) -> "CompiledFormula":
        """Itself: nothing in it changes."""
        return self

    def __reduce__(self) -> tuple[type["CompiledFormula"], tuple[str, tuple[str, ...], tuple[str, ...]]]:
        """What it was made of, since functions made at run time cannot be pickled."""
        return CompiledFormula, self._made_of

    @property
    def names(self) -> frozenset[str]:
        """The variables and parameters that the value depends on."""
        names = frozenset(symbol.name for symbol in self.expression.free_symbols)
        return names - {name for name, slope in self.slopes.items() if slope == 0}

    @cached_property
    def value(self) -> Callable[..., list[Tensor | float]]:
        """The prediction, alone in its list."""
        return self._function([self.expression])

    @cached_property
    def jacobian(self) -> Callable[..., list[Tensor | float]]:
        """The derivative by each parameter."""
        return self._function(list(self.slopes.values()))

    @cached_property
    def joint(self) -> Callable[..., list[Tensor | float]]:
        """The prediction and the derivatives, with what they have in common computed once."""
        return self._function([self.expression, *self.slopes.values()])

    def linear(self, allowed: Sequence[str], first: Collection[str]) -> tuple[str, ...]:
        """The parameters in which the formula is linear (``linear_set``)."""
        with distribute(False):
            linear = tuple(linear_set(self.slopes, self._symbols, allowed, first))
            return linear if all(is_finite(part) for part in self._parts(linear)) else ()

    def separated(self, linear: tuple[str, ...], others: tuple[str, ...]) -> SeparatedParts:
        """Offset and basis for the linear parameters, with their derivatives by the others; made once."""
        if (linear, others) not in self._separated:
            self._separated[linear, others] = self._separate(linear, others)
        return self._separated[linear, others]

    def _separate(self, linear: tuple[str, ...], others: tuple[str, ...]) -> SeparatedParts:
        with distribute(False):
            offset, *basis = self._parts(linear)
            at = {other: offset.diff(self._symbols[other]) for other in others}
            slopes = {
                (name, other): part.diff(self._symbols[other])
                for name, part in zip(linear, basis, strict=True)
                for other in others
            }
        offset_slopes = {name: slope for name, slope in at.items() if slope != 0}
        basis_slopes = {pair: slope for pair, slope in slopes.items() if slope != 0}
        function = self._function([offset, *basis, *offset_slopes.values(), *basis_slopes.values()])
        return SeparatedParts(function, linear, tuple(offset_slopes), tuple(basis_slopes))

    def _parts(self, linear: Sequence[str]) -> list[Any]:
        origin = {self._symbols[name]: sp.Integer(0) for name in linear}
        return [part.xreplace(origin) for part in (self.expression, *(self.slopes[name] for name in linear))]

    def _function(self, expressions: Sequence[Any]) -> Callable[..., list[Tensor | float]]:
        with distribute(False):
            return torch_function(list(self._symbols.values()), expressions)
