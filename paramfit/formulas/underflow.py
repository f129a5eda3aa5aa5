"""Where operations inside a formula have results so small that float64 has not all their digits, and what that changes.

The square of 1e-160 is 1e-320, of which float64 has three digits, and so has its root; that of 1e-163 is 0. What is
added to something larger may lose its digits: so value and derivatives are computed once more, with exponents of any
size.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from paramfit.formulas.edges import values_at_edges
from paramfit.formulas.graph import Graph
from paramfit.formulas.torch_code import torch_function

__all__ = ["LostDigits", "Underflow", "is_moderate"]

_LEAST_WITH_ALL_DIGITS = float(np.finfo(np.float64).tiny)
_ROUNDING = 16 * float(np.finfo(np.float64).eps)  # of a result, however it is computed
_MOST_ROWS = 200  # that are computed once more, at equal distances
_VANISHING = frozenset({"exp", "sigmoid", "erfc"})  # which have no zeros: a 0 is too small for float64
_VANISHES = _VANISHING | {"**"}  # of operands of any size
_LINEAR = frozenset({"+", "-", "negative", "*"})  # in which what is too small adds nothing to what is not
_FEW = 256  # numbers, of which Python tells the smallest and largest sooner than NumPy
_MODERATE = 1e30  # and down to one over it: of such numbers no product of a few is too small
_CAN_LOSE = _VANISHING | {"*", "/", "**"}  # sums of small numbers are exact, and other functions no smaller than they

Rows = NDArray[np.float64]


class LostDigits(NamedTuple):
    """The first operation that has lost digits in the row in which they change most."""

    operation: str
    names: tuple[str, ...]  # of the leaves that it depends on
    smallest: float  # the absolute value of its result
    part: float  # by which the value is off, of what errors are measured by, or a derivative, of its largest value
    by: str | None  # the derivative's parameter; None where it is about the value


class Underflow:
    """Looks for such operations in a formula's value and its derivatives by some leaves."""

    def __init__(self, graph: Graph, value: int, slopes: Mapping[str, int]) -> None:
        self._graph, self._value, self._slopes = graph, value, slopes
        self._needed = graph.needed([value, *slopes.values(), *graph.leaves.values()])
        self._suspects = [
            place for place in self._needed if graph.nodes[place].operation in _CAN_LOSE and graph.depends[place]
        ]
        self._computed = torch_function(graph, self._needed, list(graph.leaves.values()))
        self.is_fragile = any(map(self._magnifies, graph.needed([value])))

    def _magnifies(self, place: int) -> bool:
        """Whether an operation may make much of what has vanished, as a quotient or a logarithm does."""
        node = self._graph.nodes[place]
        if node.operation in _LINEAR:
            return False
        magnified = node.arguments[1:] if node.operation == "/" else node.arguments
        return any(self._graph.nodes[inner].operation in _VANISHES for inner in self._graph.needed(magnified))

    def __call__(self, arguments: Sequence[Tensor], scale: Rows) -> LostDigits | None:
        """What changes most; None where nothing has lost digits.

        Args:
            arguments: values of all leaves of the graph, in their order, ``(n,)`` or ``()``.
            scale: what an error of the value is measured by, ``(n,)``.
        """
        given = [argument.detach() for argument in arguments]
        with np.errstate(all="ignore"):
            results = [np.asarray(result, dtype=np.float64) for result in self._computed(*given)]
            numbers = {
                place: np.broadcast_to(result, scale.shape) for place, result in zip(self._needed, results, strict=True)
            }
            lost = {place: rows for place in self._suspects if (rows := self._is_lost(place, numbers)).any()}
            if not lost:
                return None
            all_rows = np.flatnonzero(np.logical_or.reduce(list(lost.values())))
            chosen = all_rows[:: -(-len(all_rows) // _MOST_ROWS)]
            parts = self._parts({place: number[chosen] for place, number in numbers.items()}, scale[chosen])
        by, part, number = max(parts, key=lambda one: one[1])
        row = chosen[number]
        place = next(place for place, where in lost.items() if where[row])
        bits = self._graph.depends[place]
        names = tuple(name for name, leaf in self._graph.leaves.items() if self._graph.depends[leaf] & bits)
        operation, smallest = self._graph.nodes[place].operation, abs(float(numbers[place][row]))
        return LostDigits(operation, names, smallest, part, by)

    def _is_lost(self, place: int, numbers: Mapping[int, Rows]) -> NDArray[np.bool_]:
        """The rows at which a result is below what float64 has all digits of, and not exactly 0."""
        node = self._graph.nodes[place]
        operands = [numbers[argument] for argument in node.arguments]
        lost: NDArray[np.bool_] = np.abs(numbers[place]) < _LEAST_WITH_ALL_DIGITS
        for number, operand in enumerate(operands):
            lost &= np.isfinite(operand)  # one over what has overflowed is computed with care in any case
            if node.operation == "*" or (number == 0 and node.operation not in _VANISHING):
                lost &= operand != 0
        return lost

    def _parts(self, numbers: Mapping[int, Rows], scale: Rows) -> list[tuple[str | None, float, int]]:
        """For the value (None) and each derivative by how much it is off, and in which row most."""
        places = [self._value, *self._slopes.values()]
        leaves = [numbers[leaf] for leaf in self._graph.leaves.values()]
        value, *slopes = values_at_edges(self._graph, places, leaves, self._value)
        parts = [_largest(None, _off(numbers[self._value], value) / scale)]
        # Rows in which a derivative is not finite are computed with care in any case.
        together = np.logical_and.reduce([np.isfinite(numbers[place]) for place in places])
        for (name, place), slope in zip(self._slopes.items(), slopes, strict=True):
            size = float(np.abs(numbers[self._graph.leaves[name]]).max())
            # A derivative that the parameter's own size does not show means nothing.
            least = float(scale.min()) / size if size > 0 else np.inf
            largest = float(np.abs(slope[np.isfinite(slope)]).max(initial=0.0))
            parts.append(_largest(name, np.where(together, _off(numbers[place], slope), 0.0) / max(largest, least)))
        return parts


def is_moderate(numbers: Rows) -> bool:
    """Whether all that are not 0 are neither large nor small: no product of a few such is too small for float64."""
    if numbers.size <= _FEW:
        few = [abs(number) for number in numbers.tolist() if number]
        return not few or (min(few) > 1 / _MODERATE and max(few) < _MODERATE)
    sizes = np.abs(numbers)
    if not sizes.min() > 1 / _MODERATE:
        sizes = sizes[sizes > 0]
    return not sizes.size or bool(sizes.min() > 1 / _MODERATE and sizes.max() < _MODERATE)


def _off(plain: Rows, careful: Rows) -> Rows:
    """By how much results are off beyond ordinary rounding; 0 where one of the two is not finite."""
    off = np.abs(plain - careful) - _ROUNDING * np.abs(careful)
    return np.where(np.isfinite(off), np.maximum(off, 0.0), 0.0)


def _largest(by: str | None, parts: Rows) -> tuple[str | None, float, int]:
    row = int(parts.argmax())
    return by, float(parts[row]), row
