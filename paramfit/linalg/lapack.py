"""Factorisations of matrices of a few rows and columns.

LAPACK is called directly: on a triangle of five parameters torch and NumPy spend ten times as long on their own checks
and, where the processor is busy, a thousand times as long on waiting for threads.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import dtrsm
from scipy.linalg.lapack import dgeqrf, dgesdd, dtrtrs

__all__ = ["Array", "lengths", "singular_decomposition", "solve_upper", "triangle"]

Array = NDArray[np.float64]


def lengths(matrix: Array) -> Array:
    """The Euclidean length of each column; infinite where a square overflows."""
    length: Array = np.sqrt(np.einsum("ij,ij->j", matrix, matrix))
    return length


def triangle(rows: Array) -> Array:
    """The triangular factor R of ``rows = Q R``: ``(n, w)`` to ``(w, w)``; rows of zeros where n is less than w."""
    n, width = rows.shape
    packed = dgeqrf(rows)[0][:width]
    upper = np.zeros((width, width))
    for k in range(min(n, width)):
        upper[k, k:] = packed[k, k:]
    return upper


def singular_decomposition(matrix: Array) -> tuple[Array, Array, Array]:
    """``U (n, k)``, singular values ``(k,)`` from the largest, ``V^T (k, m)``; an ArithmeticError if not finite."""
    left, singular, directions, failed = dgesdd(matrix, full_matrices=0)
    if failed:
        raise ArithmeticError("the singular values were not found")
    return left, singular, directions


def solve_upper(upper: Array, right: Array, *, transposed: bool = False) -> Array:
    """Solve ``R x = b``, or ``R^T x = b``, for upper triangular R without a zero on its diagonal."""
    several = right.ndim > 1 and right.shape[1] > 1  # for which dtrtrs calls threads, however small the triangle
    solution: Array = (
        dtrsm(1.0, upper, right, trans_a=int(transposed)) if several else dtrtrs(upper, right, trans=int(transposed))[0]
    )
    return solution
