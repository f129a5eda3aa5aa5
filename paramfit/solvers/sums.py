"""What solvers need to know of the data, whatever their number: one small triangle, or a gradient and a curvature."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from paramfit.linalg.lapack import Array, all_finite, triangle
from paramfit.solvers.value import Value, derived

__all__ = ["BarrierSums", "Layout", "LikelihoodSums", "ResidualSums"]


@dataclass(frozen=True)
class Layout:
    """What the columns of the rows mean that are summed up.

    The first columns belong to the parameters that are solved for exactly (``linear``), the last one to the rest of the
    target; those between are slopes. Without linear parameters they are the Jacobian.
    """

    linear: tuple[int, ...]  # places of the linear parameters in theta
    nonlinear: tuple[int, ...]  # places of all others
    # For each column between: which linear parameter multiplies it (None: none does), and which nonlinear one it
    # belongs to, by their numbers in linear and nonlinear.
    slopes: tuple[tuple[int | None, int], ...]
    # Lower and upper bound of each element of theta, infinite where there is none. Empty where none has any.
    boxes: tuple[tuple[float, float], ...] = ()

    @classmethod
    def plain(cls, p: int, boxes: tuple[tuple[float, float], ...] = ()) -> "Layout":
        """The Jacobian ``(n, p)`` and the residual."""
        return cls((), tuple(range(p)), tuple((None, k) for k in range(p)), boxes)

    @derived
    def box(self) -> Array:
        """Lower and upper bounds of the elements of theta, ``(2, p)``."""
        return np.array(self.boxes or ((-np.inf, np.inf),) * self.p).reshape(-1, 2).T

    @derived
    def nonlinear_places(self) -> NDArray[np.intp]:
        """``nonlinear``, to index with."""
        return np.array(self.nonlinear, dtype=np.intp)

    @derived
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


@dataclass(frozen=True, eq=False)
class ResidualSums(Value):
    r"""The triangular factor R of some rows, and the sum of their losses; those of other rows are added by ``+``.

    .. math:: R_{1+2} = \mathrm{qr}\begin{pmatrix} R_1 \\ R_2 \end{pmatrix}

    It is additive over batches and over processes, up to the signs of R's rows, and, unlike the sums :math:`J^T J`,
    squares no condition number.
    """

    layout: Layout  # what the columns mean
    factor: Array  # R, (w, w), upper triangular, float64 on the CPU
    n: int  # how many rows
    # The sum of the losses over the squared scale, where it is not the residual's squared length; None where it is.
    total: float | None = None
    scale: float = 1.0  # of a robust objective
    target: float = 0.0  # the length of the (weighted) target; 0 where nobody asked

    @classmethod
    def of(cls, layout: Layout, columns: Tensor, total: Tensor | None = None, scale: float = 1.0) -> "ResidualSums":
        """The sums of rows, given by columns ``(w, n)``, with the total of their losses under a robust objective."""
        # On a device the rows are reduced there, and only their triangle travels.
        rows = columns.numpy().T if columns.is_cpu else torch.linalg.qr(columns.T, mode="r").R.cpu().numpy()
        return cls(layout, triangle(rows), columns.shape[1], None if total is None else total.item(), scale)

    @classmethod
    def of_no_rows(cls, layout: Layout) -> "ResidualSums":
        """What changes no sums: those of a process that has no rows."""
        return cls(layout, np.zeros((layout.width, layout.width)), 0)

    def __add__(self, other: "ResidualSums") -> "ResidualSums":
        """The sums of the rows of both."""
        factor = triangle(np.concatenate([self.factor, other.factor]))
        totals = [sums.total for sums in (self, other) if sums.total is not None]
        total = sum(totals) if totals else None
        target = math.hypot(self.target, other.target)
        return ResidualSums(other.layout, factor, self.n + other.n, total, max(self.scale, other.scale), target)

    def over(self, unit: float) -> "ResidualSums":
        """The sums of the rows over a unit, see ``unit_of``."""
        if unit == 1.0:
            return self
        return self.changed(factor=self.factor / unit, scale=self.scale / unit, target=self.target / unit)

    @derived
    def _is_finite(self) -> bool:
        return self.n > 0 and all_finite(self.factor)

    def is_finite(self) -> bool:
        """Whether there are rows, all of them finite."""
        return self._is_finite


@dataclass(frozen=True, eq=False)
class BarrierSums(Value):
    r"""The logarithmic barrier of the rooms s that rows have to the ends of what their distribution allows.

    .. math:: B = -\sum_i \log s_i
    """

    value: float  # B; infinite where a row that moves has no room
    gradient: Array  # its derivative by theta, (p,)
    curvature: Array  # its second derivatives, (p, p)
    normals: Array  # the part of them without those of the rooms themselves, the sum of a a^T / s^2, (p, p)

    def __add__(self, other: "BarrierSums") -> "BarrierSums":
        """The sums of the rows of both."""
        return BarrierSums(
            self.value + other.value,
            self.gradient + other.gradient,
            self.curvature + other.curvature,
            self.normals + other.normals,
        )

    def is_finite(self) -> bool:
        """Whether every row that moves has room."""
        return math.isfinite(self.value) and all_finite(self.curvature)


@dataclass(frozen=True, eq=False)
class LikelihoodSums(Value):
    """Sums over some rows; those of other batches, and of other processes, are added by ``+``."""

    loss: float  # the summed negative log-likelihood
    gradient: Array  # its derivative by theta, (p,), float64
    curvature: Array  # its second derivatives, or their expectation, (p, p)
    n: int  # how many rows
    bounded: tuple[int, ...] = ()  # places in theta of unconstrained numbers of bounded parameters, such as logarithms
    # Lower and upper bound of each element of theta, infinite where there is none. Empty where none has any.
    boxes: tuple[tuple[float, float], ...] = ()
    outside: bool = False  # whether an argument of a row is outside what its distribution allows
    barrier: BarrierSums | None = None  # where it was asked for

    def __add__(self, other: "LikelihoodSums") -> "LikelihoodSums":
        """The sums of the rows of both."""
        gradient, curvature = self.gradient + other.gradient, self.curvature + other.curvature
        barrier = None if self.barrier is None or other.barrier is None else self.barrier + other.barrier
        loss, n, outside = self.loss + other.loss, self.n + other.n, self.outside or other.outside
        return LikelihoodSums(loss, gradient, curvature, n, self.bounded, self.boxes, outside, barrier)

    def is_finite(self) -> bool:
        """Whether every row was."""
        return math.isfinite(self.loss) and all_finite(self.gradient) and all_finite(self.curvature)
