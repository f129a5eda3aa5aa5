"""The mean of a fitted distribution with its band, against statsmodels and closed forms."""

from functools import partial
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
import torch
from torch.distributions import Normal

from paramfit import Bands, DistributionModel, InputError, fit
from tests.own_module import OwnModule

X = np.linspace(0.0, 2.0, 80)
AT = np.array([0.0, 1.0, 2.5])


def statsmodels_at(y: np.ndarray, family: Any) -> Any:
    return sm.GLM(y, sm.add_constant(X), family=family).fit(tol=1e-14).get_prediction(sm.add_constant(AT))


@pytest.mark.parametrize(
    ("name", "argument", "family"),
    [("Poisson", "rate", sm.families.Poisson()), ("Bernoulli", "probs", sm.families.Binomial())],
)
def test_mean_and_error_of_a_regression_are_statsmodels(name, argument, family):
    random = np.random.default_rng(0)
    y = random.poisson(np.exp(0.3 + 0.6 * X)).astype(float)
    link = "exp(a + b*x)"
    if name == "Bernoulli":
        y, link, argument = (y > 2).astype(float), "a + b*x", "logits"
    result = fit(DistributionModel(f"torch.distributions.{name}", {argument: link}, {"a": 0.0, "b": 0.0}), (X, y))
    bands, theirs = result.predict(AT), statsmodels_at(y, family)
    np.testing.assert_allclose(bands.prediction.numpy(), theirs.predicted_mean, rtol=1e-7)
    np.testing.assert_allclose(bands.standard_error.numpy(), theirs.se_mean, rtol=1e-5)
    assert bands.prediction_band is None


def test_band_ends_where_the_support_does():
    counts = (np.random.default_rng(1).random(80) < 0.05).astype(float)
    poisson = DistributionModel("torch.distributions.Poisson", {"rate": "exp(a + b*x)"}, {"a": 0.0, "b": 0.0})
    bands = fit(poisson, (X, counts)).predict(X)
    beyond = bands.prediction - 1.96 * bands.standard_error < 0
    assert beyond.any()
    assert (bands.confidence[0][beyond] == 0).all()


# A normal regression of one's own, whose class checks its arguments.
Scattered = partial(
    OwnModule,
    lambda self, x: Normal(self.line[0] + self.line[1] * x, self.log_scale.exp(), validate_args=True),
    line=torch.zeros(2, dtype=torch.float64),
    log_scale=torch.zeros((), dtype=torch.float64),
)


def test_a_module_of_ones_own_has_the_band_of_its_line():
    y = 1 + 2 * X + np.random.default_rng(2).normal(0, 0.5, 80)
    bands: Bands = fit(Scattered(), (X, y)).predict(AT)
    ols = sm.OLS(y, sm.add_constant(X)).fit()
    theirs = ols.get_prediction(sm.add_constant(AT))
    np.testing.assert_allclose(bands.prediction.numpy(), theirs.predicted_mean, rtol=1e-9)
    # Maximum likelihood divides the residual sum of squares by n, least squares by n - 2.
    np.testing.assert_allclose(bands.standard_error.numpy(), theirs.se_mean * np.sqrt(78 / 80), rtol=1e-7)


def test_a_distribution_that_tells_no_mean_is_refused_by_name():
    sample = np.random.default_rng(3).beta(2.0, 3.0, 40)
    relaxed = DistributionModel(
        "torch.distributions.RelaxedBernoulli", {"temperature": {"start": 0.8, "fixed": True}, "logits": 0.0}
    )
    with pytest.raises(InputError, match="RelaxedBernoulli tells no mean"):
        fit(relaxed, (sample,)).predict()
