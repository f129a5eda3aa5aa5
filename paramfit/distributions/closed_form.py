"""Derivatives by closed form: computed only for the arguments that are asked for."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution

__all__ = ["Entries", "Slopes", "broadcast_shape", "closed_form_of", "covers", "symmetric_matrix"]

Slopes = Mapping[str, Callable[[], Tensor]]
"""Argument to what computes the derivative by it."""

Entries = Mapping[tuple[str, str], Callable[[], Tensor]]
"""Pair of arguments to what computes the entry of a symmetric matrix; a pair that is left out is 0."""


def closed_form_of(rule: Any, distribution: Distribution) -> Callable[..., Any] | None:
    """The implementation of a ``functools.singledispatch`` rule for exactly this class.

    A subclass may have another density, or other arguments (``Chi2`` is a ``Gamma``), so it inherits none.
    """
    found: Callable[..., Any] | None = rule.registry.get(type(distribution))
    return found


def covers(entries: Entries, names: Sequence[str]) -> bool:
    """Whether there is a closed form for every argument named."""
    return set(names) <= {name for pair in entries for name in pair}


def symmetric_matrix(names: Sequence[str], entries: Entries, like: Tensor) -> Tensor:
    """The entries of the arguments named, as one matrix.

    Args:
        names: the k arguments, in the order of rows and columns.
        entries: the matrix, each pair once.
        like: of the dtype and device that a zero should have.

    Returns:
        ``(..., k, k)``, where ``...`` is the shape to which the entries broadcast.
    """
    zero = like.new_zeros(())
    k = len(names)
    upper: dict[tuple[int, int], Tensor] = {}
    for i, row in enumerate(names):
        for j in range(i, k):
            entry = entries.get((row, names[j])) or entries.get((names[j], row))
            upper[i, j] = zero if entry is None else entry()
    shape = broadcast_shape(*upper.values())
    cells = [upper[min(i, j), max(i, j)].expand(shape) for i in range(k) for j in range(k)]
    # Observations lie side by side in memory: stacked the other way round, a million of them take twice as long.
    return torch.stack(cells).reshape(k, k, *shape).movedim((0, 1), (-2, -1))


def broadcast_shape(*tensors: Tensor) -> torch.Size:
    """The shape to which tensors broadcast."""
    shapes: Any = torch.broadcast_shapes  # which torch leaves untyped
    shape: torch.Size = shapes(*(tensor.shape for tensor in tensors))
    return shape
