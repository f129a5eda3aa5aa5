"""The objective as a function of one vector, and estimates that need no descent."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from paramfit import GaussianModel, LinearModel, NegativeLogLikelihood, Observations, PolynomialModel, SquaredError
from paramfit.inference.convergence import closed_form
from paramfit.inference.loss_function import LossFunction
from paramfit.objectives import AbsoluteError
from tests.inference.cases import Wide, thermometer
from tests.thermometer import BIAS, CELSIUS, MEAN_SQUARED_ERROR, READINGS, WEIGHT, design, observations

OPTIMUM = torch.tensor([WEIGHT, BIAS], dtype=torch.float64)


def test_loss_at_the_optimum_is_the_published_mean_squared_error():
    assert thermometer()(OPTIMUM).item() == pytest.approx(MEAN_SQUARED_ERROR, rel=1e-13)


def test_gradient_is_the_normal_equations_rest():
    theta = np.array([2.0, -1.0])
    expected = 2 / 11 * design().T @ (design() @ theta - np.array(CELSIUS))
    assert np.allclose(thermometer().gradient(torch.from_numpy(theta)).numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize(("reduction", "divisor"), [("mean", 11), ("sum", 1)])
def test_hessian_of_least_squares(reduction, divisor):
    loss = thermometer(objective=SquaredError(reduction))
    expected, direction = 2 / divisor * design().T @ design(), torch.tensor([0.3, -2.0], dtype=torch.float64)
    assert np.allclose(loss.hessian(loss.theta).numpy(), expected, rtol=1e-12)
    assert np.allclose(loss.hessian_product(loss.theta, direction).numpy(), expected @ direction.numpy(), rtol=1e-12)


def test_jacobian_of_a_line_is_its_design_matrix():
    assert np.array_equal(thermometer().jacobian(OPTIMUM).numpy(), design())


def test_penalty_belongs_to_loss_and_gradient():
    theta = torch.tensor([2.0, -1.0], dtype=torch.float64)
    plain, penalised = thermometer(), thermometer(objective=SquaredError(l1=0.5, l2=0.25))
    assert (penalised(theta) - plain(theta)).item() == pytest.approx(0.5 * 3 + 0.25 * 5)
    assert (penalised.gradient(theta) - plain.gradient(theta)).tolist() == pytest.approx([0.5 + 1.0, -0.5 - 0.5])


def test_model_of_a_likelihood_has_no_inputs():
    loss = LossFunction(GaussianModel(scale=2.0), NegativeLogLikelihood(), Observations((), torch.zeros(8)))
    # The information of n draws about their location is n / scale^2.
    assert loss.hessian(loss.theta).item() == pytest.approx(8 / 4)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_thermometer_has_the_published_least_squares_line(reduction):
    closed = closed_form(thermometer(objective=SquaredError(reduction)))
    assert closed.tolist() == pytest.approx([WEIGHT, BIAS], rel=1e-12)


@pytest.mark.parametrize("degree", [0, 1, 2, 4])
def test_polynomial_agrees_with_numpy(degree):
    closed = closed_form(LossFunction(PolynomialModel(degree), SquaredError(), observations()))
    expected = np.polynomial.Polynomial.fit(READINGS, CELSIUS, degree).convert().coef
    assert closed.tolist() == pytest.approx(expected.tolist(), rel=1e-6)


def test_location_is_the_empirical_mean():
    sample = torch.randn(100, dtype=torch.float64)
    closed = closed_form(LossFunction(GaussianModel(), NegativeLogLikelihood(), Observations((), sample)))
    assert closed.item() == pytest.approx(float(np.mean(sample.numpy())), rel=1e-14)


def nonlinear() -> nn.Module:
    class Exponential(LinearModel):
        linear_in_parameters = False

        def forward(self, x: Tensor) -> Tensor:
            return self.bias * torch.exp(self.weight * x)

    return Exponential(dtype="float64")


def constant_zero() -> Observations:
    return Observations((torch.zeros(5),), torch.arange(5.0))


@pytest.mark.parametrize(
    ("model", "objective", "data"),
    [
        (LinearModel(), SquaredError(l2=0.1), observations()),
        (LinearModel(), AbsoluteError(), observations()),
        (nonlinear(), SquaredError(), observations()),
        (Wide(1), SquaredError(), observations()),
        (PolynomialModel(11), SquaredError(), observations()),
        (LinearModel(), SquaredError(), constant_zero()),
    ],
    ids=["penalty", "absolute error", "nonlinear", "any module", "more parameters than rows", "idle parameter"],
)
def test_no_formula_no_estimate(model, objective, data):
    assert closed_form(LossFunction(model, objective, data)) is None
