"""Errors along an edge of what a distribution's arguments may be."""

import numpy as np
import pytest
from scipy.optimize import brentq

from paramfit import DistributionModel, fit

DOSE = np.repeat(np.arange(1.0, 6), 3)
ALIVE = np.array([1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 0, 0, 0, 0, 1.0])


def test_the_bend_of_the_edge_counts():
    """Held at 1 for the first dose the probability is exp(-b (x - 1)): a model of one parameter, a being exp(b)."""
    away, died = DOSE - 1, ALIVE == 0

    def slope(b: float) -> float:
        p = np.exp(-b * away)
        return away[~died].sum() - (away[died] * p[died] / (1 - p[died])).sum()

    b = brentq(slope, 1e-3, 3, xtol=1e-14)
    p = np.exp(-b * away[died])
    error = (away[died] ** 2 * p / (1 - p) ** 2).sum() ** -0.5
    model = DistributionModel("torch.distributions.Bernoulli", {"probs": "a*exp(-b*x)"}, {"a": 0.8, "b": 0.1})
    result = fit(model, (DOSE, ALIVE))
    assert result.parameters["b"].estimate == pytest.approx(b, rel=1e-7)
    assert result.parameters["b"].standard_error == pytest.approx(error, rel=1e-6)
    assert result.parameters["a"].standard_error == pytest.approx(np.exp(b) * error, rel=1e-6)


def test_an_edge_that_is_straight_adds_nothing():
    """Held at 0 for x = 0 the rate is b x, whose error is the root of b² over the sum of counts."""
    counts = np.array([0.0, 0, 3, 4, 7])
    model = DistributionModel("torch.distributions.Poisson", {"rate": "a + b*x"}, {"a": 1, "b": 1})
    result = fit(model, (np.arange(5.0), counts))
    b = result.parameters["b"]
    assert b.estimate == pytest.approx(1.4, rel=1e-7)
    assert b.standard_error == pytest.approx(1.4 / np.sqrt(14), rel=1e-6)
    assert result.parameters["a"].standard_error is None


def test_a_bound_that_is_the_edge_is_told_once():
    """With a at its bound 0 the rate is 0 for x = 0, which holds nothing else."""
    starts = {name: {"start": 1, "lower": 0} for name in "ab"}
    model = DistributionModel("torch.distributions.Poisson", {"rate": "a + b*x"}, starts)
    result = fit(model, (np.arange(5.0), np.array([0.0, 0, 1, 4, 6])))
    (warning,) = result.warnings
    assert warning.startswith("a sits at its lower bound")
    assert result.parameters["b"].standard_error == pytest.approx(1.1 / np.sqrt(11), rel=1e-7)


def test_a_likelihood_of_one_has_no_loss_with_a_sign():
    model = DistributionModel("torch.distributions.Poisson", {"rate": "a + b*x"}, {"a": 1, "b": 1})
    result = fit(model, (np.arange(1.0, 5), np.zeros(4)))
    assert (result.loss["train"], np.signbit(result.loss["train"])) == (0.0, False)
