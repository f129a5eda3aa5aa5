"""The inverse of an information, or the direction in which there is none, and the errors by it."""

import math

import numpy as np
import pytest
import statsmodels.api as sm
import torch
from torch import nn
from torch.distributions import Distribution, Normal, Poisson

from paramfit import Fact, FactKind, NegativeLogLikelihood, Observations, SquaredError
from paramfit.inference.information_matrix import covariance_of, observed_covariance
from paramfit.inference.likelihood_errors import likelihood_uncertainty
from paramfit.inference.loss_function import LossFunction
from paramfit.models import DistributionModel, PolynomialModel
from paramfit.shown.words import sentence
from tests.inference.cases import Squares, constant_target
from tests.inference.likelihoods import LogLinear, likelihood, optimum

X = np.linspace(0, 3, 25)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_likelihood_is_statsmodels(reduction):
    counts = np.random.default_rng(1).poisson(np.exp(0.2 + 0.6 * X))
    expected = sm.GLM(counts, sm.add_constant(X), family=sm.families.Poisson()).fit(tol=1e-14)
    loss = likelihood(LogLinear(Poisson), X, counts, reduction=reduction)
    covariance, reason = observed_covariance(loss, optimum(loss))
    assert reason is None
    np.testing.assert_allclose(covariance.numpy(), expected.cov_params(), rtol=1e-7)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_linear_least_squares_is_the_plain_covariance(reduction):
    y = 1 + X + np.random.default_rng(2).normal(size=25)
    expected = sm.OLS(y, sm.add_constant(X)).fit()
    rows = Observations((torch.from_numpy(X),), torch.from_numpy(y))
    loss = LossFunction(PolynomialModel(1), SquaredError(reduction), rows)
    covariance, _ = observed_covariance(loss, torch.tensor(expected.params), variance=expected.scale)
    np.testing.assert_allclose(covariance.numpy(), expected.cov_params(), rtol=1e-9)


def test_curvature_of_the_model_counts():
    # RSS = sum (y - k^2)^2 has the second derivative n (12 k^2 - 4 mean y), where Gauss-Newton has 8 n k^2.
    y = torch.tensor([1.0, 2.0, 6.0], dtype=torch.float64)
    loss = LossFunction(Squares([1.5], [1.0]), SquaredError(), Observations((torch.zeros(3),), y))
    k = math.sqrt(2.9)  # not the optimum, where both agree
    covariance, _ = observed_covariance(loss, torch.tensor([k], dtype=torch.float64), variance=2.0)
    assert covariance.item() == pytest.approx(2 * 2.0 / (3 * (12 * 2.9 - 4 * 3)), rel=1e-12)


def test_direction_that_curves_downwards_is_named():
    loss = constant_target(Squares([0.0, 1.0], [1.0, 1.0]), value=3.0)
    covariance, reason = observed_covariance(loss, loss.theta)
    assert covariance is None
    assert reason is not None
    assert "not positive definite at the estimate: along w[0] the loss curves downwards (eigenvalue -1" in sentence(
        reason
    )


def test_held_parameters_are_taken_as_fixed():
    matrix = torch.tensor([[1.0, 2.0, 0.0], [2.0, 4.0, 0.0], [0.0, 0.0, 5.0]], dtype=torch.float64)
    actual = covariance_of(matrix, ["a", "b", "c"], (0,), "Hessian").covariance
    assert actual is not None
    torch.testing.assert_close(actual, torch.diag(torch.tensor([0.0, 0.25, 0.2], dtype=torch.float64)))


@pytest.mark.parametrize(
    ("matrix", "held", "words"),
    [([[math.nan]], (), "not finite"), ([[1.0]], (0,), "every parameter sits at its bound")],
    ids=["not finite", "all held"],
)
def test_no_covariance_has_a_reason(matrix, held, words):
    covariance = covariance_of(torch.tensor(matrix, dtype=torch.float64), ["a"], held, "Hessian")
    assert covariance.covariance is None
    assert covariance.reason is not None
    assert words in sentence(covariance.reason)


SAMPLE = torch.tensor([1.0, 2.0, 4.0, 7.0], dtype=torch.float64)


class TwoLocations(nn.Module):
    """Only the sum of the two is told by any sample."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Parameter(torch.tensor(1.0, dtype=torch.float64))
        self.second = nn.Parameter(torch.tensor(2.5, dtype=torch.float64))

    def forward(self) -> Distribution:
        """Around the sum."""
        return Normal(self.first + self.second, 1.0)


def loss_of(model: nn.Module) -> LossFunction:
    return LossFunction(model, NegativeLogLikelihood(), Observations((), SAMPLE))


def normal() -> LossFunction:
    return loss_of(
        DistributionModel("torch.distributions.Normal", {"loc": 3.5, "scale": SAMPLE.std(correction=0).item()})
    )


def test_covariance_is_the_inverse_information():
    loss = normal()
    scale = SAMPLE.std(correction=0).item()
    errors = likelihood_uncertainty(loss, loss.theta, loss.hessian(loss.theta).numpy())
    expected = np.diag([scale**2 / 4, 1 / 8])  # by the logarithm of the scale
    np.testing.assert_allclose(errors.covariance.numpy(), expected, atol=1e-12)
    assert errors.quantile == pytest.approx(1.959963984540054)
    assert errors.method == Fact(FactKind.OBSERVED_INFORMATION, numbers={"bounded": True})


def test_singular_direction_is_named():
    loss = loss_of(TwoLocations())
    errors = likelihood_uncertainty(loss, loss.theta, loss.hessian(loss.theta).numpy())
    assert [(fact.kind, fact.parameters) for fact in errors.directions] == [(FactKind.INSEPARABLE, ("first", "second"))]
    assert set(errors.undetermined) == {0, 1}


def test_point_that_is_no_maximum_names_the_way_up():
    loss = loss_of(TwoLocations())
    saddle = np.array([[2.0, 0.0], [0.0, -1.0]])
    errors = likelihood_uncertainty(loss, loss.theta, saddle)
    assert errors.covariance is None
    (reason,) = errors.reasons
    assert isinstance(reason, Fact)
    assert (reason.kind, reason.parameters) == (FactKind.NOT_A_MAXIMUM, ("second",))
