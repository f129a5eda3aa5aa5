"""Equal starts of exchangeable components are moved apart by the amount that is stated."""

import numpy as np
import pytest

from paramfit.solvers.equal_starts import moved_apart
from paramfit.solvers.projection import linearization
from paramfit.solvers.sums import Layout, ResidualSums

T = np.linspace(0, 4, 20)
ANY = (-np.inf, np.inf)


def moved(slopes, start, boxes=(), residual=1.0):
    rows = np.stack([*slopes, residual * np.cos(T)], axis=1)
    sums = ResidualSums(Layout.plain(len(start), boxes), np.linalg.qr(rows, mode="r"), len(T))
    return moved_apart(sums.layout, linearization(sums), np.array(start))


@pytest.mark.parametrize(("start", "boxes", "expected"), [
    ([0.5, 0.5], (), [0.35, 0.65]),
    ([-2.0, -2.0], (), [-2.6, -1.4]),
    ([0.5, 0.5], ((0.5, np.inf), (0.5, np.inf)), [0.5, 0.65]),
    ([0.5, 0.5], (ANY, (0.0, 0.52)), [0.35, 0.52]),
])  # fmt: skip
def test_two_go_three_tenths_to_either_side_as_far_as_bounds_let_them(start, boxes, expected):
    there, places = moved([0.01 * T, 0.01 * T], start, boxes)
    np.testing.assert_allclose(there, expected, rtol=1e-14)
    assert places == (0, 1)


def test_no_farther_than_half_of_what_explains_the_residual():
    far = 0.5 * np.linalg.norm(np.cos(T)) / np.linalg.norm(T)
    there, _ = moved([T, T], [100.0, 100.0])
    np.testing.assert_allclose(there, [100 - far, 100 + far], rtol=1e-13)
    there, _ = moved([T, T, T], [0.0, 0.0, 0.0])
    np.testing.assert_allclose(there, [-far, 0, far], atol=1e-13)


def test_of_two_groups_the_one_that_changes_the_prediction_most_is_moved():
    there, places = moved([0.01 * T, 0.02 * T, 0.01 * T, 0.02 * T], [0.5, 0.4, 0.5, 0.4])
    np.testing.assert_allclose(there, [0.5, 0.28, 0.5, 0.52], rtol=1e-14)
    assert places == (1, 3)


@pytest.mark.parametrize(("slopes", "start"), [
    ([T, T], [0.5, 0.6]),
    ([T, T**2], [0.5, 0.5]),
    ([T, 2 * T], [0.5, 0.5]),
    ([0 * T, 0 * T], [0.5, 0.5]),
    ([T], [0.5]),
])  # fmt: skip
def test_what_is_not_alike_stays(slopes, start):
    there, places = moved(slopes, start)
    assert (there.tolist(), places) == (start, ())


def test_where_nothing_is_left_to_explain_nothing_is_moved():
    assert moved([T, T], [0.5, 0.5], residual=0.0)[1] == ()
