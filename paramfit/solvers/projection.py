"""From the triangle of all rows to the exact linear parameters and the triangle of the rest."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paramfit.linalg.box import least_squares_in_box
from paramfit.linalg.lapack import Array, lengths, solve_upper, triangle
from paramfit.linalg.unit_free import THRESHOLDS, ScaledColumns
from paramfit.solvers.sums import Layout, ResidualSums
from paramfit.solvers.value import Value, derived

__all__ = ["Linearization", "linearization", "thrown_away", "unprojected"]

_EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False)
class Linearization(Value):
    """The least-squares problem seen from one point."""

    linear: Array  # the exact values of the linear parameters there, (q,)
    # Triangular factor of [Phi, J, e], (f + m + 1, f + m + 1): derivatives by the f linear parameters that are not held
    # at a bound, then by the nonlinear ones, and the residual e = target - prediction.
    factor: Array
    # How the space of Phi turns with the nonlinear parameters, (f, m): further rows of the projected problem's
    # Jacobian, in which it has no residual.
    turning: Array
    loss: float  # the sum of the losses
    n: int  # number of observations
    held: tuple[int, ...] = ()  # numbers of the linear parameters that are held at a bound
    whole: Array | None = None  # the factor with their columns, (p + 1, p + 1); None where none is held

    @property
    def q(self) -> int:
        """The number of linear parameters that are not held."""
        return len(self.linear) - len(self.held)

    @property
    def curved(self) -> Array:
        """The projected problem's Jacobian in a small basis, ``(m + q, m)``."""
        return self._curved_with_lengths[0]

    @property
    def curved_lengths(self) -> Array:
        """Lengths of the columns of ``curved``, ``(m,)``."""
        return self._curved_with_lengths[1]

    @derived
    def _curved_with_lengths(self) -> tuple[Array, Array]:
        q, p = self.q, len(self.factor) - 1
        upper = self.factor[q:p, q:p]
        if not q:
            return upper, lengths(upper)
        jacobian = np.concatenate([upper, self.turning])
        # What is left of a column that lies in the space of Phi is rounding: no direction to go.
        size = lengths(jacobian)
        nothing = size <= THRESHOLDS.projected * self.unprojected
        if nothing.any():
            jacobian[:, nothing], size[nothing] = 0.0, 0.0
        return jacobian, size

    @derived
    def unprojected(self) -> Array:
        """Lengths of the nonlinear parameters' derivatives, ``(m,)``."""
        q, p = self.q, len(self.factor) - 1
        return lengths(self.factor[:p, q:p])

    @property
    def slope(self) -> Array:
        """The residual's part along the first m rows of ``curved``, ``(m,)``; it has none along the others."""
        q, p = self.q, len(self.factor) - 1
        return self.factor[q:p, p]


def linearization(sums: ResidualSums) -> Linearization:
    r"""Solve for the linear parameters and put their values in.

    With :math:`f = \phi_0 + \Phi c` and R the factor of :math:`[\Phi, \partial\phi_j / \partial a_k, y - \phi_0]`, c
    minimises :math:`|y - \phi_0 - \Phi c|` within its bounds, and the columns of :math:`\partial f / \partial a` and
    of the residual are combinations of R's: no second pass over the data is needed. The projected residual
    :math:`(I - \Phi\Phi^+) (y - \phi_0)` has the Jacobian

    .. math:: -(I - \Phi\Phi^+) \frac{\partial f}{\partial a_k} - (\Phi^+)^T \Big(\frac{\partial\Phi}{\partial
        a_k}\Big)^T e

    whose inner products R holds as well.

    References:
        Gene Golub, Victor Pereyra: The Differentiation of Pseudo-Inverses and Nonlinear Least Squares Problems Whose
        Variables Separate (1973).
    """
    factor, layout = sums.factor, sums.layout
    q, p = len(layout.linear), layout.p
    linear, turning, whole = np.empty(0), np.empty((0, p)), None
    held: tuple[int, ...] = ()
    if q:
        basis = factor[:q, :q]
        inverse = _inverse_of_singular(basis)
        linear = solve_upper(basis, factor[:q, -1]) if inverse is None else inverse @ factor[:q, -1]
        free: Any = slice(None)
        if layout.boxes:
            lower, upper = layout.box[:, list(layout.linear)]
            if not ((lower < linear) & (linear < upper)).all():
                linear = least_squares_in_box(basis, factor[:q, -1], lower, upper)
                free = (lower < linear) & (linear < upper)
                held = tuple(np.flatnonzero(~free).tolist())
                basis = triangle(basis[:, free])
                inverse = _inverse_of_singular(basis)
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
        products = products[:q][free]
        turning = products  # without columns nothing turns
        if len(basis):
            turning = solve_upper(basis, products, transposed=True) if inverse is None else inverse.T @ products
        if held:
            whole = triangle(np.concatenate([factor[:, :q], moved], axis=1))
        factor = triangle(np.concatenate([factor[:, :q][:, free], moved], axis=1))
        factor[: len(basis), -1] = 0.0  # the residual has no part along Phi, whatever rounding says
    loss = float(factor[:, -1] @ factor[:, -1]) if sums.total is None else sums.total * sums.scale**2
    return Linearization(linear, factor, turning, loss, sums.n, held, whole)


def thrown_away(sums: ResidualSums, theta: Array) -> bool:
    """Whether a linear parameter's column vanishes though it has a start: solving for it would give 0 in its place."""
    q = len(sums.layout.linear)
    if all(sums.factor.diagonal()[:q].tolist()):
        return False  # without a look at whole columns
    idle = lengths(sums.factor[:q, :q]) == 0
    return bool((theta[list(sums.layout.linear)][idle] != 0).any())


def unprojected(sums: ResidualSums, theta: Array) -> tuple[Linearization, Layout]:
    """The problem in all parameters at once, at theta ``(p,)`` where the rows were summed up, and its layout.

    The same combinations of columns with the linear parameters as they are: no second pass over the data is needed.
    """
    factor, layout = sums.factor, sums.layout
    q, p = len(layout.linear), layout.p
    linear = theta[list(layout.linear)]
    combination = np.zeros((layout.width, p + 1))
    combination[np.arange(q), list(layout.linear)] = 1.0
    rows, columns, multipliers = _places(layout)
    combination[rows, layout.nonlinear_places[columns]] = np.append(linear, 1.0)[multipliers]
    combination[:q, -1] = -linear
    combination[-1, -1] = 1.0
    joint = triangle(factor @ combination)
    loss = float(joint[:, -1] @ joint[:, -1])
    return Linearization(np.empty(0), joint, np.empty((0, p)), loss, sums.n), Layout.plain(p, layout.boxes)


def _inverse_of_singular(basis: Array) -> Array | None:
    """By which of the solutions of a singular system is the shortest, where all columns have the same length."""
    pivots = basis.diagonal()
    if min(map(abs, pivots.tolist()), default=math.inf) > THRESHOLDS.regular * math.sqrt(np.vdot(basis, basis)):
        return None  # no column is longer than all of them together
    if (np.abs(pivots) > THRESHOLDS.regular * lengths(basis)).all():
        return None
    return ScaledColumns.of(basis).inverse(len(basis) * _EPS)


@lru_cache(maxsize=64)
def _places(layout: Layout) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Where the multipliers of the slope columns go in the combination, and which they are (the last is 1)."""
    q = len(layout.linear)
    columns = np.array([k for _, k in layout.slopes], dtype=np.intp)
    multipliers = np.array([q if j is None else j for j, _ in layout.slopes], dtype=np.intp)
    return np.arange(q, q + len(columns)), columns, multipliers
