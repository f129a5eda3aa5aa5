"""In which of its parameters a formula is linear."""

from collections.abc import Callable, Collection, Sequence
from itertools import combinations, islice
from math import comb, prod
from typing import Any

import sympy as sp
from sympy.core.parameters import distribute

from paramfit.formulas.elementary import Power, Total
from paramfit.formulas.graph import Graph

__all__ = ["MOST_TERMS", "SecondDerivatives", "expanded_terms", "linear_set"]

_MOST_TRIED = 16  # parameters that exclude each other, of which every subset is tried
_LARGEST = 2000  # pieces of a derivative that is still derived again; above, it is taken for nonlinear
MOST_TERMS = 1000  # that an expansion may have
_MOST_WORK = 6000  # pieces of the formula times pairs of parameters that algebra is asked about


class SecondDerivatives:
    """Which second derivatives of a formula vanish: by its graph and, where it is small, by algebra.

    Args:
        expression: the formula by SymPy.
        graph: the same as a graph.
        place: its node there.
    """

    def __init__(self, expression: Any, graph: Graph, place: int) -> None:
        self._expression = expression
        self._leaves = {name: number for number, name in enumerate(graph.leaves)}
        self._interactions = graph.interactions(place)
        pieces = sum(1 for _ in islice(sp.preorder_traversal(expression), _LARGEST))
        pairs = sum(meets.bit_count() for meets in self._interactions)
        self._is_small = pieces * pairs <= _MOST_WORK
        self._slopes: dict[str, Any] = {}
        self._vanishing: dict[tuple[str, str], bool] = {}

    def _slope(self, name: str) -> Any:
        if name not in self._slopes:
            with distribute(False):
                self._slopes[name] = self._expression.diff(sp.Symbol(name, real=True))
        return self._slopes[name]

    def is_constant(self, name: str, on_the_face_of_it: bool) -> bool:
        """Whether the formula does not change with a name after all."""
        return on_the_face_of_it or bool(self._is_small and self._slope(name) == 0)

    def vanishes(self, one: str, other: str) -> bool:
        """Whether the derivative by both is 0 everywhere, on the face of it or once multiplied out."""
        if not self._interactions[self._leaves[one]] >> self._leaves[other] & 1:
            return True
        if not self._is_small:
            return False
        if (one, other) not in self._vanishing:
            with distribute(False):
                self._vanishing[one, other] = _vanishes(self._slope(one), sp.Symbol(other, real=True))
        return self._vanishing[one, other]


def linear_set(bilinear: Callable[[str, str], bool], allowed: Sequence[str], first: Collection[str]) -> list[str]:
    """The largest set of parameters whose second derivatives, mixed ones included, all vanish, ordered as ``allowed``.

    Args:
        bilinear: whether the second derivative by two parameters vanishes.
        allowed: the parameters that may be in the set, in the order of preference among equally large sets.
        first: those of them that have to be in it if at all possible.
    """
    candidates = [name for name in allowed if bilinear(name, name)]
    apart = {frozenset((one, other)) for one, other in combinations(candidates, 2) if not bilinear(one, other)}

    def together(names: Collection[str]) -> bool:
        return not any(pair <= set(names) for pair in apart)

    chosen = _one_by_one([name for name in candidates if name in first], [], together)
    rest = [name for name in candidates if name not in first and together([*chosen, name])]
    disputed = [name for name in rest if any(name in pair and pair <= set(rest) for pair in apart)]
    chosen += [name for name in rest if name not in disputed]
    if len(disputed) > _MOST_TRIED:
        chosen = _one_by_one(disputed, chosen, together)
    else:
        chosen += next(
            list(subset)
            for size in range(len(disputed), -1, -1)
            for subset in combinations(disputed, size)
            if together(subset)
        )
    return [name for name in allowed if name in chosen]


def _one_by_one(names: Sequence[str], chosen: list[str], together: Callable[[Collection[str]], bool]) -> list[str]:
    for name in names:
        if together([*chosen, name]):
            chosen = [*chosen, name]
    return chosen


def _vanishes(slope: Any, symbol: Any) -> bool:
    if symbol not in slope.free_symbols:
        return True
    if sum(1 for _ in islice(sp.preorder_traversal(slope), _LARGEST)) == _LARGEST:
        return False
    change = slope.diff(symbol)
    if change == 0:
        return True
    if expanded_terms(change) > MOST_TERMS:
        return False
    plain = change.replace(Power, sp.Pow).replace(Total, sp.Add)
    return bool(sp.expand(plain) == 0)


def expanded_terms(expression: Any) -> int:
    """How many terms an expansion has at most, found without expanding."""
    if not expression.args:
        return 1
    counts = [expanded_terms(argument) for argument in expression.args]
    if isinstance(expression, sp.Add | Total):
        return sum(counts)
    if isinstance(expression, sp.Pow | Power) and expression.args[1].is_Integer:
        power = abs(int(expression.args[1]))
        return comb(counts[0] + power - 1, power) if counts[0] > 1 else 1
    return prod(counts)
