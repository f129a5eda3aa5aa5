"""From the nodes of a graph to one torch function that computes them all."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from paramfit.errors import InputError
from paramfit.formulas.elementary import CALLS
from paramfit.formulas.graph import ARITHMETIC, CONSTANT, LEAF, Graph

__all__ = ["torch_function"]

_DEEPEST = 20  # operations in one expression of the code; Python's parser takes 200 brackets within each other


def torch_function(
    graph: Graph, places: Sequence[int], arguments: Sequence[int]
) -> Callable[..., list[Tensor | float]]:
    """A function of tensors that computes nodes, each operation once.

    It takes a tensor for each of the leaves ``arguments`` and returns one tensor for each node, or a float where it is
    a number. What is used once is written where it is used, so that its memory is free again at once.

    Raises:
        InputError: if a number in it is too large for float64.
    """
    needed = graph.needed(places)
    uses = Counter(argument for place in needed for argument in graph.nodes[place].arguments)
    uses.update(places)
    written: dict[int, tuple[str, int]] = {}  # code and its depth
    lines = []
    for place in needed:
        node = graph.nodes[place]
        if node.operation == LEAF:
            written[place] = f"_{place}", 0
            continue
        if node.operation == CONSTANT:
            written[place] = _literal(node.number), 0
            continue
        operands = [written[argument] for argument in node.arguments]
        code, depth = _code(node.operation, [text for text, _ in operands]), 1 + max(deep for _, deep in operands)
        if uses[place] > 1 or depth > _DEEPEST:
            lines.append(f"    _{place} = {code}")
            code, depth = f"_{place}", 0
        written[place] = code, depth
    results = [
        repr(float(graph.nodes[place].number or 0.0)) if graph.nodes[place].operation == CONSTANT else written[place][0]
        for place in places
    ]
    head = f"def computed({', '.join(f'_{place}' for place in arguments)}):"
    source = "\n".join([head, *lines, f"    return [{', '.join(results)}]"])
    names: dict[str, Any] = dict(CALLS)
    exec(compile(source, "<formula>", "exec"), names)  # of operations, numbers and numbered names alone
    function: Callable[..., list[Tensor | float]] = names["computed"]
    return function


def _code(operation: str, operands: Sequence[str]) -> str:
    if operation == "negative":
        return f"(-{operands[0]})"
    if operation in ARITHMETIC:
        return f"({operands[0]} {operation} {operands[1]})"
    return f"{operation}({', '.join(operands)})"


def _literal(value: float | None) -> str:
    if value is None or not math.isfinite(value):
        raise InputError("formula: its numbers, multiplied, are too large for float64; choose other units")
    return f"({value!r})" if value < 0 else repr(value)
