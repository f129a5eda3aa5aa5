"""The ladder in one call, against closed forms."""

import math
from functools import partial

import numpy as np
import pytest
import statsmodels.api as sm
import torch
from scipy.optimize import brentq
from scipy.special import polygamma
from scipy.stats import chi2, nbinom
from torch.distributions import NegativeBinomial

from paramfit import DistributionModel, FormulaModel, LinearModel, fit, ladder
from paramfit.distributions import expected_information
from paramfit.fits.uncertainty_ladder import pair_profiles
from paramfit.shown.words import sentence

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


GLM_X = np.linspace(-1.0, 1.5, 80)
MEAN = np.exp(0.8 + 0.5 * GLM_X)
DRAWS = np.random.default_rng(5)
FAMILIES = sm.families
GENERALIZED = {
    "poisson, log": (FAMILIES.Poisson(), DRAWS.poisson(MEAN), "Poisson", {"rate": "exp(a + b*x)"}),
    "poisson, root": (FAMILIES.Poisson(FAMILIES.links.Sqrt()), DRAWS.poisson(MEAN), "Poisson",
        {"rate": "(a + b*x)**2"}),
    "bernoulli, logit": (FAMILIES.Binomial(), DRAWS.random(80) < MEAN / 8, "Bernoulli", {"logits": "a + b*x"}),
    "bernoulli, cloglog": (FAMILIES.Binomial(FAMILIES.links.CLogLog()), DRAWS.random(80) < MEAN / 8, "Bernoulli",
        {"probs": "1 - exp(-exp(a + b*x))"}),
    "gamma, log": (FAMILIES.Gamma(FAMILIES.links.Log()), DRAWS.gamma(3, MEAN / 3), "Gamma",
        {"concentration": "k", "rate": "k * exp(-a - b*x)"}),
    "gamma, inverse": (FAMILIES.Gamma(), DRAWS.gamma(3, 1 / (2 + MEAN) / 3), "Gamma",
        {"concentration": "k", "rate": "k * (a + b*x)"}),
    "normal, log": (FAMILIES.Gaussian(FAMILIES.links.Log()), DRAWS.normal(MEAN, 0.4), "Normal",
        {"loc": "exp(a + b*x)", "scale": "k"}),
    "geometric, log": (FAMILIES.NegativeBinomial(alpha=1.0), DRAWS.negative_binomial(1, 1 / (1 + MEAN)), "Geometric",
        {"logits": "-a - b*x"}),
    "negative binomial, log": (FAMILIES.NegativeBinomial, DRAWS.negative_binomial(2, 2 / (2 + MEAN)),
        "NegativeBinomial", {"total_count": "k", "logits": "a + b*x - log(k)"}),
    "negative binomial, root": (partial(FAMILIES.NegativeBinomial, FAMILIES.links.Sqrt()),
        DRAWS.negative_binomial(2, 2 / (2 + MEAN)), "NegativeBinomial",
        {"total_count": "k", "probs": "(a + b*x)**2 / ((a + b*x)**2 + k)"}),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:The .* link function does not respect the domain")  # statsmodels': it holds here
@pytest.mark.parametrize("case", GENERALIZED)
def test_expected_and_observed_errors_are_those_of_a_generalized_linear_model(case):
    """Against statsmodels, with the dispersion at its maximum-likelihood estimate."""
    family, drawn, kind, arguments = GENERALIZED[case]
    y = np.asarray(drawn, dtype=np.float64)
    starts = {"a": 1.0, "b": 0.1, "k": {"start": 1.0, "lower": 0.0}}
    used = {name: start for name, start in starts.items() if name != "k" or "k" in "".join(arguments.values())}
    result = fit(DistributionModel(f"torch.distributions.{kind}", arguments, used, ["x"]), (GLM_X, y))
    assert result.status == "converged"
    rungs = ladder(result, profile=False)
    k = result.parameters["k"].estimate if "k" in used else 1.0
    if callable(family):
        family = family(alpha=1 / k)
    scale = {"Gamma": 1 / k, "Normal": k**2}.get(kind, 1.0)
    design = sm.add_constant(GLM_X)
    linear = sm.GLM(y, design, family=family).fit(
        start_params=[result.parameters[name].estimate for name in "ab"], scale=scale, tol=1e-13
    )
    for name, place in (("a", 0), ("b", 1)):
        assert result.parameters[name].estimate == pytest.approx(linear.params[place], rel=1e-6)
        expected = rungs.rung("expected information").standard_errors[name]
        assert expected == pytest.approx(linear.bse[place], rel=1e-6)
    if "k" in used:
        return  # statsmodels takes the dispersion as known
    observed = -linear.model.hessian(linear.params, scale=scale, observed=True)
    errors = [rungs.rung("observed information").standard_errors[name] for name in "ab"]
    assert errors == pytest.approx(np.sqrt(np.linalg.inv(observed).diagonal()), rel=1e-6)


def test_the_expected_information_of_a_count_is_its_sum():
    """Of E[trigamma(r) - trigamma(r + Y)], term by term."""
    r, p = (torch.tensor(values, dtype=torch.float64) for values in ([2.0, 0.3, 50.0, 2e4], [0.6, 0.95, 0.9, 0.01]))
    information = expected_information(NegativeBinomial(r, probs=p), ["total_count"], summed=True)
    y = np.arange(20_000)
    for row, (count, probs) in enumerate(zip(r.tolist(), p.tolist(), strict=True)):
        terms = nbinom(count, 1 - probs).pmf(y) * (polygamma(1, count) - polygamma(1, count + y))
        assert information[row, 0, 0].item() == pytest.approx(terms.sum(), rel=1e-6)


def test_an_unfinished_fit_has_no_sandwich():
    result = fit(DistributionModel("torch.distributions.Poisson", {"rate": 1.0}), ([2.0, 9.0, 4.0],), max_iterations=1)
    rung = ladder(result, profile=False).rung("sandwich")
    assert rung.standard_errors is None
    assert sentence(rung.reasons[0]).startswith("the fit has not converged (limit_reached)")


def test_where_there_is_no_maximum_no_information_tells_an_error():
    counts = [2, 3, 2, 3, 2, 3, 3, 2, 4, 2, 1, 3]
    model = DistributionModel("torch.distributions.NegativeBinomial", {"total_count": None, "probs": None})
    errors = fit(model, (counts,)).ladder()
    assert errors.rung("expected information").intervals == {}
    assert all(warning.endswith("take Poisson instead.") for warning in errors.warnings)
