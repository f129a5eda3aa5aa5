"""From the triangle of all rows to the exact linear parameters and the triangle of the rest."""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from paramfit.linalg.lapack import Array, lengths, solve_upper, triangle
from paramfit.linalg.unit_free import THRESHOLDS, ScaledColumns
from paramfit.solvers.sums import Layout, ResidualSums
from paramfit.solvers.value import Value

__all__ = ["Linearization", "linearization"]

_EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False)
class Linearization(Value):
    """The least-squares problem seen from one point."""

    linear: Array  # the exact values of the linear parameters there, (q,)
    # Triangular factor of [Phi, J, e], (p + 1, p + 1): derivatives by the linear, then by the nonlinear parameters, and
    # the residual e = target - prediction.
    factor: Array
    # How the space of Phi turns with the nonlinear parameters, (q, m): further rows of the projected problem's
    # Jacobian, in which it has no residual.
    turning: Array
    loss: float  # the sum of the losses, in units of the target's unit squared
    n: int  # number of observations

    @cached_property
    def curved(self) -> Array:
        """The projected problem's Jacobian in a small basis, ``(m + q, m)``."""
        q, p = len(self.linear), len(self.factor) - 1
        upper = self.factor[q:p, q:p]
        if not q:
            return upper
        jacobian = np.concatenate([upper, self.turning])
        # What is left of a column that lies in the space of Phi is rounding: no direction to go.
        nothing = lengths(jacobian) <= THRESHOLDS.projected * self.unprojected
        if nothing.any():
            jacobian[:, nothing] = 0.0
        return jacobian

    @cached_property
    def curved_lengths(self) -> Array:
        """Lengths of the columns of ``curved``, ``(m,)``."""
        return lengths(self.curved)

    @cached_property
    def unprojected(self) -> Array:
        """Lengths of the nonlinear parameters' derivatives, ``(m,)``."""
        q, p = len(self.linear), len(self.factor) - 1
        return lengths(self.factor[:p, q:p])

    @property
    def slope(self) -> Array:
        """The residual's part along the first m rows of ``curved``, ``(m,)``; it has none along the others."""
        q, p = len(self.linear), len(self.factor) - 1
        return self.factor[q:p, p]


def linearization(sums: ResidualSums, unit: float = 1.0) -> Linearization:
    r"""Solve for the linear parameters and put their values in; rows are taken over ``unit``, see ``unit_of``.

    With :math:`f = \phi_0 + \Phi c` and R the factor of :math:`[\Phi, \partial\phi_j / \partial a_k, y - \phi_0]`, c
    minimises :math:`|y - \phi_0 - \Phi c|`, and the columns of :math:`\partial f / \partial a` and of the residual are
    combinations of R's: no second pass over the data is needed. The projected residual :math:`(I - \Phi\Phi^+) (y -
    \phi_0)` has the Jacobian

    .. math:: -(I - \Phi\Phi^+) \frac{\partial f}{\partial a_k} - (\Phi^+)^T \Big(\frac{\partial\Phi}{\partial
        a_k}\Big)^T e

    whose inner products R holds as well.

    References:
        Gene Golub, Victor Pereyra: The Differentiation of Pseudo-Inverses and Nonlinear Least Squares Problems Whose
        Variables Separate (1973).
    """
    factor, layout = sums.factor if unit == 1.0 else sums.factor / unit, sums.layout
    q, p = len(layout.linear), layout.p
    linear, turning = np.empty(0), np.empty((0, p))
    if q:
        basis = factor[:q, :q]
        regular = (np.abs(basis.diagonal()) > THRESHOLDS.regular * lengths(basis)).all()
        # Of the solutions of a singular system the shortest, where all columns have the same length.
        inverse = None if regular else ScaledColumns.of(basis).inverse(len(basis) * _EPS)
        linear = solve_upper(basis, factor[:q, -1]) if inverse is None else inverse @ factor[:q, -1]
        combination = np.zeros((layout.width, p - q + 1))
        rows, columns, multipliers = _places(layout)
        values = np.empty(q + 1)
        values[:q], values[q] = linear, 1.0
        combination[rows, columns] = values[multipliers]
        combination[:q, -1] = -linear
        combination[-1, -1] = 1.0
        moved = factor @ combination
        products = np.zeros((q + 1, p - q))  # the last row is the offset's, which does not turn Phi
        products[multipliers, columns] = factor[:, rows].T @ moved[:, -1]
        products = products[:q]
        turning = solve_upper(basis, products, transposed=True) if inverse is None else inverse.T @ products
        factor = triangle(np.concatenate([factor[:, :q], moved], axis=1))
        factor[:q, -1] = 0.0  # the residual has no part along Phi, whatever rounding says
    loss = float(factor[:, -1] @ factor[:, -1]) if sums.total is None else sums.total * (sums.scale / unit) ** 2
    return Linearization(linear, factor, turning, loss, sums.n)


@lru_cache(maxsize=64)
def _places(layout: Layout) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Where the multipliers of the slope columns go in the combination, and which they are (the last is 1)."""
    q = len(layout.linear)
    columns = np.array([k for _, k in layout.slopes], dtype=np.intp)
    multipliers = np.array([q if j is None else j for j, _ in layout.slopes], dtype=np.intp)
    return np.arange(q, q + len(columns)), columns, multipliers
