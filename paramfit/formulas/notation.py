"""The value of a formula's graph written out as text again.

Operations keep the order in which the graph computes them, so that code rounds as the fit did.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from paramfit.errors import InputError
from paramfit.formulas.graph import ARITHMETIC, CONSTANT, LEAF, Graph

__all__ = ["ATOM", "POWER", "PRODUCT", "SIGN", "SUM", "Notation", "Written", "written"]

SUM, PRODUCT, SIGN, POWER, ATOM = range(1, 6)


class Written(NamedTuple):
    """A piece of text and what binds it together: an operand that binds less than its operator is put in brackets."""

    text: str
    precedence: int


class Notation(ABC):
    """How numbers, names and operations are written."""

    brackets: ClassVar[tuple[str, str]] = ("(", ")")

    @abstractmethod
    def number(self, value: float) -> Written:
        """A finite number."""

    @abstractmethod
    def symbol(self, name: str) -> Written:
        """A variable or a parameter."""

    @abstractmethod
    def product(self, left: Written, right: Written) -> Written:
        """One times the other."""

    @abstractmethod
    def quotient(self, left: Written, right: Written) -> Written:
        """One over the other."""

    @abstractmethod
    def power(self, base: Written, exponent: Written) -> Written:
        """One to the other."""

    @abstractmethod
    def call(self, name: str, operands: Sequence[Written]) -> Written:
        """An elementary function."""

    def negative(self, operand: Written) -> Written:
        """Minus an operand: ``-b * x`` needs no brackets, since a sign changes no rounding."""
        text = f"-{self.enclosed(operand, PRODUCT)}"
        return Written(text, PRODUCT if operand.precedence == PRODUCT else SIGN)

    def total(self, sign: str, left: Written, right: Written) -> Written:
        """A sum or a difference, without two signs in a row."""
        text = self.enclosed(right, PRODUCT)
        if text.startswith("-") and sign == "+":
            return Written(f"{left.text} - {text[1:]}", SUM)
        return Written(f"{left.text} {sign} {self.unsigned(right, PRODUCT)}", SUM)

    def enclosed(self, piece: Written, at_least: int) -> str:
        """In brackets where it binds less."""
        opening, closing = self.brackets
        return piece.text if piece.precedence >= at_least else f"{opening}{piece.text}{closing}"

    def unsigned(self, piece: Written, at_least: int) -> str:
        """In brackets where it begins with a sign, too."""
        return self.enclosed(piece, ATOM + 1 if piece.text.startswith("-") else at_least)


def written(graph: Graph, place: int, names: Sequence[str], notation: Notation) -> str:
    """A node of a graph as text.

    Args:
        graph: of a formula.
        place: the node.
        names: what its leaves are called, in the order of their places.
        notation: in which it is written.

    Raises:
        InputError: if a number in it is too large for float64.
    """
    pieces: dict[int, Written] = {}
    for inner in graph.needed([place]):  # a loop: a long sum is nested as deeply as it is long
        node = graph.nodes[inner]
        operands = [pieces[argument] for argument in node.arguments]
        if node.operation == LEAF:
            pieces[inner] = notation.symbol(names[int(node.number or 0)])
        elif node.operation == CONSTANT:
            pieces[inner] = notation.number(_finite(node.number))
        elif node.operation == "negative":
            pieces[inner] = notation.negative(*operands)
        elif node.operation in ARITHMETIC:
            pieces[inner] = _arithmetic(notation, node.operation, *operands)
        else:
            pieces[inner] = notation.call(node.operation, operands)
    return pieces[place].text


def _arithmetic(notation: Notation, operation: str, left: Written, right: Written) -> Written:
    match operation:
        case "*":
            return notation.product(left, right)
        case "/":
            return notation.quotient(left, right)
        case "**":
            return notation.power(left, right)
    return notation.total(operation, left, right)


def _finite(number: float | None) -> float:
    if number is None or not math.isfinite(number):
        raise InputError("formula: its numbers, multiplied, are too large for float64; choose other units")
    return number
