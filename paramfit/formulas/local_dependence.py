"""Which leaves a formula's value depends on at a row, near the leaves' values: what its kinks leave out is not one.

A derivative of 0 does not say it: that of ``exp(-k*x)`` underflows far out, and the function goes on to fall. In
``max(a, b*x)``, where a is larger, b has no part, and has none as long as a is larger.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from paramfit.formulas.graph import LEAF, Graph
from paramfit.formulas.torch_code import torch_function

__all__ = ["locally_needed"]

_AT_ONCE = 2**24  # bytes: rows, times nodes, times leaves

Flags = NDArray[np.bool_]


def locally_needed(graph: Graph, value: int, arguments: Sequence[Tensor], leaves: Sequence[int]) -> Flags:
    """Whether a node depends on each of some leaves, at any row, however little they move.

    Of ``max`` and ``min`` only what is larger, or smaller, has a part, and both where they are equal. What is 0 and
    depends on no leaf leaves out what it is multiplied with, what it is divided by and, as a base, its exponent. All
    else counts as dependence, whatever the derivative is there.

    Args:
        graph: in which the node is.
        value: the node.
        arguments: values of all leaves of the graph, in their order, ``(n,)`` or ``()``.
        leaves: the nodes of those that may move.

    Returns:
        For each of these leaves whether any row depends on it, ``(m,)``.
    """
    needed = graph.needed([value])
    computed = torch_function(graph, needed, list(graph.leaves.values()))
    n = max((argument.numel() for argument in arguments), default=1)
    step = max(1, _AT_ONCE // (len(needed) * max(1, len(leaves))))
    result = np.zeros(len(leaves), dtype=np.bool_)
    with torch.no_grad(), np.errstate(all="ignore"):
        for first in range(0, n, step):
            rows = [argument[first : first + step] if argument.ndim else argument for argument in arguments]
            count = min(step, n - first)
            numbers = [np.broadcast_to(np.asarray(number, dtype=np.float64), (count,)) for number in computed(*rows)]
            result |= _dependence(graph, value, dict(zip(needed, numbers, strict=True)), leaves).any(axis=0)
    return result


def _dependence(graph: Graph, value: int, numbers: dict[int, NDArray[np.float64]], leaves: Sequence[int]) -> Flags:
    """The same for each row, ``(n, m)``, from the values of all nodes."""
    depends: dict[int, Flags] = {}
    count = len(numbers[value])
    for place in graph.needed([value]):
        node = graph.nodes[place]
        if node.operation == LEAF:
            depends[place] = np.tile(np.asarray(leaves) == place, (count, 1))
            continue
        parts = [depends[argument] for argument in node.arguments]
        operands = [numbers[argument] for argument in node.arguments]
        zero = [(operand == 0) & ~part.any(axis=1) for operand, part in zip(operands, parts, strict=True)]
        match node.operation:
            case "max" | "min":
                apart = operands[0] - operands[1] if node.operation == "max" else operands[1] - operands[0]
                parts = [parts[0] & ~(apart < 0)[:, None], parts[1] & ~(apart > 0)[:, None]]
            case "*":
                parts = [parts[0] & ~zero[1][:, None], parts[1] & ~zero[0][:, None]]
            case "/" | "**":
                parts = [parts[0], parts[1] & ~zero[0][:, None]]
        depends[place] = np.logical_or.reduce(parts) if parts else np.zeros((count, len(leaves)), dtype=np.bool_)
    return depends[value]
