"""A formula as torch functions: its value, its Jacobian, and its parts that are linear in some parameters."""

import threading
from collections.abc import Callable, Collection, Sequence
from functools import cached_property, lru_cache
from itertools import combinations_with_replacement
from typing import Any, NamedTuple

import torch
from sympy.core.parameters import distribute
from torch import Tensor

from paramfit.formulas.differentiable import is_differentiating, slopes_under_autograd, value_under_autograd
from paramfit.formulas.evaluation import Evaluation
from paramfit.formulas.exponents import LargeExponent, large_exponents
from paramfit.formulas.expression import parse_expression
from paramfit.formulas.graph import Graph
from paramfit.formulas.linearity import SecondDerivatives, linear_set
from paramfit.formulas.local_dependence import locally_needed
from paramfit.formulas.notation import Notation, written
from paramfit.formulas.rooms import FormulaRooms
from paramfit.formulas.underflow import Underflow

__all__ = ["CompiledFormula", "SeparatedParts", "compiled"]

_MOST_KEPT = 64  # formulas: as many as a script may go through in turn


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
        self._names = (*variables, *parameters)
        self._parameters = tuple(parameters)
        self.expression = parse_expression(text, self._names)
        self._graph = Graph(self._names)
        with distribute(False):  # 2 * (a + b) stays what it is
            self._value = self._graph.read(self.expression)
        self._slopes = dict(zip(self._names, self._by_leaves(self._value, self._names), strict=True))
        self._second = SecondDerivatives(self.expression, self._graph, self._value)
        self._evaluations: dict[tuple[Any, ...], Evaluation] = {}
        self._separated: dict[tuple[tuple[str, ...], tuple[str, ...]], SeparatedParts] = {}

    def __deepcopy__(self, memo: dict[int, Any]) -> "CompiledFormula":
        """Itself: nothing in it changes."""
        return self

    def __reduce__(self) -> tuple[Callable[..., "CompiledFormula"], tuple[str, tuple[str, ...], tuple[str, ...]]]:
        """What it was made of, since functions made at run time cannot be pickled."""
        return compiled, self._made_of

    @cached_property
    def names(self) -> frozenset[str]:
        """The variables and parameters that the value depends on."""
        names = frozenset(symbol.name for symbol in self.expression.free_symbols)
        return names - {name for name in self._parameters if self._second.is_constant(name, self._slope_is_zero(name))}

    @property
    def calls(self) -> frozenset[str]:
        """The elementary functions in its value."""
        return frozenset(self._graph.nodes[place].operation for place in self._graph.needed([self._value]))

    def written(self, notation: Notation) -> str:
        """The formula as text in a notation."""
        return written(self._graph, self._value, self._names, notation)

    def _slope_is_zero(self, name: str) -> bool:
        return self._graph.number(self._slopes[name]) == 0

    def _by_leaves(self, place: int, names: Sequence[str]) -> list[int]:
        return self._graph.gradient(place, [self._graph.leaves[name] for name in names])

    def moving(self, numbers: Sequence[int]) -> tuple[int, ...]:
        """Those of some arguments, by their numbers, that the value depends on."""
        return tuple(number for number in numbers if not self._slope_is_zero(self._names[number]))

    def _evaluation(self, key: tuple[Any, ...], places: Callable[[], Sequence[int]], **how: bool) -> Evaluation:
        if key not in self._evaluations:
            self._evaluations[key] = Evaluation(self._graph, places(), self._value, **how)
        return self._evaluations[key]

    def value_evaluation(self) -> Evaluation:
        """The prediction, alone in its list."""
        return self._evaluation(("value",), lambda: [self._value])

    def slopes_evaluation(self, by: tuple[int, ...]) -> Evaluation:
        """The derivatives by some arguments, given by their numbers."""
        return self._evaluation(("slopes", by), lambda: [self._slopes[self._names[number]] for number in by])

    def curved_evaluation(self, by: tuple[int, ...], wanted: tuple[int, ...]) -> Evaluation:
        """The derivatives by ``wanted`` of the weighted sum of those ``by``; the weights follow the arguments."""

        def places() -> list[int]:
            graph = self._graph
            terms = [graph.combine("*", graph.weights[k], self._slopes[self._names[k]]) for k in by]
            total = graph.constant(0)
            for term in terms:
                total = graph.combine("+", total, term)
            return self._by_leaves(total, [self._names[k] for k in wanted])

        return self._evaluation(("curved", by, wanted), places, weighted=True)

    def locally_needed(self, arguments: Sequence[Tensor], names: Sequence[str]) -> list[str]:
        """Those of some parameters on which the value depends at any row near their values (``local_dependence``)."""
        leaves = [self._graph.leaves[name] for name in names]
        needed = locally_needed(self._graph, self._value, arguments, leaves)
        return [name for name, needs in zip(names, needed, strict=True) if needs]

    def large_exponents(self, *arguments: Tensor) -> list[LargeExponent] | None:
        """What exponentials are far out by one parameter times an input; None where one is so for another reason."""
        variables = self._names[: len(self._names) - len(self._parameters)]
        return large_exponents(self._graph, self._value, dict(zip(self._names, arguments, strict=True)), variables)

    @cached_property
    def rooms(self) -> FormulaRooms:
        """The room that arguments of functions have which the parameters move."""
        return FormulaRooms(self._graph, self._value, self._parameters)

    @cached_property
    def underflow(self) -> Underflow:
        """Where operations in the prediction and its derivatives by the parameters lose digits."""
        return Underflow(self._graph, self._value, {name: self._slopes[name] for name in self._parameters})

    def value(self, *arguments: Tensor) -> Tensor | float:
        """The prediction; under autograd it is differentiated by its own derivatives, once or twice."""
        if torch._C._get_tracing_state() is not None:
            return self.unchecked_value(*arguments)[0]  # a graph holds operations, no decisions about values
        if is_differentiating() and any(self._moves):
            # What the value does not depend on must not give it its shape.
            used = [one if moves else one.new_zeros(()) for one, moves in zip(arguments, self._moves, strict=True)]
            return value_under_autograd(self, used)
        return self.value_evaluation()(*arguments)[0]

    @cached_property
    def _moves(self) -> list[bool]:
        return [not self._slope_is_zero(name) for name in self._names]

    @cached_property
    def unchecked_value(self) -> Callable[..., list[Tensor | float]]:
        """The prediction by torch alone, alone in its list: where millions of rows may be outside a domain."""
        return self.value_evaluation().unchecked

    def jacobian(self, *arguments: Tensor) -> list[Tensor | float]:
        """The derivative by each parameter; under autograd it can be differentiated."""
        if is_differentiating():
            moved = self.moving(range(len(self._names) - len(self._parameters), len(self._names)))
            columns = dict(zip(moved, slopes_under_autograd(self, moved, arguments), strict=True))
            first = len(self._names) - len(self._parameters)
            return [columns.get(first + number, 0.0) for number in range(len(self._parameters))]
        return self.slopes_evaluation(self._parameter_numbers)(*arguments)

    @property
    def _parameter_numbers(self) -> tuple[int, ...]:
        return tuple(range(len(self._names) - len(self._parameters), len(self._names)))

    @cached_property
    def joint(self) -> Evaluation:
        """The prediction and the derivatives, with what they have in common computed once."""
        return Evaluation(self._graph, [self._value, *(self._slopes[name] for name in self._parameters)], self._value)

    def linear(self, allowed: Sequence[str], first: Collection[str]) -> tuple[str, ...]:
        """The parameters in which the formula is linear (``linear_set``)."""
        linear = tuple(linear_set(self._second.vanishes, allowed, first))
        return linear if self._graph.is_finite(self._parts(linear)) else ()

    def is_linear(self, names: Sequence[str]) -> bool:
        """Whether all its second derivatives by some parameters, mixed ones included, vanish."""
        return all(self._second.vanishes(one, other) for one, other in combinations_with_replacement(names, 2))

    def separated(self, linear: tuple[str, ...], others: tuple[str, ...]) -> SeparatedParts:
        """Offset and basis for the linear parameters, with their derivatives by the others; made once."""
        if (linear, others) not in self._separated:
            self._separated[linear, others] = self._separate(linear, others)
        return self._separated[linear, others]

    def _separate(self, linear: tuple[str, ...], others: tuple[str, ...]) -> SeparatedParts:
        offset, *basis = self._parts(linear)
        by_others = {
            name: dict(zip(others, self._by_leaves(part, others), strict=True))
            for name, part in zip((None, *linear), (offset, *basis), strict=True)
        }
        moving = {
            (name, other): slope
            for name, slopes in by_others.items()
            for other, slope in slopes.items()
            if self._graph.number(slope) != 0
        }
        offset_slopes = tuple(other for name, other in moving if name is None)
        basis_slopes = tuple((name, other) for name, other in moving if name is not None)
        function = Evaluation(self._graph, [offset, *basis, *moving.values()], self._value)
        return SeparatedParts(function, linear, offset_slopes, basis_slopes)

    def _parts(self, linear: Sequence[str]) -> list[int]:
        origin = {self._graph.leaves[name]: 0.0 for name in linear}
        return self._graph.at(origin, [self._value, *(self._slopes[name] for name in linear)])


class _Kept(threading.local):
    """The formulas of a thread: their graphs grow while they are used, which two threads must not do to one."""

    def __init__(self) -> None:
        self.compiled = lru_cache(maxsize=_MOST_KEPT)(CompiledFormula)


_KEPT = _Kept()


def compiled(text: str, variables: Sequence[str], parameters: Sequence[str]) -> CompiledFormula:
    """The formula, which is parsed and differentiated once, however many models are made of it.

    Raises:
        InputError: if it cannot be parsed.
    """
    return _KEPT.compiled(text, tuple(variables), tuple(parameters))
