"""Where a likelihood is flat at its maximum the directions are named, wherever on the ridge a fit ends."""

from typing import Any

import numpy as np
import pytest
from scipy import stats

from paramfit import DistributionModel, fit

Y = np.array([1.0, 2.5, 3.0, 4.2, 5.0])
PAIR = np.array([1.0, 3.0])
CAUCHY = {"loc": "m", "scale": "s"}
LOG_CAUCHY = {"loc": "m", "scale": "exp(s)"}


def fitted(kind: str, arguments: dict[str, Any], starts: dict[str, float], y: np.ndarray) -> Any:
    return fit(DistributionModel(f"torch.distributions.{kind}", arguments, starts, []), (y,))


@pytest.mark.parametrize(("kind", "arguments", "starts", "y", "flat"), [
    ("Cauchy", CAUCHY, {"m": 0.0, "s": 1.0}, PAIR, "ms"),
    ("Cauchy", CAUCHY, {"m": 3.5, "s": 0.1}, PAIR, "ms"),
    ("Cauchy", CAUCHY, {"m": 1.2, "s": 0.3}, PAIR, "ms"),
    ("Cauchy", CAUCHY, {"m": 2.0, "s": 5.0}, PAIR, "m"),  # at the top of the circle
    ("Cauchy", LOG_CAUCHY, {"m": 0.0, "s": 0.0}, PAIR, "ms"),
    ("Cauchy", {"loc": 0.0, "scale": 1.0}, {}, PAIR, ("loc", "scale")),
    ("Poisson", {"rate": "a*b"}, {"a": 1.0, "b": 0.2}, np.array([1.0, 2, 3]), "ab"),
    ("Normal", {"loc": "a*b", "scale": "s"}, {"a": 1.0, "b": 2.0, "s": 1.0}, Y, "ab"),
    ("Gamma", {"concentration": "a*b", "rate": "c"}, {"a": 1.0, "b": 0.2, "c": 1.0}, Y, "ab"),
])  # fmt: skip
def test_a_ridge_is_named_and_all_else_has_its_error(kind, arguments, starts, y, flat):
    result = fitted(kind, arguments, starts, y)
    assert result.status == "converged"
    assert {name for name, one in result.parameters.items() if one.standard_error is None} == set(flat)
    assert not any("no maximum" in str(warning) for warning in result.warnings)
    assert any(all(name in str(warning) for name in flat) for warning in result.warnings)


def test_the_whole_circle_of_two_cauchy_observations_is_maximal():
    """The density's logarithm at (1, 3) is -2 log(2 pi) wherever (m - 2)^2 + s^2 = 1."""
    angle = np.linspace(0.1, 3.0, 7)
    values = stats.cauchy.logpdf(PAIR[:, None], 2 + np.cos(angle), np.sin(angle)).sum(axis=0)
    assert values == pytest.approx(-2 * np.log(2 * np.pi))
    result = fitted("Cauchy", CAUCHY, {"m": 0.0, "s": 1.0}, PAIR)
    assert (result.parameters["m"].estimate - 2) ** 2 + result.parameters["s"].estimate ** 2 == pytest.approx(1)


@pytest.mark.parametrize("close", [1e-3, 1e-4])
def test_what_is_hardly_determined_but_is_keeps_its_error(close):
    """Two columns nearly alike: errors are those of the linear model, with the spread at its maximum."""
    x = np.linspace(-1, 1, 20)
    near = x + close * np.cos(7 * x)
    y = 1 + 2 * x + np.random.default_rng(0).normal(0, 0.1, 20)
    arguments = {"loc": "a*x + b*z", "scale": "s"}
    made = DistributionModel("torch.distributions.Normal", arguments, {"a": 1.0, "b": 0.0, "s": 1.0}, ["x", "z"])
    result = fit(made, (x, near, y))
    columns = np.column_stack([x, near])
    solution, *_ = np.linalg.lstsq(columns, y)
    spread = np.sqrt(np.mean((y - columns @ solution) ** 2))
    errors = spread * np.sqrt(np.diag(np.linalg.inv(columns.T @ columns)))
    assert [result.parameters[name].standard_error for name in "ab"] == pytest.approx(errors, rel=1e-4)


@pytest.mark.parametrize("count", [4, 5, 8])
def test_angles_that_balance_have_no_direction_and_no_concentration(count):
    """The sum of their unit vectors is 0 but for rounding, which would tell of a location."""
    angles = 2 * np.pi * (np.arange(count) + 0.3) / count - np.pi
    result = fitted("VonMises", {"loc": None, "concentration": None}, {}, angles)
    assert result.status == "converged"
    assert [one.standard_error for one in result.parameters.values()] == [None, None]
    warnings = " ".join(map(str, result.warnings))
    assert "concentration sits at its lower bound" in warnings
    assert "loc does not bend the likelihood" in warnings
