"""Where an exponential of a formula is far out because a parameter that multiplies an input is: and where it is not."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from torch import Tensor

from paramfit.formulas.graph import LEAF, Graph
from paramfit.formulas.torch_code import torch_function

__all__ = ["LargeExponent", "large_exponents"]

_LARGE = 100.0  # of an exponential's argument: the exponential is 1e43 or 1e-44, which no data are
_OF_EXPONENTIALS = frozenset({"exp", "expm1", "sinh", "cosh", "tanh", "sigmoid"})


class LargeExponent(NamedTuple):
    """An argument of an exponential that is large, as a product (or quotient) of an input and one parameter."""

    largest: float  # of its absolute values
    parameter: str
    variable: str
    reach: float  # the largest absolute value of the variable
    divides: bool  # whether the parameter divides the variable
    start: float  # of the parameter, at which the product is of order 1


def large_exponents(
    graph: Graph, value: int, arguments: Mapping[str, Tensor], variables: Sequence[str]
) -> list[LargeExponent] | None:
    """The arguments of exponentials that are large; None where one of them is so for another reason.

    Args:
        graph: in which the node is.
        value: the node.
        arguments: values of all leaves of the graph, by name and in their order, ``(n,)`` or ``()``.
        variables: those that are inputs; all others are parameters.
    """
    places = sorted({place for inner in graph.needed([value]) if (place := _exponent(graph, inner)) is not None})
    if not places:
        return []
    computed = torch_function(graph, places, list(graph.leaves.values()))(*arguments.values())
    exponents = []
    for place, values in zip(places, computed, strict=True):
        largest = float(np.abs(np.asarray(values, dtype=np.float64)).max())
        if largest <= _LARGE:
            continue
        product = _as_product(graph, place, arguments, variables, largest)
        if product is None:
            return None
        exponents.append(product)
    return exponents


def _exponent(graph: Graph, place: int) -> int | None:
    """What a node is an exponential of, if it is one."""
    node = graph.nodes[place]
    if node.operation in _OF_EXPONENTIALS:
        return node.arguments[0]
    is_power_of_number = node.operation == "**" and graph.number(node.arguments[0]) is not None
    return node.arguments[1] if is_power_of_number else None


def _as_product(
    graph: Graph, place: int, arguments: Mapping[str, Tensor], variables: Sequence[str], largest: float
) -> LargeExponent | None:
    """Its part ``k p x``, or ``k x / p``, with a number k: of the first input x by which its slope is one such."""
    parameters = {graph.leaves[name]: name for name in arguments if name not in variables}
    for variable in variables:
        (slope,) = graph.gradient(place, [graph.leaves[variable]])
        leaves = [inner for inner in graph.needed([slope]) if graph.nodes[inner].operation == LEAF]
        reach = float(arguments[variable].abs().max())
        if len(leaves) != 1 or leaves[0] not in parameters or not 0 < reach < math.inf:
            continue
        node, name = graph.nodes[slope], parameters[leaves[0]]
        divides = node.operation == "/" and node.arguments[1] == leaves[0]
        factor = graph.number(node.arguments[0]) if divides else graph.number(graph.gradient(slope, leaves)[0])
        if not factor:
            continue
        size = reach * abs(factor)
        start = math.copysign(size if divides else 1 / size, float(arguments[name].reshape(-1)[0]))
        return LargeExponent(largest, name, variable, reach, divides, start)
    return None
