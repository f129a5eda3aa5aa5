"""What least squares must satisfy on any data, whatever the numbers."""

import math
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from paramfit import FitResult, FormulaModel, HuberError, LinearModel, Objective, SquaredError, fit

FEW = settings(max_examples=25, deadline=None, derandomize=True)
Array = NDArray[np.float64]


class Table(NamedTuple):
    """Rows scattered about a falling exponential."""

    x: Array
    y: Array
    sigma: Array


@st.composite
def tables(draw: st.DrawFn) -> Table:
    n = draw(st.integers(8, 40))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    x = random.uniform(0, 4, n)
    x[:4] = [0.0, 1.0, 2.0, 4.0]  # the curve is determined, whatever else is drawn
    sigma = random.uniform(0.5, 2.0, n) * draw(st.sampled_from([1e-3, 1e-2, 0.05]))
    return Table(x, 2 * np.exp(-0.8 * x) + 0.5 + sigma * random.normal(size=n), sigma)


scales = st.floats(-6, 6).map(lambda power: 10**power)
shifts = st.floats(-5, 5)


def decay(rate: float = 1.0) -> FormulaModel:
    """Height and level are solved for; the rate starts where it is told."""
    return FormulaModel("height * exp(-rate * x) + level", ["x"], {"height": None, "rate": rate, "level": None})


def stepwise(rate: float = 1.0) -> FormulaModel:
    """The same curve, with nothing that can be solved for exactly."""
    starts = {
        "height": {"start": 1, "lower": 0},
        "rate": {"start": rate, "lower": 0},
        "level": {"start": 1, "lower": -50},
    }
    return FormulaModel("height * exp(-rate * x) + level", ["x"], starts)


def values(result: FitResult) -> dict[str, float]:
    assert result.status == "converged"
    return {name: estimate.estimate for name, estimate in result.parameters.items()}


def errors(result: FitResult) -> dict[str, float]:
    assert all(estimate.standard_error is not None for estimate in result.parameters.values())
    return {name: float(estimate.standard_error or math.nan) for name, estimate in result.parameters.items()}


def assert_close(actual: FitResult, expected: FitResult) -> None:
    """Estimates agree to a small part of their errors, errors to a small part of themselves."""
    spread = errors(expected)
    for name, value in values(expected).items():
        assert values(actual)[name] == pytest.approx(value, abs=1e-5 * spread[name]), name
        assert errors(actual)[name] == pytest.approx(spread[name], rel=1e-5), name


@FEW
@given(table=tables(), scale=scales, shift=shifts)
def test_a_line_follows_a_scaled_and_shifted_input(table, scale, shift):
    plain = fit(LinearModel(), (table.x, table.y))
    moved = fit(LinearModel(), (scale * (table.x + shift), table.y))
    # y = w x + b = (w / s) s (x + t) + b - w t
    line, other = values(plain), values(moved)
    assert other["weight"] * scale == pytest.approx(line["weight"], rel=1e-8)
    assert other["bias"] == pytest.approx(line["bias"] - line["weight"] * shift, rel=1e-8, abs=1e-9)
    assert errors(moved)["weight"] * scale == pytest.approx(errors(plain)["weight"], rel=1e-8)


@FEW
@given(table=tables(), scale=scales, shift=shifts)
def test_an_exponential_follows_a_scaled_and_shifted_input(table, scale, shift):
    plain = fit(decay(), (table.x, table.y))
    moved = fit(decay(1.0 / scale), (scale * (table.x + shift), table.y))
    curve, other = values(plain), values(moved)
    part = {name: 1e-5 * error for name, error in errors(plain).items()}
    assert other["rate"] * scale == pytest.approx(curve["rate"], abs=part["rate"])
    assert other["level"] == pytest.approx(curve["level"], abs=part["level"])
    grown = math.exp(curve["rate"] * shift)
    height = part["height"] + abs(curve["height"] * shift) * part["rate"]
    assert other["height"] / grown == pytest.approx(curve["height"], abs=height)
    assert errors(moved)["rate"] * scale == pytest.approx(errors(plain)["rate"], rel=1e-5)
    assert errors(moved)["level"] == pytest.approx(errors(plain)["level"], rel=1e-5)


@FEW
@given(table=tables(), scale=scales, shift=shifts, sign=st.sampled_from([1, -1]))
def test_an_exponential_follows_a_scaled_and_shifted_target(table, scale, shift, sign):
    plain = fit(decay(), (table.x, table.y))
    moved = fit(decay(), (table.x, sign * scale * (table.y + shift)))
    curve, other = values(plain), values(moved)
    part = {name: 1e-5 * error for name, error in errors(plain).items()}
    assert other["rate"] == pytest.approx(curve["rate"], abs=part["rate"])
    assert sign * other["height"] / scale == pytest.approx(curve["height"], abs=part["height"])
    assert sign * other["level"] / scale - shift == pytest.approx(curve["level"], abs=part["level"])
    for name, unit in (("rate", 1.0), ("height", scale), ("level", scale)):
        assert errors(moved)[name] / unit == pytest.approx(errors(plain)[name], rel=1e-5)


@FEW
@given(table=tables(), seed=st.integers(0, 2**32 - 1), robust=st.booleans())
def test_the_order_of_the_rows_does_not_matter(table, seed, robust):
    order = np.random.default_rng(seed).permutation(len(table.x))
    objective: Objective = HuberError(scale=1.345) if robust else SquaredError()
    plain = fit(decay(), (table.x, table.y), sigma=table.sigma, objective=objective)
    mixed = fit(decay(), (table.x[order], table.y[order]), sigma=table.sigma[order], objective=objective)
    assert_close(mixed, plain)


@FEW
@given(table=tables(), model=st.sampled_from([decay, stepwise]))
def test_sigma_smaller_by_the_root_of_two_is_every_row_twice(table, model):
    sharper = fit(model(), (table.x, table.y), sigma=1 / math.sqrt(2))
    doubled = fit(model(), (np.tile(table.x, 2), np.tile(table.y, 2)), sigma=1.0)
    assert_close(doubled, sharper)


@FEW
@given(table=tables(), factor=scales)
def test_relative_sigma_may_be_given_in_any_unit(table, factor):
    plain = fit(decay(), (table.x, table.y), sigma=table.sigma, sigma_is="relative")
    other = fit(decay(), (table.x, table.y), sigma=factor * table.sigma, sigma_is="relative")
    assert_close(other, plain)


@FEW
@given(table=tables())
def test_solving_exactly_for_some_parameters_changes_no_estimate(table):
    # stepwise keeps height above 0, which the truth, 2, is by many errors
    data = (table.x, table.y)
    assert_close(fit(stepwise(), data, sigma=table.sigma), fit(decay(), data, sigma=table.sigma))
