"""How well the best known parameter is determined, against numbers worked out by hand."""

import numpy as np
import pytest

from paramfit.solvers.standing import divergent_parameter, least_relative_error


def test_best_known_parameter_counts():
    # J'J = diag(4, 9), |e|^2 = 8 and 4 degrees of freedom: conditional errors sqrt(2)/2 and sqrt(2)/3.
    factor = np.array([[2.0, 0.0, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, np.sqrt(8.0)]])
    actual = least_relative_error(factor, 6, np.array([10.0, 1.0]), np.array([1.0, 1.0]))
    assert actual == pytest.approx(np.sqrt(2) / 2 / 10)


def test_size_is_that_of_the_start_where_the_value_is_small_and_one_where_both_are():
    factor = np.array([[2.0, 0.0], [0.0, 2.0]])
    error = 1 / 2  # s = 2 / sqrt(5 - 1)
    assert least_relative_error(factor, 5, np.array([1e-9]), np.array([4.0])) == pytest.approx(error / 4)
    assert least_relative_error(factor, 5, np.array([1e-9]), np.array([0.0])) == pytest.approx(error)


def test_correlated_parameters_count_as_determined():
    factor = np.array([[1.0, 1.0, 0.0], [0.0, 1e-16, 0.0], [0.0, 0.0, 0.1]])
    assert least_relative_error(factor, 10, np.ones(2), np.ones(2)) < 0.1


def test_parameter_far_from_its_start_with_an_error_larger_still_has_diverged():
    factor = np.array([[1e-9, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 2.0]])
    starts = np.array([1.0, 1.0])
    assert divergent_parameter(factor, 6, np.array([1e4, 1e4]), starts) == 0  # its error is 1e9
    assert divergent_parameter(factor, 6, np.array([1e7, 1e4]), starts) is None  # a hundredth of its value
    assert divergent_parameter(factor, 6, np.array([50.0, 1e4]), starts) is None  # near its start
