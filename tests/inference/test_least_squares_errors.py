"""How uncertain the estimates are."""

import math

import numpy as np
import pytest
import scipy.optimize
import scipy.stats
import torch
from torch import Tensor, nn

from paramfit import Fact, FactKind, FormulaModel, GaussianModel, LinearModel, Observations, PolynomialModel
from paramfit.inference.convergence import closed_form
from paramfit.inference.least_squares_errors import uncertainty
from paramfit.inference.loss_function import LossFunction
from paramfit.objectives import AbsoluteError, HuberError, NegativeLogLikelihood, SquaredError
from paramfit.shown.words import sentences
from tests.inference.cases import thermometer
from tests.thermometer import BIAS, CELSIUS, READINGS, STANDARD_ERRORS, WEIGHT, observations

OPTIMUM = torch.tensor([WEIGHT, BIAS], dtype=torch.float64)


def errors(covariance: Tensor | None) -> list[float]:
    return covariance.diagonal().sqrt().tolist()


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_standard_errors_of_the_thermometer_are_the_published_ones(reduction):
    actual = uncertainty(thermometer(objective=SquaredError(reduction)), OPTIMUM)
    assert errors(actual.covariance) == pytest.approx(list(STANDARD_ERRORS.values()), rel=1e-5)


def test_standard_errors_are_those_of_scipys_linear_regression():
    regression = scipy.stats.linregress(READINGS, CELSIUS)
    actual = errors(uncertainty(thermometer(), OPTIMUM).covariance)
    assert actual == pytest.approx([regression.stderr, regression.intercept_stderr], rel=1e-10)


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_covariance_of_a_polynomial_is_numpys(degree):
    loss = LossFunction(PolynomialModel(degree), SquaredError(), observations())
    optimum = closed_form(loss)
    assert optimum is not None
    covariance = uncertainty(loss, optimum).covariance
    _, expected = np.polyfit(READINGS, CELSIUS, degree, cov=True)
    assert np.allclose(covariance.numpy(), expected[::-1, ::-1], rtol=1e-6)


def test_covariance_of_a_nonlinear_model_is_that_of_curve_fit():
    class Decay(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.height = nn.Parameter(torch.tensor(1.0, dtype=torch.float64))
            self.rate = nn.Parameter(torch.tensor(1.0, dtype=torch.float64))

        def forward(self, x: Tensor) -> Tensor:
            return self.height * torch.exp(-self.rate * x)

    x = np.linspace(0, 4, 20)
    y = 3 * np.exp(-0.7 * x) + np.random.default_rng(0).normal(scale=0.05, size=20)
    optimum, expected = scipy.optimize.curve_fit(
        lambda x, height, rate: height * np.exp(-rate * x),
        x,
        y,
        p0=(1, 1),
        jac=lambda x, height, rate: np.stack([np.exp(-rate * x), -height * x * np.exp(-rate * x)], axis=1),
        xtol=1e-15,
        ftol=1e-15,
        gtol=1e-15,
    )
    loss = LossFunction(Decay(), SquaredError(), Observations((torch.from_numpy(x),), torch.from_numpy(y)))
    assert np.allclose(uncertainty(loss, torch.from_numpy(optimum)).covariance.numpy(), expected, rtol=1e-5)


def test_covariance_survives_a_badly_scaled_input():
    # The square of this condition number is beyond float64: normal equations would have no digit left.
    shifted = torch.tensor(READINGS, dtype=torch.float64) * 1e-9
    loss = LossFunction(LinearModel(), SquaredError(), Observations((shifted,), torch.tensor(CELSIUS).double()))
    optimum = closed_form(loss)
    assert optimum is not None
    actual = errors(uncertainty(loss, optimum).covariance)
    assert actual == pytest.approx([STANDARD_ERRORS["weight"] * 1e9, STANDARD_ERRORS["bias"]], rel=1e-5)


def test_half_width_of_least_squares_is_students():
    assert uncertainty(thermometer(), OPTIMUM).quantile == pytest.approx(scipy.stats.t(9).ppf(0.975), rel=1e-12)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_error_of_a_location_is_sigma_over_root_n(reduction, scale):
    sample = torch.randn(50, dtype=torch.float64)
    loss = LossFunction(GaussianModel(scale=scale), NegativeLogLikelihood(reduction), Observations((), sample))
    actual = uncertainty(loss, sample.mean().unsqueeze(0))
    assert errors(actual.covariance) == pytest.approx([scale / math.sqrt(50)], rel=1e-12)
    assert actual.quantile == pytest.approx(scipy.stats.norm.ppf(0.975), rel=1e-12)


class Redundant(nn.Module):
    """Two slopes of which only the sum matters."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor(1.0))
        self.b = nn.Parameter(torch.tensor(1.0))

    def forward(self, x: Tensor) -> Tensor:
        return (self.a + self.b) * x


class Hill(nn.Module):
    """A normal whose location is the square of its parameter: at 0, between two optima, the likelihood is lowest."""

    def __init__(self) -> None:
        super().__init__()
        self.root = nn.Parameter(torch.tensor(0.0, dtype=torch.float64))

    def forward(self) -> torch.distributions.Normal:
        return torch.distributions.Normal(self.root**2, 1.0)


TWO_ROWS = observations().rows(slice(0, 2))
IDLE = Observations((torch.zeros(5),), torch.arange(5.0))
ABOVE = Observations((), torch.tensor([3.0, 5.0], dtype=torch.float64))


@pytest.mark.parametrize(("loss", "reason"), [
    (thermometer(objective=SquaredError(l2=0.1)), "a penalty is on"),
    (thermometer(objective=SquaredError(l1=0.1)), "a penalty is on"),
    (LossFunction(LinearModel(), SquaredError(), TWO_ROWS), "2 observations cannot tell the errors of 2 parameters"),
    (thermometer(objective=AbsoluteError()), "AbsoluteError has no curvature"),
    (LossFunction(Redundant(), SquaredError(), observations()), "cannot be told apart"),
    (LossFunction(FormulaModel("a * x", ["x"], {"a": 1}), SquaredError(), IDLE), "does not change the prediction"),
    (LossFunction(Hill(), NegativeLogLikelihood(), ABOVE), "not positive definite"),
], ids=["l2", "l1", "n <= p", "absolute error", "redundant", "idle parameter", "not positive definite"])  # fmt: skip
def test_no_covariance_without_a_reason(loss, reason):
    actual = uncertainty(loss, loss.theta)
    assert actual.covariance is None
    assert reason in sentences(actual.reasons)


def test_idle_parameter_has_no_error_and_leaves_that_of_the_others():
    actual = uncertainty(LossFunction(LinearModel(bias=2.0), SquaredError(), IDLE), torch.tensor([1.0, 2.0]).double())
    assert actual.undetermined == {0: Fact(FactKind.IDLE, ("weight",))}
    # What is left is the mean of 0, 1, 2, 3, 4: s^2 = 10 / 4, over n = 5.
    assert actual.covariance.tolist() == [[0.0, 0.0], [0.0, pytest.approx(0.5, rel=1e-12)]]
    assert actual.quantile == pytest.approx(scipy.stats.t(4).ppf(0.975), rel=1e-12)


@pytest.mark.parametrize("absolute", [True, False], ids=["absolute", "relative"])
def test_covariance_with_known_errors_is_that_of_curve_fit(absolute):
    sigma = 0.5 + np.arange(11) / 4
    optimum, expected = scipy.optimize.curve_fit(
        lambda x, weight, bias: weight * x + bias, READINGS, CELSIUS, sigma=sigma, absolute_sigma=absolute
    )
    rows = observations()._replace(sigma=torch.from_numpy(sigma))
    loss = LossFunction(LinearModel(), SquaredError(), rows)
    actual = uncertainty(loss, torch.from_numpy(optimum), absolute_sigma=absolute)
    np.testing.assert_allclose(actual.covariance.numpy(), expected, rtol=1e-5)
    quantile = scipy.stats.norm.ppf(0.975) if absolute else scipy.stats.t(9).ppf(0.975)
    assert actual.quantile == pytest.approx(quantile, rel=1e-12)


HUBERS_SAMPLE = np.array([-0.93, -0.31, 0.12, 0.44, 0.27, -0.18, 0.62, 7.5, -6.0, 0.35])


def test_robust_error_of_a_location_is_hubers():
    # Huber's H1 with psi(r) = r cut at s, for one location: K^2 [sum psi^2 / (n - 1)] / [mean psi']^2 / n.
    scale, n = 0.5, len(HUBERS_SAMPLE)
    center = scipy.optimize.brentq(lambda m: np.clip(HUBERS_SAMPLE - m, -scale, scale).sum(), -1, 1, xtol=1e-15)
    psi = np.clip(HUBERS_SAMPLE - center, -scale, scale)
    inside = np.mean(np.abs(HUBERS_SAMPLE - center) < scale)
    correction = 1 + (1 / n) * (inside * (1 - inside)) / inside**2
    variance = correction**2 * (psi @ psi / (n - 1)) / inside**2 / n
    rows = Observations((torch.zeros(n),), torch.from_numpy(HUBERS_SAMPLE))
    actual = uncertainty(
        LossFunction(PolynomialModel(0), HuberError(scale), rows), torch.tensor([center], dtype=torch.float64)
    )
    assert errors(actual.covariance) == pytest.approx([math.sqrt(variance)], rel=1e-10)
    assert actual.quantile == pytest.approx(scipy.stats.t(n - 1).ppf(0.975), rel=1e-12)


RATES = torch.linspace(1.0, 5.0, 30, dtype=torch.float64)
DECAY = 2 * torch.exp(-0.7 * RATES) + 0.01 * torch.cos(9 * RATES)


@pytest.mark.parametrize("bounds", [{}, {"lower": 0}, {"lower": 0, "upper": 400}], ids=["free", "lower", "both"])
@pytest.mark.parametrize("rate", [45.0, 200.0])
@pytest.mark.parametrize("unit", [1.0, 1e-12, 1e12], ids=str)
@pytest.mark.parametrize("sigma", [None, 0.01], ids=["no sigma", "sigma"])
def test_parameter_whose_influence_is_rounding_has_no_error_and_costs_the_others_none(bounds, rate, unit, sigma):
    spread = None if sigma is None else torch.full_like(RATES, sigma * unit)
    visited = Observations((RATES,), unit * DECAY, spread)
    starts = {"b1": {"start": 2 * unit}, "b2": {"start": 0.7}}
    model = FormulaModel(
        f"b1 * exp(-b2 * x) + {unit} * exp(-b3 * x)", ["x"], {**starts, "b3": {"start": rate, **bounds}}
    )
    loss, reduced = LossFunction(model, SquaredError(), visited), FormulaModel("b1 * exp(-b2 * x)", ["x"], starts)
    actual = uncertainty(loss, loss.theta)
    expected = uncertainty(LossFunction(reduced, SquaredError(), visited), loss.theta[:2])
    assert actual.undetermined == {2: Fact(FactKind.IDLE, ("b3",))}
    assert actual.at_bound == ()
    assert errors(actual.covariance) == pytest.approx([*errors(expected.covariance), 0.0], rel=1e-9)


@pytest.mark.parametrize("size", [1.0, 1e-20, 1e20], ids=str)
def test_parameter_that_is_zero_at_the_estimate_keeps_its_error(size):
    x = torch.tensor([-2.0, -1.0, 0.0, 1.0, 2.0], dtype=torch.float64)
    noise = size * torch.tensor([0.1, -0.2, 0.2, -0.2, 0.1], dtype=torch.float64)  # neither a level nor a slope
    loss = LossFunction(
        FormulaModel("a + b * x", ["x"], {"a": None, "b": None}), SquaredError(), Observations((x,), size * x + noise)
    )
    actual = uncertainty(loss, torch.tensor([0.0, size], dtype=torch.float64))
    expected = scipy.stats.linregress(x, size * x + noise)
    assert actual.undetermined == {}
    assert errors(actual.covariance) == pytest.approx([expected.intercept_stderr, expected.stderr], rel=1e-9)
