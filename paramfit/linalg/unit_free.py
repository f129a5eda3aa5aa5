"""Linear algebra that does not depend on the parameters' units: decompose free of them, drop what is weak, undo.

Columns are brought to equal length, curvatures to a diagonal of one, before anything is compared with a threshold: what
decides is then directions.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from paramfit.facts import Fact, FactKind
from paramfit.linalg.lapack import Array, lengths, singular_decomposition, solve_upper, triangle

__all__ = [
    "THRESHOLDS",
    "InverseInformation",
    "ScaledColumns",
    "ScaledCurvature",
    "column_lengths",
    "inverse_information",
]

_EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Thresholds:
    r"""What is rounding, as a part of the strongest direction; columns have equal length.

    Equal lengths come within :math:`\sqrt p` of the smallest condition number that any scaling has (van der Sluis,
    1969); the singular values are then known to a few ``eps`` of the largest (Golub and Van Loan, 2013, section 5.4).

    Attributes:
        rank: of a singular value, or an eigenvalue of exact curvature: some 500 eps, for rows that lose a digit or two
            on the way.
        hessian: of an eigenvalue where a Hessian was summed up or differentiated numerically, which loses one more.
        regular: of a pivot of a triangle: where all are larger no singular value is looked for, since they are at most
            :math:`2^p` smaller (Higham, 2002, section 8.3).
        pivot: the same where R is solved with twice, so that its square has to keep digits, or errors rest on it.
        twice: of a singular value in such a solution.
        projected: of a column that is left outside the space of others, over its own length.
        half_the_digits: of a singular value whose square still has half of a float64's digits.
        share: of a parameter in a weak direction, over the largest share: less is no part in it.

    References:
        Abraham van der Sluis: Condition Numbers and Equilibration of Matrices (1969).
        Nicholas Higham: Accuracy and Stability of Numerical Algorithms (2002).
        Gene Golub, Charles Van Loan: Matrix Computations (2013).
    """

    rank: float = 1e-13
    hessian: float = 1e-12
    regular: float = 1e-11
    pivot: float = 1e-6
    twice: float = 1e3 * _EPS
    projected: float = 1e-13
    half_the_digits: float = 1e-4
    share: float = 1e-3


THRESHOLDS = Thresholds()


def column_lengths(matrix: Array) -> Array:
    """The Euclidean length of each column, 1 for a column of zeros: to divide by."""
    size = lengths(matrix)
    return size if size.all() else np.where(size > 0, size, 1.0)


@dataclass(frozen=True)
class ScaledColumns:
    r"""The singular value decomposition of columns of equal length.

    .. math:: A S^{-1} = U \, \mathrm{diag}(\sigma) \, V^T
    """

    size: Array  # S's diagonal, (m,)
    left: Array  # U (n, k)
    singular: Array  # from the largest, (k,)
    directions: Array  # V^T (k, m)

    @classmethod
    def of(cls, columns: Array, size: Array | None = None) -> "ScaledColumns":
        """Decompose ``(n, m)``, by the columns' own lengths or those given."""
        size = column_lengths(columns) if size is None else size
        return cls(size, *singular_decomposition(columns / size))

    def strong(self, least: float = THRESHOLDS.rank) -> NDArray[np.bool_]:
        """Which directions are no rounding, ``(k,)``."""
        strong: NDArray[np.bool_] = self.singular > max(least * self.singular[0], 1e-300)
        return strong

    def towards(self, target: Array) -> tuple[Array, float]:
        """The shortest x with :math:`|A x - b|` least, ``(m,)``, and by how much that shortens b, squared."""
        strong = self.strong()
        along = self.left[:, strong].T @ target
        return (along / self.singular[strong]) @ self.directions[strong] / self.size, float(along @ along)

    def inverse(self, least: float = THRESHOLDS.rank) -> Array:
        """The pseudo-inverse ``(m, n)``: weak directions have no part in it."""
        strong = self.strong(least)
        inverse: Array = (self.directions[strong].T / self.singular[strong]) @ self.left[:, strong].T
        return inverse / self.size[:, None]


@dataclass(frozen=True)
class ScaledCurvature:
    r"""The eigenvalue decomposition of a symmetric matrix with a diagonal of one.

    .. math:: S^{-1} H S^{-1} = V \, \mathrm{diag}(\lambda) \, V^T, \qquad S = \mathrm{diag}(|H_{kk}|^{1/2})
    """

    size: Array  # S's diagonal, (m,), which is 1 where H's is 0
    values: Array  # from the smallest, (m,)
    vectors: Array  # as columns, (m, m)

    @classmethod
    def of(cls, matrix: Array, least: Array | None = None) -> "ScaledCurvature":
        """Decompose ``(m, m)``; ``least`` is the smallest that S may be, ``(m,)``."""
        size = np.sqrt(np.abs(matrix.diagonal()))
        size = size if least is None else np.maximum(size, least)
        size = np.where(size > 0, size, 1.0)
        return cls(size, *np.linalg.eigh(matrix / np.outer(size, size)))

    @property
    def strongest(self) -> float:
        """The largest absolute eigenvalue."""
        return float(np.abs(self.values).max())

    def strong(self, least: float = THRESHOLDS.rank) -> NDArray[np.bool_]:
        """Which directions curve, up or down, by more than rounding, ``(m,)``."""
        return np.abs(self.values) > least * self.strongest

    def downhill(self, gradient: Array) -> tuple[Array, float]:
        """Newton's step ``(m,)`` by the eigenvalues' absolute values, and the decrease it promises, times 2."""
        curved, strong = np.abs(self.values), self.strong()
        along = self.vectors[:, strong].T @ (gradient / self.size)
        step: Array = -(self.vectors[:, strong] @ (along / curved[strong])) / self.size
        return step, float((along**2 / curved[strong]).sum())

    def inverse(self) -> Array:
        """The pseudo-inverse ``(m, m)``: weak directions have no part in it."""
        strong = self.strong()
        inverse: Array = (self.vectors[:, strong] / self.values[strong]) @ self.vectors[:, strong].T
        return inverse / np.outer(self.size, self.size)

    def root(self, kept: Array) -> Array:
        """R with ``R^T R`` the matrix whose eigenvalues, scaled, are ``kept`` ``(m,)``; triangular."""
        return triangle(np.sqrt(kept)[:, None] * self.vectors.T * self.size)


@dataclass(frozen=True)
class InverseInformation:
    """``(R^T R)^-1`` where it exists."""

    root: Array  # F (p, r) with F F^T the inverse; rows of undetermined parameters are 0
    undetermined: dict[int, Fact]  # for each parameter that has no error, why; by its number
    directions: tuple[Fact, ...]  # what cannot be told apart


def inverse_information(factor: Array, names: Sequence[str], least: Array | float = 0.0) -> InverseInformation:
    r"""Invert :math:`R^T R`, by directions where it is singular.

    The columns are first brought to equal length: the rank is then a matter of directions, not of units. A parameter
    that has a share in a direction which the observations do not determine has no error; all others have theirs. A
    column of R that is no longer than ``least`` is nothing but rounding.

    References:
        Douglas Bates, Donald Watts: Nonlinear Regression Analysis and Its Applications (1988), section 3.
    """
    p = len(names)
    sizes = lengths(factor)
    moving = np.flatnonzero(sizes > least)
    undetermined = {k: _idle(names[k]) for k in sorted({*range(p)} - {*moving.tolist()})}
    directions, root = list(undetermined.values()), np.zeros((p, 0))
    if len(moving) == p and (np.abs(factor.diagonal()) > THRESHOLDS.pivot * sizes).all():
        root = solve_upper(factor / sizes, np.eye(p)) / sizes[:, None]  # without a look at singular values
    elif len(moving):
        scaled = ScaledColumns.of(factor[:, moving], sizes[moving])
        weak = ~scaled.strong()
        for vector in scaled.directions[weak]:
            involved = np.flatnonzero(np.abs(vector) > THRESHOLDS.share * np.abs(vector).max())
            weakest = _direction([names[moving[k]] for k in involved], (vector / scaled.size)[involved])
            directions.append(weakest)
            undetermined.update({int(moving[k]): weakest for k in involved if int(moving[k]) not in undetermined})
        if weak.any():
            inverse = scaled.directions[~weak].T / scaled.singular[~weak]
        else:
            upper = factor[:, moving] / scaled.size
            inverse = solve_upper(upper if len(moving) == p else triangle(upper), np.eye(len(moving)))
        root = np.zeros((p, inverse.shape[1]))
        root[moving] = inverse / scaled.size[:, None]
        root[list(undetermined)] = 0.0
    return InverseInformation(root, undetermined, tuple(directions))


def _idle(name: str) -> Fact:
    return Fact(FactKind.IDLE, (name,))


def _direction(names: Sequence[str], shares: Array) -> Fact:
    """What moves together without a change of any prediction, and by how much of each, the largest being 1."""
    if len(names) == 1:
        return _idle(names[0])
    return Fact(FactKind.INSEPARABLE, tuple(names), {"shares": tuple((shares / np.abs(shares).max()).tolist())})
