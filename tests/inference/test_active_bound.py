"""Which parameters sit at a bound, and which have only lost their influence."""

import numpy as np

from paramfit import FormulaModel, fit

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
