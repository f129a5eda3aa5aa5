"""The ladder in one call, against closed forms."""

import math

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import chi2

from paramfit import DistributionModel, FormulaModel, LinearModel, fit, ladder
from paramfit.fits.uncertainty_ladder import pair_profiles

COUNTS = [2.0, 3.0, 1.0, 4.0, 2.0, 7.0]
X = np.linspace(0, 4, 30)
Y = 2.5 * np.exp(-1.3 * X) + 0.5 + 0.05 * np.random.default_rng(2).normal(size=30)


def test_every_rung_of_a_poisson_sample_has_its_closed_form():
    n, mean = len(COUNTS), sum(COUNTS) / len(COUNTS)
    result = fit(DistributionModel("torch.distributions.Poisson", {"rate": None}), (COUNTS,))
    rungs = ladder(result, bootstrap=400, seed=1)
    plain = math.sqrt(mean / n)
    spread = math.sqrt(np.var(COUNTS) / n)
    for name, error in (("observed information", plain), ("expected information", plain), ("sandwich", spread)):
        errors = rungs.rung(name).standard_errors
        assert errors["rate"] == pytest.approx(error, rel=1e-8)

    def deviance(rate: float) -> float:
        return 2 * n * (rate - mean - mean * math.log(rate / mean)) - 3.841458820694124

    ends = brentq(deviance, 0.1, mean), brentq(deviance, mean, 20)
    assert rungs.rung("profile likelihood").intervals["rate"] == pytest.approx(ends, rel=1e-7)
    errors = rungs.rung("bootstrap percentile").standard_errors
    assert errors["rate"] == pytest.approx(spread, rel=0.12)  # three errors of 400 resamples


def test_least_squares_has_the_same_ladder():
    result = fit(FormulaModel("a*exp(-b*x) + c", ["x"], {"a": 1.0, "b": 1.0, "c": 0.0}), (X, Y))
    rungs = ladder(result)
    assert rungs.plain == "expected information"
    plain = rungs.rung("expected information")
    for name, estimate in result.parameters.items():
        assert plain.intervals[name] == pytest.approx(estimate.interval_95, rel=1e-9)
    assert set(rungs.profiles) == {"a", "b", "c"}


def test_ladder_of_a_line_with_one_error_model_agrees_with_itself():
    rungs = ladder(fit(LinearModel(), (X, 2 * X + np.tile([0.1, -0.1], 15))))
    assert not rungs.warnings
    observed, expected = rungs.rung("observed information"), rungs.rung("expected information")
    assert observed.standard_errors == pytest.approx(expected.standard_errors, rel=1e-9)


def test_pairs_have_their_minimum_at_the_estimates():
    result = fit(DistributionModel("torch.distributions.Gamma", {"concentration": None, "rate": None}), (COUNTS,))
    (pair,) = pair_profiles(result, points=5)
    assert pair.names == ("concentration", "rate")
    assert pair.estimates == pytest.approx([result.parameters[name].estimate for name in pair.names])
    assert min(min(row) for row in pair.deviance) >= -1e-9


def test_a_fit_that_ran_off_is_said_to_be_none_and_still_has_its_profile_on_the_near_side():
    """No event among the second group: its hazard is 0, its logarithm without lower end."""
    group = np.repeat([0.0, 1.0], 30)
    random = np.random.default_rng(0)
    time = np.where(group == 1, random.uniform(1, 4, 60), random.exponential(3.0, 60))
    visited = np.where(group == 1, "right", "").tolist()
    model = DistributionModel("torch.distributions.Exponential", {"rate": "exp(a - b*x)"}, {"a": 0.0, "b": 0.0})
    result = fit(model, (group, time), censoring=visited)
    rungs = ladder(result)
    assert result.status == "stalled"
    assert "b has no finite estimate: all 30 rows with x = 1 are censored (right)" in result.reason
    assert rungs.warnings[0].startswith("the fit has not converged (stalled)")
    assert not any("error model is wrong" in warning for warning in rungs.warnings)
    # The second group adds -rate T to the log-likelihood; for any b the best a has a closed form.
    total, watched = time[group == 0].sum(), time[group == 1].sum()

    def beyond(b: float) -> float:
        a = np.log(30 / (total + np.exp(-b) * watched))
        best = 30 * np.log(30 / total) - 30
        return float(2 * (best - (30 * a - np.exp(a) * (total + np.exp(-b) * watched))) - chi2.ppf(0.95, 1))

    assert rungs.rung("profile likelihood").intervals["b"][0] == pytest.approx(brentq(beyond, -3.0, 15.0), rel=1e-5)
