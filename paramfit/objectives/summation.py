"""Two orders of adding up: as torch does, and as a textbook's loop does."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import reduce

import torch
from torch import Tensor

from paramfit.torch_overhead import scalar

__all__ = ["Pairwise", "Sequential", "Summation"]


class Summation(ABC):
    """An order in which losses and gradients are added up. In float32 it decides the last digits."""

    @abstractmethod
    def add_up(self, values: Tensor) -> Tensor:
        """``(..., n)`` to ``(...)``."""

    @abstractmethod
    def contract(self, derivative: Tensor, columns: Mapping[str, Tensor | float], count: int) -> dict[str, Tensor]:
        """``sum_i derivative_i * column_i / count`` for each column; a float holds for every observation."""


class Pairwise(Summation):
    """As the installed torch sums: ``((derivative / n) * column).sum()``."""

    def add_up(self, values: Tensor) -> Tensor:
        """Sum over the last dimension."""
        return values.sum(-1)

    def contract(self, derivative: Tensor, columns: Mapping[str, Tensor | float], count: int) -> dict[str, Tensor]:
        """Divide, multiply, sum."""
        share = derivative if count == 1 else derivative / scalar(count, derivative)
        gradients = {}
        for name, column in columns.items():
            if isinstance(column, Tensor):
                gradients[name] = (share * column).sum()
            else:
                gradients[name] = share.sum() if column == 1.0 else share.sum() * column
        return gradients


class Sequential(Summation):
    """Left to right, one addition after the other, divided by n last: what a loop over the rows computes."""

    def add_up(self, values: Tensor) -> Tensor:
        """Sum over the last dimension, first to last."""
        return reduce(torch.add, values.unbind(-1))

    def contract(self, derivative: Tensor, columns: Mapping[str, Tensor | float], count: int) -> dict[str, Tensor]:
        """Multiply, sum, divide."""
        return {name: self.add_up(derivative * column) / count for name, column in columns.items()}
