"""Factorisations of small matrices, beside NumPy's and SciPy's."""

import numpy as np
import pytest
import scipy.linalg

from paramfit.linalg.lapack import singular_decomposition, solve_upper, triangle

SHAPES = pytest.mark.parametrize("shape", [(1, 1), (4, 4), (50, 3), (2, 5)], ids=lambda shape: f"{shape[0]}x{shape[1]}")


def matrix(shape: tuple[int, int]) -> "np.ndarray[tuple[int, int], np.dtype[np.float64]]":
    return np.random.default_rng(3).normal(size=shape)


@SHAPES
def test_triangle_is_numpys_but_for_signs(shape):
    rows = matrix(shape)
    expected = np.zeros((shape[1], shape[1]))
    expected[: min(shape)] = np.linalg.qr(rows, mode="r")
    np.testing.assert_allclose(np.abs(triangle(rows)), np.abs(expected), atol=1e-14)


@SHAPES
def test_triangle_has_the_columns_inner_products_and_nothing_below(shape):
    rows = matrix(shape)
    actual = triangle(rows)
    assert np.array_equal(actual, np.triu(actual))
    np.testing.assert_allclose(actual.T @ actual, rows.T @ rows, atol=1e-13)


@pytest.mark.parametrize("order", ["C", "F"])
def test_triangle_leaves_its_rows_as_they_were(order):
    rows = np.array(matrix((6, 3)), order=order)
    before = rows.copy()
    triangle(rows)
    assert np.array_equal(rows, before)


@SHAPES
def test_singular_values_are_numpys(shape):
    left, singular, directions = singular_decomposition(matrix(shape))
    np.testing.assert_allclose(singular, np.linalg.svd(matrix(shape), compute_uv=False), rtol=1e-13)
    np.testing.assert_allclose((left * singular) @ directions, matrix(shape), atol=1e-13)
    np.testing.assert_allclose(left.T @ left, np.eye(min(shape)), atol=1e-14)


def test_singular_values_of_what_is_not_finite_are_an_error():
    with pytest.raises(ArithmeticError, match="singular values"):
        singular_decomposition(np.array([[1.0, np.nan], [0.0, 1.0]]))


@pytest.mark.parametrize("transposed", [False, True], ids=["R", "R transposed"])
@pytest.mark.parametrize("shape", [(4,), (4, 1), (4, 3)], ids=str)
def test_triangular_system_is_solved_as_by_scipy(transposed, shape):
    upper, right = np.triu(matrix((4, 4))) + 3 * np.eye(4), np.random.default_rng(4).normal(size=shape)
    expected = scipy.linalg.solve_triangular(upper, right, trans=int(transposed))
    np.testing.assert_allclose(solve_upper(upper, right, transposed=transposed), expected, rtol=1e-13)
