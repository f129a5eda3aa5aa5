"""How much room the arguments of a formula's functions have to the ends of where they are defined."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from paramfit.formulas.graph import Graph, Term
from paramfit.formulas.torch_code import torch_function

__all__ = ["FormulaRooms", "FunctionRoom"]

Rows = NDArray[np.float64]

# For each function its ends, and whether the argument is above.
_ENDS: dict[str, tuple[tuple[float, bool], ...]] = {
    **{name: ((-1.0, True), (1.0, False)) for name in ("asin", "acos", "atanh")},
    **{name: ((0.0, True),) for name in ("sqrt", "log", "log2", "log10")},
    "acosh": ((1.0, True),),
    "log1p": ((-1.0, True),),
}


class FunctionRoom(NamedTuple):
    """Of one argument at one end."""

    operation: str  # the function's name, or ** for a power with an exponent that is no whole number
    end: float
    above: bool  # whether the end is the least that the argument may be
    slack: Rows  # distance of the argument from it, below 0 outside, (n,)
    slopes: Rows  # derivatives of the slack by the parameters, (p, n)


class FormulaRooms:
    """The rooms of all arguments in a formula that a parameter moves."""

    def __init__(self, graph: Graph, value: int, parameters: Sequence[str]) -> None:
        self._graph, self._parameters = graph, [graph.leaves[name] for name in parameters]
        moving = 0
        for leaf in self._parameters:
            moving |= graph.depends[leaf]
        self.ends: list[tuple[str, float, bool, int]] = []  # with the argument's node
        for place in graph.needed([value]):
            node = graph.nodes[place]
            if node.arguments and graph.depends[node.arguments[0]] & moving:
                self.ends += [
                    (node.operation, end, above, node.arguments[0])
                    for end, above in self._ends_of(node.operation, place)
                ]

    def _ends_of(self, operation: str, place: int) -> tuple[tuple[float, bool], ...]:
        if operation != "**":
            return _ENDS.get(operation, ())
        exponent = self._graph.number(self._graph.nodes[place].arguments[1])
        is_whole = exponent is not None and float(exponent).is_integer()
        return () if is_whole else ((0.0, True),)

    @cached_property
    def _computed(self) -> Callable[..., list[Tensor | float]]:
        places = []
        for _, end, above, argument in self.ends:
            slack = (Term(self._graph, argument) - end) if above else (end - Term(self._graph, argument))
            places += [slack.place, *self._graph.gradient(slack.place, self._parameters)]
        return torch_function(self._graph, places, list(self._graph.leaves.values()))

    def __call__(self, arguments: Sequence[Tensor]) -> list[FunctionRoom]:
        """The rooms at values of all leaves of the graph, in their order, ``(n,)`` or ``()``."""
        if not self.ends:
            return []
        given = [argument.detach() for argument in arguments]
        n = max((argument.numel() for argument in given), default=1)
        rows = [np.broadcast_to(np.asarray(one, dtype=np.float64), (n,)) for one in self._computed(*given)]
        width = 1 + len(self._parameters)
        return [
            FunctionRoom(operation, end, above, rows[k * width], np.stack(rows[k * width + 1 : (k + 1) * width]))
            for k, (operation, end, above, _) in enumerate(self.ends)
        ]
