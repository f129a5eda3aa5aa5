"""A formula as a graph of operations, in which what is equal is there once, and its derivatives as more of the same.

Symbolic derivatives grow with the square of a product's length and faster; those of a graph do not, since a
derivative shares whatever the value has, and other derivatives have, computed already.
"""

import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import sympy as sp
import torch

from paramfit.formulas.elementary import CALLS, SLOPES, Elementary, Power, Total

__all__ = ["ARITHMETIC", "CONSTANT", "LEAF", "Graph", "Node", "Term"]

CONSTANT, LEAF = "constant", "leaf"
ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": operator.pow,
}
_NEGATIVE = "negative"


class Node(NamedTuple):
    """An operation, the places of what it is applied to, and a number: a constant's value, or a leaf's place."""

    operation: str
    arguments: tuple[int, ...] = ()
    number: float | None = None


class Term:
    """A node as an operand: arithmetic with it adds nodes to its graph."""

    def __init__(self, graph: "Graph", place: int) -> None:
        self.graph, self.place = graph, place

    def _with(self, operation: str, other: Any, *, swapped: bool = False) -> "Term":
        place = other.place if isinstance(other, Term) else self.graph.constant(other)
        pair = (place, self.place) if swapped else (self.place, place)
        return Term(self.graph, self.graph.combine(operation, *pair))

    def __add__(self, other: Any) -> "Term":
        return self._with("+", other)

    def __radd__(self, other: Any) -> "Term":
        return self._with("+", other, swapped=True)

    def __sub__(self, other: Any) -> "Term":
        return self._with("-", other)

    def __rsub__(self, other: Any) -> "Term":
        return self._with("-", other, swapped=True)

    def __mul__(self, other: Any) -> "Term":
        return self._with("*", other)

    def __rmul__(self, other: Any) -> "Term":
        return self._with("*", other, swapped=True)

    def __truediv__(self, other: Any) -> "Term":
        return self._with("/", other)

    def __rtruediv__(self, other: Any) -> "Term":
        return self._with("/", other, swapped=True)

    def __pow__(self, other: Any) -> "Term":
        return self._with("**", other)

    def __neg__(self) -> "Term":
        return 0 - self

    def call(self, name: str, *others: "Term") -> "Term":
        """An elementary function of this and other terms."""
        return Term(self.graph, self.graph.call(name, self.place, *(other.place for other in others)))


class Graph:
    """Nodes in an order in which all operands come first; an equal node is never added twice.

    Args:
        names: of the leaves, variables and parameters, in the order of their places.

    Attributes:
        leaves: the node of each name.
        weights: as many leaves again, for what a weighted sum of derivatives is made of.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.nodes: list[Node] = []
        self.depends: list[int] = []  # for each node the leaves it depends on, a bit for each
        self._places: dict[Node, int] = {}
        self.leaves = {name: self._add(Node(LEAF, (), number)) for number, name in enumerate(names)}
        self.weights = [self._add(Node(LEAF, (), len(names) + number)) for number in range(len(names))]

    def _add(self, node: Node) -> int:
        place = self._places.get(node)
        if place is None:
            place = self._places[node] = len(self.nodes)
            self.nodes.append(node)
            bits = 1 << int(node.number or 0) if node.operation == LEAF else 0
            for argument in node.arguments:
                bits |= self.depends[argument]
            self.depends.append(bits)
        return place

    def constant(self, value: float) -> int:
        """The place of a number."""
        return self._add(Node(CONSTANT, (), value))

    def number(self, place: int) -> float | None:
        """The value of a constant; None for any other node."""
        node = self.nodes[place]
        return node.number if node.operation == CONSTANT else None

    def combine(self, operation: str, first: int, second: int) -> int:
        """Two nodes joined by arithmetic, without what changes nothing."""
        a, b = self.number(first), self.number(second)
        if a is not None and b is not None:
            return self.constant(_computed(operation, a, b))
        match operation:
            case "+" | "-":
                return self._sum(operation, first, second)
            case "*":
                return self._product(first, second)
            case "/":
                return self._quotient(first, second)
        if b == 0:
            return self.constant(1)
        return first if b == 1 else self._add(Node("**", (first, second)))

    def _sum(self, operation: str, first: int, second: int) -> int:
        a, b = self.number(first), self.number(second)
        if b == 0:
            return first
        if a == 0:
            return second if operation == "+" else self._negative(second)
        if self.nodes[second].operation == _NEGATIVE:
            operation, second = "-" if operation == "+" else "+", self.nodes[second].arguments[0]
        elif operation == "+" and self.nodes[first].operation == _NEGATIVE:
            operation, first, second = "-", second, self.nodes[first].arguments[0]
        if operation == "-" and first == second:
            return self.constant(0)
        return self._add(Node(operation, (first, second)))

    def _negative(self, place: int) -> int:
        node = self.nodes[place]
        if node.operation == CONSTANT:
            return self.constant(-float(node.number or 0))
        return node.arguments[0] if node.operation == _NEGATIVE else self._add(Node(_NEGATIVE, (place,)))

    def _product(self, first: int, second: int) -> int:
        for one, other in ((first, second), (second, first)):
            match self.number(one):
                case 0:
                    return one
                case 1:
                    return other
                case -1:
                    return self._negative(other)
            if self.nodes[one].operation == _NEGATIVE:
                (inner,) = self.nodes[one].arguments
                return self._negative(self.combine("*", *((inner, other) if one == first else (other, inner))))
        return self._add(Node("*", (first, second)))

    def _quotient(self, first: int, second: int) -> int:
        if self.number(first) == 0 or self.number(second) == 1:
            return first
        if first == second:
            return self.constant(1)
        if self.nodes[first].operation == _NEGATIVE:
            return self._negative(self.combine("/", self.nodes[first].arguments[0], second))
        return self._add(Node("/", (first, second)))

    def call(self, name: str, *arguments: int) -> int:
        """An elementary function of some nodes; a number where all of them are."""
        numbers = [self.number(argument) for argument in arguments]
        constants = [torch.tensor(float(value), dtype=torch.float64) for value in numbers if value is not None]
        if len(constants) == len(arguments):
            return self.constant(CALLS[name](*constants).item())
        return self._add(Node(name, arguments))

    def read(self, expression: Any) -> int:
        """The node of a SymPy expression, in the order in which it would be printed."""
        return self._read(expression, {})

    def _read(self, expression: Any, read: dict[Any, int]) -> int:
        if expression not in read:
            read[expression] = self._translated(expression, read)
        return read[expression]

    def _translated(self, expression: Any, read: dict[Any, int]) -> int:
        if expression.is_Symbol:
            return self.leaves[expression.name]
        if expression.is_Integer:
            return self.constant(int(expression) if abs(expression) < 2**31 else float(expression))
        if expression.is_number:
            return self.constant(float(expression))
        if isinstance(expression, sp.Add | Total):
            terms = expression.args if isinstance(expression, Total) else expression.as_ordered_terms()
            return self._chain("+", [self._read(term, read) for term in terms])
        if expression.is_Mul:
            return self._factors(expression, read)
        arguments = [self._read(argument, read) for argument in expression.args]
        if isinstance(expression, Elementary):
            return self.call(type(expression).__name__, *arguments)
        assert isinstance(expression, sp.Pow | Power)
        exponent = self.number(arguments[1])
        if expression.is_Pow and exponent is not None and exponent < 0:
            return self.combine("/", self.constant(1), self.combine("**", arguments[0], self.constant(-exponent)))
        return self.combine("**", *arguments)

    def _factors(self, expression: Any, read: dict[Any, int]) -> int:
        coefficient, _ = expression.as_coeff_Mul()
        positive = -expression if coefficient < 0 else expression
        factors = positive.as_ordered_factors() if positive.is_Mul else [positive]
        below = [factor for factor in factors if factor.is_Pow and factor.exp.is_Rational and factor.exp.is_negative]
        above = [self._read(factor, read) for factor in factors if factor not in below]
        product = self._chain("*", above or [self.constant(1)])
        if below:
            product = self.combine("/", product, self._chain("*", [self._read(1 / factor, read) for factor in below]))
        return self._negative(product) if coefficient < 0 else product

    def _chain(self, operation: str, places: Sequence[int]) -> int:
        first, *others = places
        for other in others:
            first = self.combine(operation, first, other)
        return first

    def needed(self, places: Iterable[int]) -> list[int]:
        """All that these nodes are computed from, themselves included, in order."""
        needed, waiting = set(), list(places)
        while waiting:
            place = waiting.pop()
            if place not in needed:
                needed.add(place)
                waiting += self.nodes[place].arguments
        return sorted(needed)

    def gradient(self, place: int, leaves: Sequence[int]) -> list[int]:
        """The derivatives of a node by leaves, as nodes: from the node back to the leaves, each operation once."""
        bits = 0
        for leaf in leaves:
            bits |= self.depends[leaf]
        by: dict[int, int] = {place: self.constant(1)}  # derivative of the node by each other one
        for inner in reversed(self.needed([place])):
            adjoint = by.get(inner)
            if adjoint is None or not self.depends[inner] & bits or self.number(adjoint) == 0:
                continue
            arguments = self.nodes[inner].arguments
            if not arguments:
                continue
            moved = [bool(self.depends[argument] & bits) for argument in arguments]
            for argument, derivative in self._passed_on(inner, Term(self, adjoint), moved):
                by[argument] = self.combine("+", by[argument], derivative) if argument in by else derivative
        return [by[leaf] if leaf in by else self.constant(0) for leaf in leaves]

    def _passed_on(self, place: int, adjoint: Term, moved: Sequence[bool]) -> list[tuple[int, int]]:
        """What a node's derivative gives to those of its arguments that are moved."""
        node = self.nodes[place]
        whole, terms = Term(self, place), [Term(self, argument) for argument in node.arguments]
        parts: list[Term | None]
        match node.operation, terms:
            case "+", _:
                parts = [adjoint, adjoint]
            case "-", _:
                parts = [adjoint, -adjoint]
            case "negative", _:
                parts = [-adjoint]
            case "*", [a, b]:
                parts = [adjoint * b, adjoint * a]
            case "/", [_, b]:
                share = adjoint / b
                # In this form numerator and denominator cancel exactly where they grow alike.
                parts = [share, -(share * whole)]
            case "**", [a, b]:
                by_exponent = whole * a.call("log") if self.number(a.place) is not None else whole.call("_xlogy", a)
                parts = [
                    adjoint * (b * a ** (b - 1)) if moved[0] else None,
                    adjoint * by_exponent if moved[1] else None,
                ]
            case _:
                slopes = SLOPES[node.operation]
                parts = [adjoint * slope(*terms) if moves else None for slope, moves in zip(slopes, moved, strict=True)]
        return [
            (argument, part.place)
            for argument, part, moves in zip(node.arguments, parts, moved, strict=True)
            if moves and part is not None
        ]

    def at(self, values: Mapping[int, float], places: Sequence[int]) -> list[int]:
        """Nodes with some leaves replaced by numbers."""
        changed: dict[int, int] = {}
        for place in self.needed(places):
            node = self.nodes[place]
            if place in values:
                changed[place] = self.constant(values[place])
            elif all(changed[argument] == argument for argument in node.arguments):
                changed[place] = place
            else:
                arguments = [changed[argument] for argument in node.arguments]
                changed[place] = self._again(node.operation, arguments)
        return [changed[place] for place in places]

    def _again(self, operation: str, arguments: Sequence[int]) -> int:
        if operation == _NEGATIVE:
            return self._negative(arguments[0])
        if operation in ARITHMETIC:
            return self.combine(operation, *arguments)
        return self.call(operation, *arguments)

    def is_finite(self, places: Sequence[int]) -> bool:
        """Whether no number that they are computed from is infinite or undefined."""
        return all(math.isfinite(self.number(place) or 0.0) for place in self.needed(places))

    def interactions(self, place: int) -> list[int]:
        """For each leaf the leaves (a bit for each) with which it may have a second derivative other than 0."""
        meets = [0] * (len(self.leaves) + len(self.weights))

        def cross(one: int, other: int) -> None:
            for bits, partners in ((one, other), (other, one)):
                while bits:
                    lowest = bits & -bits
                    meets[lowest.bit_length() - 1] |= partners
                    bits ^= lowest

        for inner in self.needed([place]):
            node = self.nodes[inner]
            depends = [self.depends[argument] for argument in node.arguments]
            if node.operation in ("*", "/"):
                cross(depends[0], depends[1])
            if node.operation == "/":
                cross(depends[1], depends[1])
            elif node.operation not in (CONSTANT, LEAF, _NEGATIVE, "+", "-", "*"):
                cross(self.depends[inner], self.depends[inner])
        return meets


def _computed(operation: str, a: float, b: float) -> float:
    try:
        value: float = ARITHMETIC[operation](a, b)
    except (OverflowError, ZeroDivisionError):
        return math.nan
    return math.nan if isinstance(value, complex) else value
