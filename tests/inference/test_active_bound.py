"""Which parameters sit at a bound, and which have only lost their influence."""

import numpy as np
import pytest

from paramfit import DistributionModel, FormulaModel, fit

X = np.linspace(0, 10, 41)


def test_parameter_without_influence_far_from_its_bounds_is_not_called_at_one():
    """Of a decay within one step of x only the first point tells: tau may be anything below."""
    y = np.where(X == 0, 2.0, 0.0) + np.random.default_rng(0).normal(0, 0.3, 41)
    model = FormulaModel(
        "a * exp(-x / tau) + c", ["x"], {"a": 1, "tau": {"start": 5, "lower": 0, "upper": 50}, "c": None}
    )
    tau = fit(model, (X, y)).parameters["tau"]
    assert tau.at_bound is None
    assert tau.estimate > 5e-3
    assert tau.standard_error is None or tau.standard_error > 100 * tau.estimate


def test_parameter_that_has_run_into_its_bound_is():
    y = 2 - 0.1 * X + np.random.default_rng(0).normal(0, 0.3, 41)
    model = FormulaModel("a + b * x", ["x"], {"a": None, "b": {"start": 1, "lower": 0}})
    slope = fit(model, (X, y)).parameters["b"]
    assert (slope.at_bound, slope.standard_error) == ("lower", None)
    assert slope.estimate < 1e-3


def test_a_bound_that_holds_an_indefinite_information_leaves_the_others_theirs():
    """At k = 0 the rate is 2 + a: a's information is the sum of y / rate², whatever the curvature along k."""
    counts = np.array([4.0, 0, 0, 0, 16])
    starts = {"a": 1, "k": {"start": 0.1, "lower": 0}}
    model = DistributionModel("torch.distributions.Poisson", {"rate": "2 + a*exp(-k*x)"}, starts)
    result = fit(model, (np.arange(5.0), counts))
    assert result.parameters["k"].at_bound == "lower"
    assert result.parameters["a"].standard_error == pytest.approx(4 / np.sqrt(counts.sum()), rel=1e-7)


def test_what_a_bound_makes_inseparable_in_a_likelihood_has_no_errors():
    starts = {name: {"start": start, "lower": 0} for name, start in (("a", 0), ("k", 0), ("c", 2))}
    model = DistributionModel("torch.distributions.Poisson", {"rate": "a*exp(-k*x) + c"}, starts)
    result = fit(model, (np.arange(5.0), np.array([1.0, 2, 4, 5, 6])))
    assert result.parameters["k"].at_bound == "lower"
    assert result.parameters["a"].standard_error is None
    assert any("a and c cannot be told apart" in warning for warning in result.warnings)
