"""The triangle of all rows, in one piece and in many."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from paramfit.solvers.residual_sums import Layout, ResidualSums

ROWS = torch.randn(4, 37, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
PLAIN = Layout.plain(3)


def summed(*parts: Tensor) -> ResidualSums:
    sums = ResidualSums(PLAIN)
    for part in parts:
        sums.add(part)
    return sums


def products(sums: ResidualSums) -> "np.ndarray[tuple[int, int], np.dtype[np.float64]]":
    assert sums.factor is not None
    found: np.ndarray[tuple[int, int], np.dtype[np.float64]] = sums.factor.T @ sums.factor
    return found


@pytest.mark.parametrize("size", [1, 2, 3, 10, 36, 37])
def test_batches_of_any_size_have_the_inner_products_of_the_whole(size: int) -> None:
    sums = summed(*ROWS.split(size, dim=1))
    np.testing.assert_allclose(products(sums), (ROWS @ ROWS.T).numpy(), atol=1e-12)
    assert sums.n == 37


def test_factor_is_upper_triangular_and_as_wide_as_the_rows() -> None:
    factor = summed(*ROWS.split(5, dim=1)).factor
    assert factor is not None
    assert factor.shape == (4, 4)
    assert np.array_equal(factor, np.triu(factor))


def test_merged_sums_are_those_of_all_rows() -> None:
    first, second, third = (summed(part) for part in ROWS.split([5, 12, 20], dim=1))
    merged = first.merge([second, third])
    np.testing.assert_allclose(products(merged), (ROWS @ ROWS.T).numpy(), atol=1e-12)
    assert merged.n == 37


def test_process_without_rows_changes_nothing() -> None:
    merged = ResidualSums(PLAIN).merge([summed(ROWS), ResidualSums(PLAIN)])
    np.testing.assert_allclose(products(merged), (ROWS @ ROWS.T).numpy(), atol=1e-12)
    assert merged.n == 37


def test_losses_of_a_robust_objective_are_added_up() -> None:
    one, other = ROWS.split([20, 17], dim=1)
    sums = ResidualSums(PLAIN).add(one, torch.tensor(1.25)).add(other, torch.tensor(2.0))
    assert sums.total == 3.25
    assert sums.merge([ResidualSums(PLAIN).add(one, torch.tensor(0.5))]).total == 3.75


def test_squared_error_needs_no_total() -> None:
    assert summed(ROWS).merge([summed(ROWS)]).total is None


def test_column_that_normal_equations_would_lose_is_kept() -> None:
    # P. Laeuchli's matrix: 1 + d^2 is 1 in float64, so that the Gram matrix of the two columns is singular.
    d = 1e-9
    columns = torch.tensor([[1.0, d, 0.0], [1.0, 0.0, d]], dtype=torch.float64)
    sums = ResidualSums(Layout.plain(1))
    for row in columns.split(1, dim=1):
        sums.add(row)
    assert sums.factor is not None
    # |r_22| = sqrt(det(A^T A)) / |r_11|
    expected = math.sqrt(2 * d**2 + d**4) / math.sqrt(1 + d**2)
    assert abs(sums.factor[1, 1]) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("wrong", [math.nan, math.inf], ids=str)
def test_row_that_is_not_finite_is_seen(wrong: float) -> None:
    spoilt = ROWS.clone()
    spoilt[1, 30] = wrong
    assert not summed(*spoilt.split(8, dim=1)).is_finite()
    assert summed(ROWS).is_finite()


def test_no_rows_are_not_finite_sums() -> None:
    assert not ResidualSums(PLAIN).is_finite()


def test_checkpoint_gives_back_the_same_sums() -> None:
    layout = Layout((0, 2), (1,), ((0, 0), (None, 0)))
    sums = ResidualSums(layout, target=7.25).add(torch.randn(5, 9, dtype=torch.float64), torch.tensor(4.5))
    torch.save(sums.state_dict(), "sums.pt")
    restored = ResidualSums.from_state_dict(torch.load("sums.pt", weights_only=True))
    assert restored.layout == layout
    assert (restored.n, restored.total, restored.target) == (9, 4.5, 7.25)
    assert sums.factor is not None
    assert restored.factor is not None
    assert np.array_equal(restored.factor, sums.factor)


def test_sums_without_rows_have_a_checkpoint_too() -> None:
    restored = ResidualSums.from_state_dict(ResidualSums(PLAIN).state_dict())
    assert (restored.factor, restored.total, restored.n) == (None, None, 0)


def test_plain_layout_is_one_column_for_each_parameter_and_the_residual() -> None:
    assert (PLAIN.p, PLAIN.width, PLAIN.linear) == (3, 4, ())


def test_layout_counts_slopes_and_linear_columns() -> None:
    layout = Layout((0, 3), (1, 2), ((0, 0), (1, 1), (None, 1)))
    assert (layout.p, layout.width) == (4, 2 + 3 + 1)
