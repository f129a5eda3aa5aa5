"""What least squares needs to know of the data: one small triangle, whatever their number."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from paramfit.linalg.lapack import Array, triangle

__all__ = ["Layout", "ResidualSums"]


@dataclass(frozen=True)
class Layout:
    """What the columns of the rows mean that are summed up.

    The first columns belong to the parameters that are solved for exactly (``linear``), the last one to the rest of the
    target; those between are slopes. Without linear parameters they are the Jacobian.

    Attributes:
        linear: places of the linear parameters in theta.
        nonlinear: places of all others.
        slopes: for each column between, which linear parameter multiplies it (None: none does) and which of the
            nonlinear ones it belongs to, by their numbers in ``linear`` and ``nonlinear``.
        bounds: for each nonlinear parameter how many bounds it has: one is at minus infinity of its unconstrained
            number, a second at plus infinity. Empty where none has any.
    """

    linear: tuple[int, ...]
    nonlinear: tuple[int, ...]
    slopes: tuple[tuple[int | None, int], ...]
    bounds: tuple[int, ...] = ()

    @classmethod
    def plain(cls, p: int, bounds: tuple[int, ...] = ()) -> "Layout":
        """The Jacobian ``(n, p)`` and the residual."""
        return cls((), tuple(range(p)), tuple((None, k) for k in range(p)), bounds)

    def as_tuple(self) -> tuple[Any, ...]:
        """Plain values for a checkpoint."""
        return self.linear, self.nonlinear, self.slopes, self.bounds

    @classmethod
    def from_tuple(cls, plain: Sequence[Any]) -> "Layout":
        """The layout that ``as_tuple`` kept."""
        linear, nonlinear, slopes, bounds = plain
        return cls(tuple(linear), tuple(nonlinear), tuple((j, k) for j, k in slopes), tuple(bounds))

    @cached_property
    def linear_places(self) -> NDArray[np.intp]:
        """``linear``, to index with."""
        return np.array(self.linear, dtype=np.intp)

    @cached_property
    def nonlinear_places(self) -> NDArray[np.intp]:
        """``nonlinear``, to index with."""
        return np.array(self.nonlinear, dtype=np.intp)

    @cached_property
    def order(self) -> NDArray[np.intp]:
        """Places in theta, of the linear parameters first."""
        return np.array((*self.linear, *self.nonlinear), dtype=np.intp)

    @property
    def p(self) -> int:
        """Number of parameters."""
        return len(self.linear) + len(self.nonlinear)

    @property
    def width(self) -> int:
        """Number of columns."""
        return len(self.linear) + len(self.slopes) + 1


@dataclass
class ResidualSums:
    r"""The triangular factor R of all rows seen so far, ``R <- qr([R; rows])``, and the loss.

    It is additive over batches and over processes, and, unlike the sums :math:`J^T J`, squares no condition number.

    Attributes:
        layout: what the columns mean.
        factor: R, ``(w, w)``, upper triangular, float64 on the CPU.
        total: the sum of the losses, where it is not the residual's squared length; None where it is.
        n: rows so far.
        target: the squared length of the (weighted) target; 0 where nobody asked.
    """

    layout: Layout
    factor: Array | None = None
    total: float | None = None
    n: int = 0
    target: float = 0.0

    def add(self, columns: Tensor, total: Tensor | None = None) -> "ResidualSums":
        """Take in more rows.

        Args:
            columns: ``(w, n)``, the rows' columns one after the other.
            total: the sum of these rows' losses, for a robust objective.

        Returns:
            Itself.
        """
        rows = columns.T
        # On a device the rows are reduced there, and only their triangle travels.
        part = rows if rows.device.type == "cpu" else torch.linalg.qr(rows, mode="r").R.cpu()
        factor = triangle(part.numpy())
        self.factor = factor if self.factor is None else triangle(np.concatenate([self.factor, factor]))
        self.n += columns.shape[1]
        if total is not None:
            self.total = total.item() + (self.total or 0.0)
        return self

    def is_finite(self) -> bool:
        """Whether every row so far was."""
        return self.factor is not None and bool(np.isfinite(self.factor).all())

    def merge(self, others: Sequence["ResidualSums"]) -> "ResidualSums":
        """Take in the sums of other rows, such as those of other processes.

        Returns:
            Itself.
        """
        parts = [sums.factor for sums in (self, *others) if sums.factor is not None]
        self.factor = triangle(np.concatenate(parts)) if parts else None
        totals = [sums.total for sums in (self, *others) if sums.total is not None]
        self.total = sum(totals) if totals else None
        self.n += sum(sums.n for sums in others)
        self.target += sum(sums.target for sums in others)
        return self

    def state_dict(self) -> dict[str, Any]:
        """Plain values for a checkpoint."""
        factor = None if self.factor is None else torch.from_numpy(self.factor)
        return {"layout": self.layout.as_tuple(), "factor": factor, "total": self.total} | {
            "n": self.n,
            "target": self.target,
        }

    @classmethod
    def from_state_dict(cls, state: dict[str, Any]) -> "ResidualSums":
        """The sums that ``state_dict`` kept."""
        factor = None if state["factor"] is None else state["factor"].numpy()
        return cls(Layout.from_tuple(state["layout"]), factor, state["total"], state["n"], state["target"])
