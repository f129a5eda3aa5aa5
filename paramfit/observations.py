"""One batch of observations."""

from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["Observations"]


class Observations(NamedTuple):
    """One batch: what was set, what was measured, and how well.

    Attributes:
        inputs: one tensor ``(n,)`` for each input column; empty for a plain sample.
        target: what was measured, ``(n,)``.
        sigma: standard deviation of each target, ``(n,)``, where it is known.
    """

    inputs: tuple[Tensor, ...]
    target: Tensor
    sigma: Tensor | None = None

    @property
    def n(self) -> int:
        """How many observations there are."""
        return int(self.target.shape[-1])

    def rows(self, index: Tensor | slice) -> "Observations":
        """The observations at ``index``."""
        return Observations(
            tuple(column[index] for column in self.inputs),
            self.target[index],
            None if self.sigma is None else self.sigma[index],
        )

    def to(self, dtype: torch.dtype) -> "Observations":
        """The same observations in another precision."""
        return Observations(
            tuple(column.to(dtype) for column in self.inputs),
            self.target.to(dtype),
            None if self.sigma is None else self.sigma.to(dtype),
        )
