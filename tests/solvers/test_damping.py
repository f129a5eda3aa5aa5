"""The decisions of Levenberg and Marquardt, on small matrices whose answers NumPy or a formula gives."""

import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from paramfit.solvers.damping import DampedStep, gain_ratio, next_damping
from paramfit.solvers.gauss_newton import GaussNewton
from paramfit.solvers.projection import Linearization
from paramfit.solvers.standing import Finding

Array = NDArray[np.float64]

RANDOM = np.random.default_rng(11)
JACOBIAN = RANDOM.normal(size=(30, 3)) * np.array([1.0, 1e3, 1e-4])
RESIDUAL = RANDOM.normal(size=30)


def point(jacobian: Array = JACOBIAN, residual: Array = RESIDUAL) -> Linearization:
    p = jacobian.shape[1]
    factor = np.linalg.qr(np.column_stack([jacobian, residual]), mode="r")
    return Linearization(np.empty(0), factor, np.empty((0, p)), float(residual @ residual), len(residual))


def damped(jacobian: Array, residual: Array, damping: float) -> Array:
    """The step by NumPy, from the stacked system ``[J; sqrt(lambda) S]``."""
    lengths = np.linalg.norm(jacobian, axis=0)
    rows = np.concatenate([jacobian / lengths, math.sqrt(damping) * np.eye(len(lengths))])
    return np.linalg.lstsq(rows, np.concatenate([residual, np.zeros(len(lengths))]), rcond=None)[0] / lengths


@pytest.mark.parametrize("damping", [0.0, 1e-8, 1e-3, 1.0, 1e4], ids=str)
def test_step_is_that_of_the_augmented_system(damping):
    step, _ = DampedStep(point()).step(damping)
    np.testing.assert_allclose(step, damped(JACOBIAN, RESIDUAL, damping), rtol=1e-9)


@pytest.mark.parametrize("damping", [0.0, 1e-3, 1.0], ids=str)
def test_promise_is_the_decrease_that_the_linear_model_has(damping):
    step, promised = DampedStep(point()).step(damping)
    after = RESIDUAL - JACOBIAN @ step
    assert promised == pytest.approx(RESIDUAL @ RESIDUAL - after @ after, rel=1e-9)


def test_heavy_damping_goes_down_the_scaled_gradient():
    step, _ = DampedStep(point()).step(1e8)
    expected = JACOBIAN.T @ RESIDUAL / np.linalg.norm(JACOBIAN, axis=0) ** 2 / 1e8
    np.testing.assert_allclose(step, expected, rtol=1e-6)


@pytest.mark.parametrize("damping", [0.0, 1e-2], ids=str)
def test_step_does_not_depend_on_units(damping):
    units = np.array([1e6, 1.0, 1e-9])
    step, promised = DampedStep(point()).step(damping)
    scaled, same = DampedStep(point(JACOBIAN * units)).step(damping)
    np.testing.assert_allclose(scaled * units, step, rtol=1e-9)
    assert same == pytest.approx(promised, rel=1e-9)


def test_parameter_that_has_lost_its_influence_is_held_by_its_earlier_length():
    faint = np.column_stack([JACOBIAN[:, 0], 1e-8 * JACOBIAN[:, 0] ** 2])
    free, _ = DampedStep(point(faint)).step(1e-3)
    held, _ = DampedStep(point(faint), np.array([1.0, 1.0])).step(1e-3)
    assert abs(free[1]) > 1e4
    assert abs(held[1]) < 1e-3


@pytest.mark.parametrize("damping", [1e-6, 1e-3], ids=str)
def test_equal_columns_share_the_step_of_one(damping):
    twice = np.column_stack([JACOBIAN[:, 0], JACOBIAN[:, 0]])
    step, _ = DampedStep(point(twice)).step(damping)
    slope = JACOBIAN[:, 0] @ RESIDUAL / (JACOBIAN[:, 0] @ JACOBIAN[:, 0])
    assert step == pytest.approx([slope / (2 + damping)] * 2, rel=1e-8)


@pytest.mark.parametrize("column", [JACOBIAN[:, 0], np.zeros(30)], ids=["equal", "idle"])
def test_undamped_step_is_finite_where_the_jacobian_is_singular(column):
    step, promised = DampedStep(point(np.column_stack([JACOBIAN[:, 0], column]))).step(0.0)
    assert np.isfinite(step).all()
    assert math.isfinite(promised)


def test_relative_offset_is_that_of_bates_and_watts():
    q, _ = np.linalg.qr(JACOBIAN, mode="complete")
    along, off = q[:, :3].T @ RESIDUAL, q[:, 3:].T @ RESIDUAL
    expected = (np.linalg.norm(along) / math.sqrt(3)) / (np.linalg.norm(off) / math.sqrt(27))
    assert DampedStep(point()).offset == pytest.approx(expected, rel=1e-12)


def test_relative_offset_does_not_depend_on_units():
    other = point(JACOBIAN * np.array([1e5, 1.0, 1e-5]), 1e7 * RESIDUAL)
    assert DampedStep(other).offset == pytest.approx(DampedStep(point()).offset, rel=1e-10)


def test_relative_offset_is_rounding_at_a_minimum():
    rest = RESIDUAL - JACOBIAN @ np.linalg.lstsq(JACOBIAN, RESIDUAL, rcond=None)[0]
    assert DampedStep(point(residual=rest)).offset < 1e-12


def test_relative_offset_without_any_residual_is_zero_and_with_all_of_it_along_the_surface_infinite():
    factor = np.array([[2.0, 0.0], [0.0, 0.0]])
    exact = Linearization(np.empty(0), factor, np.empty((0, 1)), 0.0, 5)
    assert DampedStep(exact).offset == 0.0
    factor = np.array([[2.0, 1.0], [0.0, 0.0]])
    assert DampedStep(replace(exact, factor=factor)).offset == math.inf


@pytest.mark.parametrize(
    ("before", "after", "promised", "expected"),
    [
        (10.0, 8.0, 2.0, 1.0), (10.0, 9.5, 2.0, 0.25), (10.0, 12.0, 2.0, -1.0), (10.0, math.nan, 2.0, -math.inf),
        (10.0, math.inf, 2.0, -math.inf), (10.0, 9.0, 0.0, -math.inf),
    ],
    ids=["as promised", "a quarter", "worse", "NaN", "infinite", "nothing promised"],
)  # fmt: skip
def test_gain_is_what_came_over_what_was_promised(before, after, promised, expected):
    assert gain_ratio(before, after, promised) == expected


@pytest.mark.parametrize(
    ("gain", "factor"),
    [(1.0, 1 / 3), (5.0, 1 / 3), (0.75, 1 - 0.5**3), (0.5, 1.0), (0.25, 1 + 0.5**3), (0.0, 2.0)],
    ids=str,
)
def test_damping_after_success_follows_nielsens_curve(gain, factor):
    # max(1/3, 1 - (2 gain - 1)^3), with the growth factor set back to 2
    assert next_damping(0.6, 16.0, gain, accepted=True) == (pytest.approx(0.6 * factor), 2.0)


def test_damping_after_failures_grows_ever_faster():
    damping, growth = 1.0, 2.0
    dampings = []
    for _ in range(4):
        damping, growth = next_damping(damping, growth, -1.0, accepted=False)
        dampings.append(damping)
    assert dampings == [2.0, 8.0, 64.0, 1024.0]


SOLVER = GaussNewton(orthogonality=1e-8, step_tolerance=1e-12, cost_tolerance=1e-15)
LEFT = damped(JACOBIAN, RESIDUAL, 0.0)


@pytest.mark.parametrize(
    ("residual", "theta", "size_of_target", "finding"),
    [
        (RESIDUAL - JACOBIAN @ LEFT, np.ones(3), 1.0, Finding.ORTHOGONAL),
        (1e-20 * RESIDUAL, np.ones(3), 1.0, Finding.EXACT),
        (RESIDUAL, 1e13 * LEFT, 1e10, Finding.STEP_SMALL),
        (RESIDUAL, 1e11 * LEFT, 1e10, Finding.OFFSET_LEFT),
        (RESIDUAL, 1e13 * LEFT * np.array([1.0, 1.0, 1e-3]), 1e10, Finding.OFFSET_LEFT),
        (RESIDUAL, 1e13 * LEFT, 1.0, Finding.OFFSET_LEFT),
    ],
    ids=["orthogonal", "exact", "no step left", "not yet", "a step left in one parameter", "far from exact"],
)
def test_a_point_is_a_minimum_for_one_of_three_reasons(residual, theta, size_of_target, finding):
    standing = SOLVER.standing_at(DampedStep(point(residual=residual)), theta, size_of_target)
    assert standing.finding is finding
    assert standing.converged is (finding is not Finding.OFFSET_LEFT)


IDLE = np.column_stack([JACOBIAN[:, 0], np.zeros(30), np.zeros(30)])


@pytest.mark.parametrize(
    ("at_bound", "lost"),
    [(None, (1, 2)), (np.array([False, True, False]), (2,)), (np.array([False, True, True]), ())],
    ids=["free", "one at its bound", "both at their bounds"],
)
def test_minimum_of_some_parameters_only_is_none_and_tells_which_are_lost(at_bound, lost):
    rest = RESIDUAL - IDLE[:, 0] * (IDLE[:, 0] @ RESIDUAL) / (IDLE[:, 0] @ IDLE[:, 0])
    standing = SOLVER.standing_at(DampedStep(point(IDLE, rest), held=at_bound), np.ones(3), 1.0)
    assert standing.places == lost
    assert standing.converged is (not lost)
