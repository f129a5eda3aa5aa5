"""Steps of Newton's method, against linear algebra."""

import math

import numpy as np
import pytest

from paramfit.solvers.newton_step import NewtonStep

CURVATURE = np.array([[4.0, 1.0], [1.0, 3.0]])
GRADIENT = np.array([1.0, -2.0])


def test_undamped_step_solves_the_quadratic():
    step, promised = NewtonStep(GRADIENT, CURVATURE).step(0.0)
    np.testing.assert_allclose(step, -np.linalg.solve(CURVATURE, GRADIENT), rtol=1e-12)
    assert promised == pytest.approx(-(GRADIENT @ step + 0.5 * step @ CURVATURE @ step))


def test_distance_is_in_standard_errors_and_knows_no_unit():
    expected = math.sqrt(GRADIENT @ np.linalg.solve(CURVATURE, GRADIENT))
    assert NewtonStep(GRADIENT, CURVATURE).distance == pytest.approx(expected)
    unit = np.diag([1e6, 1e-3])
    assert NewtonStep(unit @ GRADIENT, unit @ CURVATURE @ unit).distance == pytest.approx(expected)


def test_step_from_a_saddle_leads_downhill():
    saddle = np.diag([2.0, -1.0])
    visited = NewtonStep(np.array([1.0, 0.5]), saddle)
    step, promised = visited.step(0.0)
    assert step @ np.array([1.0, 0.5]) < 0
    assert promised > 0
    assert math.isinf(visited.distance)
