"""Linear least squares between bounds, against SciPy."""

import numpy as np
import pytest
import scipy.optimize

from paramfit.linalg.box import least_squares_in_box


@pytest.mark.parametrize("seed", range(40))
def test_it_is_scipys_minimum_in_any_units_and_exact_on_bounds(seed):
    rng = np.random.default_rng(seed)
    m = int(rng.integers(1, 6))
    matrix, target = rng.normal(size=(8, m)), rng.normal(size=8)
    lower = np.where(rng.random(m) < 0.6, -rng.random(m), -np.inf)
    upper = np.where(rng.random(m) < 0.6, rng.random(m), np.inf)
    unit = 10.0 ** rng.integers(-100, 101, m)
    expected = scipy.optimize.lsq_linear(matrix, target, (lower, upper), method="bvls", tol=1e-15).x
    solution = least_squares_in_box(matrix / unit, target, lower * unit, upper * unit)
    np.testing.assert_allclose(solution / unit, expected, rtol=1e-9, atol=1e-12)
    on = (np.abs(expected - lower) < 1e-13) | (np.abs(expected - upper) < 1e-13)
    assert np.isin(solution[on], np.concatenate([lower * unit, upper * unit])).all()


def test_without_bounds_that_matter_it_is_the_plain_solution_and_with_equal_columns_the_shortest():
    matrix = np.array([[1.0, 1.0], [1.0, 1.0], [0.0, 0.0]])
    wide = np.full(2, np.inf)
    np.testing.assert_allclose(least_squares_in_box(matrix, np.array([4.0, 4.0, 1.0]), -wide, wide), [2, 2], rtol=1e-12)


def test_bound_whose_slope_is_zero_is_kept_as_well_as_left():
    # The minimum is on the bound by itself: no slope pulls to either side of it.
    solution = least_squares_in_box(np.eye(2), np.array([0.0, 3.0]), np.zeros(2), np.full(2, np.inf))
    assert solution.tolist() == [0.0, 3.0]
