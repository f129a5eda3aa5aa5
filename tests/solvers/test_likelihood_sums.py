"""Sums that add up."""

import math

import numpy as np

from paramfit.solvers.likelihood_sums import LikelihoodSums


def sums(loss: float = 1.0) -> LikelihoodSums:
    return LikelihoodSums(loss, np.array([1.0, 2.0]), np.eye(2), 3)


def test_sums_of_other_rows_are_added() -> None:
    found = sums().add(sums(2.0))
    assert (found.loss, found.n) == (3.0, 6)
    np.testing.assert_array_equal(found.gradient, [2.0, 4.0])
    np.testing.assert_array_equal(found.curvature, 2 * np.eye(2))


def test_what_a_checkpoint_kept_is_the_same() -> None:
    again = LikelihoodSums.from_state_dict(sums().state_dict())
    assert (again.loss, again.n) == (1.0, 3)
    np.testing.assert_array_equal(again.curvature, np.eye(2))


def test_loss_that_is_not_finite_is_seen() -> None:
    assert sums().is_finite()
    assert not sums(math.inf).is_finite()
