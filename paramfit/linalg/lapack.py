"""Factorisations of matrices of a few rows and columns.

LAPACK is called directly: on a triangle of five parameters torch and NumPy spend ten times as long on their own checks
and, where the processor is busy, a thousand times as long on waiting for threads.
"""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import dtrsm
from scipy.linalg.lapack import dgeqrf, dgesdd, dtrtrs

__all__ = [
    "LARGEST_TO_SQUARE",
    "Array",
    "all_finite",
    "length",
    "lengths",
    "singular_decomposition",
    "solve_upper",
    "triangle",
    "unit_of",
]

Array = NDArray[np.float64]

LARGEST_TO_SQUARE = 1e154
"""The square of a larger number is beyond float64."""

_SAFE = 1e75  # a size between one over it and it: squares of 1e-60 of it neither underflow nor overflow
_FEW = 32  # of which Python finds the smallest sooner than NumPy
_MANY = 10_000  # of so many BLAS waits for threads, which takes longer than the product
_LARGEST_UNIT = 2.0**1000  # one over it is no subnormal number


def unit_of(size: float) -> float:
    """The power of 2 by which numbers of a size are divided before they are squared; 1 unless squares are in danger."""
    if 1 / _SAFE < size < _SAFE or not 0 < size < math.inf:
        return 1.0
    return min(max(2.0 ** round(math.log2(size)), 1 / _LARGEST_UNIT), _LARGEST_UNIT)


def all_finite(array: Array) -> bool:
    """Whether all elements are; where their squares do not overflow, BLAS tells by one product."""
    return math.isfinite(np.vdot(array, array)) or bool(np.isfinite(array).all())


def length(vector: Array) -> float:
    """The Euclidean length of ``(n,)``, however small or large its elements are."""
    squared = float(vector @ vector if len(vector) <= _MANY else np.einsum("i,i->", vector, vector))
    if 1 / _SAFE**2 < squared < _SAFE**2:
        return math.sqrt(squared)
    return float(lengths(vector[:, None])[0])


def lengths(matrix: Array) -> Array:
    """The Euclidean length of each column, however small or large its elements are."""
    length: Array = np.sqrt(np.einsum("ij,ij->j", matrix, matrix))  # which overflows without a warning
    several = length.tolist() if length.size <= _FEW else (length.min(), length.max())
    if several and not (min(several) > 1 / _SAFE and max(several) < _SAFE):
        largest = np.abs(matrix).max(axis=0, initial=0.0)
        extreme = (largest > 0) & (largest < math.inf) & ~((length > 1 / _SAFE) & (length < _SAFE))
        scaled = matrix[:, extreme] / largest[extreme]
        length[extreme] = largest[extreme] * np.sqrt(np.einsum("ij,ij->j", scaled, scaled))
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
