"""Values and derivatives at the rows at which float64 gives none although they exist.

At x = 0 the quotient ``k / x`` is infinite, ``1 / (1 + (k / x)**n)`` is 0, and so are its derivatives, which float64
computes as infinite over infinite; ``exp(u) / (1 + exp(u))`` is 1 for u = 800. Here numbers have exponents of any size,
sums keep what rounding takes from them, and a 0 is the limit of small numbers.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paramfit.formulas.elementary import SLOPES
from paramfit.formulas.graph import ARITHMETIC, CONSTANT, LEAF, Graph
from paramfit.formulas.scaled import FIRST_TERMS, SMALL, Floats, Scaled

__all__ = ["values_at_edges"]

# Exponents of what stands for 0: the first is small enough for every power that is not itself nearly 0, the second
# leaves more digits to sums in which logarithms of it cancel, and of the last one's reciprocal there is an exponential.
_SCALES = (2.0**40, 2.0**22, 400.0)
_SPREAD = 16.0  # between what stands for one 0 and for another, so that their ratio is seen to have no limit
_AGREEMENT = 1e-9  # of two ways to a limit, relative to the number or to the formula's value per parameter


class Compensated:
    """A number as the sum of two, of which the second is what the first cannot hold."""

    def __init__(self, high: Scaled, low: Scaled) -> None:
        rough = high.is_rough
        if rough.any():  # of which nothing is held that a second number could mend
            high, low = high.less_exact(low).where(rough, high), low.where(~rough, 0.0)
        self.high, self.low = high.add_with_error(low)

    @classmethod
    def of(cls, high: Scaled) -> "Compensated":
        """Of one number."""
        exact = cls.__new__(cls)
        exact.high, exact.low = high, Scaled.of(np.zeros_like(high.mantissa))
        return exact

    def __neg__(self) -> "Compensated":
        negative = type(self).__new__(type(self))
        negative.high, negative.low = -self.high, -self.low
        return negative

    def __add__(self, other: "Compensated") -> "Compensated":
        total, error = self.high.add_with_error(other.high)
        return Compensated(total, error + self.low + other.low)

    def __sub__(self, other: "Compensated") -> "Compensated":
        return self + -other

    def __mul__(self, other: "Compensated") -> "Compensated":
        product = self.high * other.high
        error = self.high.product_error(other.high, product)
        return Compensated(product, error + self.high * other.low + self.low * other.high)

    def __truediv__(self, other: "Compensated") -> "Compensated":
        quotient = self.high / other.high
        product = quotient * other.high
        rest = (self.high - product).where(~quotient.is_rough, 0.0) - quotient.product_error(other.high, product)
        return Compensated(quotient, (rest + self.low - quotient * other.low) / other.high)

    def __pow__(self, other: "Compensated") -> "Compensated":
        power = self.high**other.high
        by_base = _times(lambda: other.high * power / self.high, self.low)
        by_exponent = _times(lambda: power * self.high.call("log"), other.low)
        return Compensated(power, by_base + by_exponent)

    def call(self, name: str, *others: "Compensated") -> "Compensated":
        """An elementary function."""
        arguments = (self, *others)
        highs = [argument.high for argument in arguments]
        value = highs[0].call(name, *highs[1:])
        low = Scaled.of(np.zeros_like(value.mantissa))
        for slope, argument in zip(SLOPES[name], arguments, strict=False):
            if not argument.low.is_zero.all():
                low = low + _times(lambda slope=slope: slope(*highs), argument.low)
        at_0, power, coefficient = FIRST_TERMS.get(name, (0.0, 1, 1.0))
        if at_0:
            near = ~self.high.is_zero & (self.high.highest < SMALL)
            low = (coefficient * self.high**power).where(near, low)
        return Compensated(value, low)

    def where(self, chosen: NDArray[np.bool_], other: Scaled) -> "Compensated":
        """These numbers where ``chosen``, others elsewhere."""
        mixed = type(self).__new__(type(self))
        mixed.high = self.high.where(chosen, other)
        mixed.low = self.low.where(chosen, 0.0 * other)
        return mixed


def _times(factor: Any, low: Scaled) -> Scaled:
    """A product that is 0 where ``low`` is, whatever the factor is there."""
    zero = low.is_zero
    if zero.all():
        return low
    product: Scaled = factor() * low
    return product.where(~zero, low)


def values_at_edges(graph: Graph, places: Sequence[int], leaves: Sequence[Floats], value: int) -> list[Floats]:
    """Nodes of a graph at rows, computed with care; NaN where there is no limit.

    Args:
        graph: what is computed.
        places: the nodes.
        leaves: for each leaf, and each weight that there is, its values ``(n,)``; a 0 of a leaf stands for the limit
            from above (``-0.0``: below), one of a weight is 0.
        value: the node that is the formula's value; the zeros of what it is computed from are limits too.

    Returns:
        For each node its values ``(n,)``, infinite where they are beyond float64.
    """
    n = len(leaves[0])
    results = [np.full(n, np.nan) for _ in places]
    with np.errstate(all="ignore"):  # what is undefined is NaN, and what is NaN is undefined
        for scale in _SCALES:
            open_rows = np.flatnonzero(np.isnan(results).any(axis=0))
            if not len(open_rows):
                break
            rows = [column[open_rows] for column in leaves]
            for result, column in zip(results, _agreed(graph, places, rows, value, scale), strict=True):
                still = np.isnan(result[open_rows])
                result[open_rows[still]] = column[still]
    return results


def _agreed(graph: Graph, places: Sequence[int], leaves: Sequence[Floats], value: int, scale: float) -> list[Floats]:
    """The nodes on two ways to the limit, NaN where they differ."""
    n = len(leaves[0])
    both = _computed(graph, [*places, value], [np.tile(column, 2) for column in leaves], value, scale)
    *columns, level = [number.high.to_float() for number in both]
    size = np.abs(level[:n])
    size = np.where(np.isfinite(size), size, 0.0)
    agreed = []
    for column in columns:
        one, other = column[:n], column[n:]
        close = np.abs(one - other) <= _AGREEMENT * np.maximum(np.minimum(np.abs(one), np.abs(other)), size)
        agreed.append(np.where(close | (one == other), one, np.nan) + 0.0)
    return agreed


def _computed(
    graph: Graph, places: Sequence[int], leaves: Sequence[Floats], value: int, scale: float
) -> list[Compensated]:
    n = len(leaves[0])
    first_way = np.arange(n) < n // 2
    limits = set(graph.needed([value]))
    numbers: dict[int, Compensated] = {}
    count = len(graph.leaves)
    for place in graph.needed(places):
        node = graph.nodes[place]
        number = int(node.number or 0)
        if node.operation == LEAF:
            given = Scaled.of(leaves[number])
            if number < count:
                # The leaves' zeros come in one order on one way, and in the other order on the other.
                rank = np.where(first_way, 1 + number / count, 2 - number / count)
                small = Scaled(np.copysign(0.5, leaves[number]), np.rint(-scale * rank))
                given = given.where(~given.is_zero, small)
            numbers[place] = Compensated.of(given)
        elif node.operation == CONSTANT:
            numbers[place] = Compensated.of(Scaled.of(np.full(n, float(node.number or 0.0))))
        else:
            result = _applied(node.operation, [numbers[argument] for argument in node.arguments])
            zero = result.high.is_zero
            if place in limits and zero.any():
                rank = np.where(first_way, 1 / _SPREAD, _SPREAD) * (1 + place / len(graph.nodes))
                result = result.where(~zero, Scaled(np.full(n, 0.5), np.rint(-scale * rank)))
            numbers[place] = result
    return [numbers[place] for place in places]


def _applied(operation: str, operands: Sequence[Compensated]) -> Compensated:
    if operation == "negative":
        return -operands[0]
    if operation not in ARITHMETIC:
        return operands[0].call(operation, *operands[1:])
    result: Compensated = ARITHMETIC[operation](*operands)
    return result
