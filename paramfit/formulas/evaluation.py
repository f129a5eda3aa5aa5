"""Nodes of a formula's graph at tensors: by torch where float64 can, with care where it cannot."""

import math
from collections.abc import Callable, Sequence
from contextvars import ContextVar, Token
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from paramfit.formulas.edges import values_at_edges
from paramfit.formulas.graph import Graph
from paramfit.formulas.torch_code import torch_function

__all__ = ["Evaluation", "LeftUnmended"]

_ROWS_AT_ONCE = 4096
"""Different rows that are computed with care together; where one of them has no value, the rest are not tried."""

_FEW = 4096  # rows, for which a product is the quickest test; with more, BLAS waits for threads

_leaves_unmended: ContextVar[bool] = ContextVar("leaves_unmended", default=False)


class LeftUnmended:
    """A context in which results that are not finite are left so: for who sums them up sees it, and asks again."""

    def __enter__(self) -> None:
        """Begin it."""
        self._before: Token[bool] = _leaves_unmended.set(True)

    def __exit__(self, *_: object) -> None:
        """End it."""
        _leaves_unmended.reset(self._before)


class Evaluation:
    """Some nodes as a function of tensors that broadcast with each other.

    Rows at which a result is not finite are computed again with exponents of any size and as limits
    (``values_at_edges``); what is not finite after that has no finite value.

    Args:
        graph: what is computed.
        places: the nodes.
        value: the node that is the formula's value.
        weighted: whether the weights are arguments too.
    """

    def __init__(self, graph: Graph, places: Sequence[int], value: int, *, weighted: bool = False) -> None:
        self.graph, self.places, self._value = graph, tuple(places), value
        self._arguments = [*graph.leaves.values(), *(graph.weights if weighted else ())]

    @cached_property
    def unchecked(self) -> Callable[..., list[Tensor | float]]:
        """The same by torch alone."""
        return torch_function(self.graph, self.places, self._arguments)

    @cached_property
    def _guards(self) -> list[int]:
        """Nodes that must be finite though results may be without: a number over what has overflowed would be 0."""
        nodes, guards = self.graph.nodes, set()
        for place in self.graph.needed(self.places):
            node = nodes[place]
            if node.operation == "/":
                guards.add(node.arguments[1])
            elif node.operation == "**" and (self.graph.number(node.arguments[1]) or -1.0) < 0:
                guards.add(node.arguments[0])
        return sorted(place for place in guards if nodes[place].arguments and place not in self.places)

    @cached_property
    def _with_guards(self) -> Callable[..., list[Tensor | float]]:
        """The nodes, and after them their guards."""
        return torch_function(self.graph, [*self.places, *self._guards], self._arguments)

    def __call__(self, *arguments: Tensor) -> list[Tensor | float]:
        """A tensor for each node, or a float where it is a number; apart from autograd."""
        if torch.is_grad_enabled():
            arguments = tuple(argument.detach() for argument in arguments)
        results = self._with_guards(*arguments)
        looked_at = results
        if _leaves_unmended.get():
            if not self._guards:
                return results
            looked_at = results[len(self.places) :]
        if not _all_finite([result for result in looked_at if isinstance(result, Tensor)]):
            return self._mended(arguments, results)[: len(self.places)]
        return results[: len(self.places)]

    def _mended(self, arguments: Sequence[Tensor], results: list[Tensor | float]) -> list[Tensor | float]:
        shape = torch.Size(np.broadcast_shapes(*(argument.shape for argument in arguments)))
        undefined = torch.zeros(shape, dtype=torch.bool, device=arguments[0].device)
        for result in results:
            if isinstance(result, Tensor):
                undefined |= ~torch.isfinite(result.detach())
        rows = undefined.reshape(-1).nonzero().flatten()
        leaves = torch.stack(
            [argument.detach().expand(shape).reshape(-1)[rows].to("cpu", torch.float64) for argument in arguments]
        )
        careful = self._with_care(leaves.numpy())
        mended = []
        for result, column in zip(results, careful, strict=False):
            if isinstance(result, Tensor):
                full = result.expand(shape).reshape(-1).clone()
                new = torch.from_numpy(column).to(full)
                full[rows] = torch.where(torch.isnan(new), full[rows], new)
                result = full.reshape(shape)
            mended.append(result)
        return mended

    def _with_care(
        self, leaves: "np.ndarray[tuple[int, int], np.dtype[np.float64]]"
    ) -> list["np.ndarray[tuple[int], np.dtype[np.float64]]"]:
        different, places = np.unique(leaves, axis=1, return_inverse=True)
        careful = np.full((len(self.places), different.shape[1]), np.nan)
        for start in range(0, different.shape[1], _ROWS_AT_ONCE):
            part = slice(start, start + _ROWS_AT_ONCE)
            careful[:, part] = values_at_edges(self.graph, self.places, list(different[:, part]), self._value)
            if not np.isfinite(careful[:, part]).all():
                break
        return list(careful[:, places.reshape(-1)])


def _all_finite(results: list[Tensor]) -> bool:
    """Whether they are; of few rows two at a time, by a product in a tenth of the time of torch.isfinite."""
    for first, second in zip(results[::2], results[1::2] + results[-1:], strict=False):
        few = first.ndim == 1 and first.shape == second.shape and len(first) <= _FEW
        if not (few and math.isfinite(first.dot(second))) and not (_is_finite(first) and _is_finite(second)):
            return False
    return True


def _is_finite(result: Tensor) -> bool:
    on_cpu = result.device.type == "cpu"  # where NumPy waits for no threads
    return bool(np.isfinite(result.numpy()).all() if on_cpu else torch.isfinite(result).all())
