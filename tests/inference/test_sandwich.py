"""Sandwich covariances, beside statsmodels."""

import numpy as np
import pytest
import statsmodels.api as sm
import torch
from torch.distributions import Bernoulli, Poisson

from paramfit import HuberError, InputError, NegativeLogLikelihood, Observations, SquaredError
from paramfit.inference.convergence import closed_form
from paramfit.inference.loss_function import LossFunction
from paramfit.inference.sandwich import observation_gradients, sandwich_covariance
from paramfit.models import FormulaModel, GaussianModel, LinearModel, PolynomialModel
from tests.inference.likelihoods import GammaSample, LogLinear, likelihood, optimum

RANDOM = np.random.default_rng(11)
X = np.linspace(0.1, 4, 60)
Y = 1 + 2 * X - 0.3 * X**2 + RANDOM.normal(size=60) * X
SIGMA = 0.3 + X / 5
DESIGN = np.stack([np.ones_like(X), X, X**2], axis=1)


def parabola(reduction: str = "mean", *, weighted: bool = False) -> LossFunction:
    rows = Observations((torch.from_numpy(X),), torch.from_numpy(Y), torch.from_numpy(SIGMA) if weighted else None)
    return LossFunction(PolynomialModel(2), SquaredError(reduction), rows)


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_least_squares_is_statsmodels(weighted, reduction):
    weights = SIGMA**-2 if weighted else np.ones_like(X)
    expected = sm.WLS(Y, DESIGN, weights=weights).fit(cov_type="HC0")
    theta = torch.tensor(expected.params)
    covariance = sandwich_covariance(parabola(reduction, weighted=weighted), theta)
    np.testing.assert_allclose(covariance.numpy(), expected.cov_params(), rtol=1e-9)


@pytest.mark.parametrize("kind", [Poisson, Bernoulli], ids=["poisson", "logistic"])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_likelihood_is_statsmodels_glm(kind, reduction):
    rate = np.exp(0.4 + 0.5 * X)
    counts = RANDOM.negative_binomial(2, 2 / (2 + rate)) if kind is Poisson else RANDOM.binomial(1, rate / (1 + rate))
    family = sm.families.Poisson() if kind is Poisson else sm.families.Binomial()
    expected = sm.GLM(counts, DESIGN[:, :2], family=family).fit(cov_type="HC0", tol=1e-14)
    loss = likelihood(LogLinear(kind), X, counts, reduction=reduction)
    theta = optimum(loss)
    np.testing.assert_allclose(theta.numpy(), expected.params, rtol=1e-8)
    covariance = sandwich_covariance(loss, theta)
    np.testing.assert_allclose(covariance.numpy(), expected.cov_params(), rtol=1e-6)


def test_gradients_of_observations_add_up_to_the_gradient():
    loss = likelihood(GammaSample(2.0, 1.5), RANDOM.gamma(1.5, size=20))
    rows = observation_gradients(loss, loss.theta)
    assert rows.shape == (20, 2)
    torch.testing.assert_close(rows.sum(0), loss.gradient(loss.theta), rtol=1e-12, atol=0)


def test_location_is_the_samples_own_scatter():
    # Whatever scale the model claims, the sandwich of a mean is sum (y - mean)^2 / n^2.
    sample = torch.from_numpy(RANDOM.normal(3, 5, size=30))
    loss = LossFunction(GaussianModel(scale=1.0), NegativeLogLikelihood(), Observations((), sample))
    covariance = sandwich_covariance(loss, sample.mean().unsqueeze(0))
    assert covariance.item() == pytest.approx(sample.var(correction=0).item() / 30, rel=1e-12)


def test_badly_scaled_input_keeps_its_digits():
    rows = Observations((torch.from_numpy(X * 1e-9),), torch.from_numpy(Y))
    loss = LossFunction(LinearModel(), SquaredError(), rows)
    theta = closed_form(loss)
    assert theta is not None
    expected = sm.OLS(Y, DESIGN[:, [1, 0]]).fit(cov_type="HC0").bse
    covariance = sandwich_covariance(loss, theta).diagonal().sqrt().numpy()
    np.testing.assert_allclose(covariance * [1e-9, 1], expected, rtol=1e-6)


def test_held_parameter_has_no_error_and_is_none_to_the_others():
    loss = parabola()
    whole = sm.OLS(Y - 0.5 * X**2, DESIGN[:, :2]).fit(cov_type="HC0")
    covariance = sandwich_covariance(loss, torch.tensor([*whole.params, 0.5]), held=(2,))
    np.testing.assert_allclose(covariance[:2, :2].numpy(), whole.cov_params(), rtol=1e-9)
    assert not covariance[2].any()
    assert not covariance[:, 2].any()


def test_parameters_that_cannot_be_told_apart_leave_the_others_their_errors():
    model = FormulaModel("(a + b) * x + c", ["x"], {"a": 1, "b": 1, "c": 1})
    loss = LossFunction(model, SquaredError(), Observations((torch.from_numpy(X),), torch.from_numpy(Y)))
    line = sm.OLS(Y, DESIGN[:, :2]).fit(cov_type="HC0")
    theta = torch.tensor([line.params[1] - 1, 1.0, line.params[0]], dtype=torch.float64)
    assert sandwich_covariance(loss, theta)[2, 2].item() == pytest.approx(line.cov_params()[0, 0], rel=1e-8)


@pytest.mark.parametrize(("loss", "words"), [
    (LossFunction(LinearModel(), SquaredError(l2=0.1), parabola().observations), "a penalty is on"),
    (LossFunction(LinearModel(), HuberError(), parabola().observations), "none for HuberError"),
], ids=["penalty", "robust"])  # fmt: skip
def test_what_has_no_sandwich_is_refused(loss, words):
    with pytest.raises(InputError, match=words):
        sandwich_covariance(loss, loss.theta)
