"""The triangle of all rows, in one piece and in many."""

import math
from functools import reduce
from operator import add

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from paramfit.solvers.sums import Layout, ResidualSums

ROWS = torch.randn(4, 37, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
PLAIN = Layout.plain(3)


def summed(*parts: Tensor) -> ResidualSums:
    return reduce(add, [ResidualSums.of(PLAIN, part) for part in parts])


def products(sums: ResidualSums) -> NDArray[np.float64]:
    return sums.factor.T @ sums.factor


@pytest.mark.parametrize("size", [1, 2, 3, 10, 36, 37])
def test_batches_of_any_size_have_the_inner_products_of_the_whole(size):
    sums = summed(*ROWS.split(size, dim=1))
    np.testing.assert_allclose(products(sums), (ROWS @ ROWS.T).numpy(), atol=1e-12)
    assert sums.n == 37


def test_factor_is_upper_triangular_and_as_wide_as_the_rows():
    factor = summed(*ROWS.split(5, dim=1)).factor
    assert factor.shape == (4, 4)
    assert np.array_equal(factor, np.triu(factor))


def test_losses_of_a_robust_objective_are_added_up():
    one, other = ROWS.split([20, 17], dim=1)
    sums = ResidualSums.of(PLAIN, one, torch.tensor(1.25)) + ResidualSums.of(PLAIN, other, torch.tensor(2.0))
    assert sums.total == 3.25
    assert (sums + ResidualSums.of_no_rows(PLAIN)).total == 3.25


def test_column_that_normal_equations_would_lose_is_kept():
    # P. Laeuchli's matrix: 1 + d^2 is 1 in float64, so that the Gram matrix of the two columns is singular.
    d = 1e-9
    columns = torch.tensor([[1.0, d, 0.0], [1.0, 0.0, d]], dtype=torch.float64)
    sums = reduce(add, [ResidualSums.of(Layout.plain(1), row) for row in columns.split(1, dim=1)])
    # |r_22| = sqrt(det(A^T A)) / |r_11|
    assert abs(sums.factor[1, 1]) == pytest.approx(math.sqrt(2 * d**2 + d**4) / math.sqrt(1 + d**2), rel=1e-6)


@pytest.mark.parametrize("wrong", [math.nan, math.inf], ids=str)
def test_row_that_is_not_finite_is_seen(wrong):
    spoilt = ROWS.clone()
    spoilt[1, 30] = wrong
    assert not summed(*spoilt.split(8, dim=1)).is_finite()
    assert summed(ROWS).is_finite()


def test_no_rows_are_not_finite_sums():
    assert not ResidualSums.of_no_rows(PLAIN).is_finite()


def test_layout_counts_slopes_and_linear_columns():
    layout = Layout((0, 3), (1, 2), ((0, 0), (1, 1), (None, 1)))
    assert (layout.p, layout.width) == (4, 2 + 3 + 1)
