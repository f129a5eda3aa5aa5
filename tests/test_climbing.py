"""The ladder in one call, against closed forms."""

import math

import numpy as np
import pytest
from scipy.optimize import brentq

from paramfit import DistributionModel, FormulaModel, HuberError, InputError, LinearModel, fit, ladder
from paramfit.climbing import pair_profiles

COUNTS = [2.0, 3.0, 1.0, 4.0, 2.0, 7.0]
X = np.linspace(0, 4, 30)
Y = 2.5 * np.exp(-1.3 * X) + 0.5 + 0.05 * np.random.default_rng(2).normal(size=30)


def test_every_rung_of_a_poisson_sample_has_its_closed_form() -> None:
    n, mean = len(COUNTS), sum(COUNTS) / len(COUNTS)
    result = fit(DistributionModel("torch.distributions.Poisson", {"rate": None}), (COUNTS,))
    found = ladder(result, bootstrap=400, seed=1)
    plain = math.sqrt(mean / n)
    spread = math.sqrt(np.var(COUNTS) / n)
    for name, error in (("observed information", plain), ("expected information", plain), ("sandwich", spread)):
        errors = found.rung(name).standard_errors
        assert errors is not None
        assert errors["rate"] == pytest.approx(error, rel=1e-8)

    def deviance(rate: float) -> float:
        return 2 * n * (rate - mean - mean * math.log(rate / mean)) - 3.841458820694124

    ends = brentq(deviance, 0.1, mean), brentq(deviance, mean, 20)
    assert found.rung("profile likelihood").intervals["rate"] == pytest.approx(ends, rel=1e-7)
    errors = found.rung("bootstrap percentile").standard_errors
    assert errors is not None
    assert errors["rate"] == pytest.approx(spread, rel=0.12)  # three errors of 400 resamples


def test_least_squares_has_the_same_ladder() -> None:
    result = fit(FormulaModel("a*exp(-b*x) + c", ["x"], {"a": 1.0, "b": 1.0, "c": 0.0}), (X, Y))
    found = ladder(result)
    assert found.plain == "expected information"
    plain = found.rung("expected information")
    for name, estimate in result.parameters.items():
        assert plain.intervals[name] == pytest.approx(estimate.interval_95, rel=1e-9)
    assert set(found.profiles) == {"a", "b", "c"}


def test_ladder_of_a_line_with_one_error_model_agrees_with_itself() -> None:
    found = ladder(fit(LinearModel(), (X, 2 * X + np.tile([0.1, -0.1], 15))))
    assert not found.warnings
    observed, expected = found.rung("observed information"), found.rung("expected information")
    assert observed.standard_errors == pytest.approx(expected.standard_errors, rel=1e-9)


def test_pairs_have_their_minimum_at_the_estimates() -> None:
    result = fit(DistributionModel("torch.distributions.Gamma", {"concentration": None, "rate": None}), (COUNTS,))
    (pair,) = pair_profiles(result, points=5)
    assert pair.names == ("concentration", "rate")
    assert pair.estimates == pytest.approx([result.parameters[name].estimate for name in pair.names])
    assert min(min(row) for row in pair.deviance) >= -1e-9


def test_robust_fits_are_refused() -> None:
    result = fit(LinearModel(), (X, Y), objective=HuberError(scale=0.1))
    with pytest.raises(InputError, match="HuberError is no likelihood"):
        ladder(result)
