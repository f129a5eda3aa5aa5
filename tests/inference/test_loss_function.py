"""The objective as a function of one vector."""

import numpy as np
import pytest
import torch

from paramfit.inference.loss_function import LossFunction
from paramfit.models import GaussianModel, LinearModel
from paramfit.objectives import NegativeLogLikelihood, SquaredError
from paramfit.observations import Observations
from tests.inference.cases import thermometer
from tests.thermometer import BIAS, CELSIUS, MEAN_SQUARED_ERROR, WEIGHT, design, observations

OPTIMUM = torch.tensor([WEIGHT, BIAS], dtype=torch.float64)


def test_loss_at_the_optimum_is_the_published_mean_squared_error() -> None:
    assert thermometer()(OPTIMUM).item() == pytest.approx(MEAN_SQUARED_ERROR, rel=1e-13)


def test_gradient_is_the_normal_equations_rest() -> None:
    theta = np.array([2.0, -1.0])
    expected = 2 / 11 * design().T @ (design() @ theta - np.array(CELSIUS))
    assert np.allclose(thermometer().gradient(torch.from_numpy(theta)).numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize(("reduction", "divisor"), [("mean", 11), ("sum", 1)])
def test_hessian_of_least_squares(reduction: str, divisor: int) -> None:
    loss = thermometer(objective=SquaredError(reduction))
    expected, direction = 2 / divisor * design().T @ design(), torch.tensor([0.3, -2.0], dtype=torch.float64)
    assert np.allclose(loss.hessian(loss.theta).numpy(), expected, rtol=1e-12)
    assert np.allclose(loss.hessian_product(loss.theta, direction).numpy(), expected @ direction.numpy(), rtol=1e-12)


def test_jacobian_of_a_line_is_its_design_matrix() -> None:
    assert np.array_equal(thermometer().jacobian(OPTIMUM).numpy(), design())


def test_penalty_belongs_to_loss_and_gradient() -> None:
    theta = torch.tensor([2.0, -1.0], dtype=torch.float64)
    plain, penalised = thermometer(), thermometer(objective=SquaredError(l1=0.5, l2=0.25))
    assert (penalised(theta) - plain(theta)).item() == pytest.approx(0.5 * 3 + 0.25 * 5)
    difference = penalised.gradient(theta) - plain.gradient(theta)
    assert difference.tolist() == pytest.approx([0.5 + 1.0, -0.5 - 0.5])


def test_float32_fit_is_judged_in_float64_and_left_alone() -> None:
    model, data = LinearModel(0.1, 0.2), observations(dtype=torch.float32)
    loss = LossFunction(model, SquaredError(), data)
    loss.hessian(loss.theta)
    assert loss.theta.dtype is torch.float64
    assert loss.theta.tolist() == [model.weight.item(), model.bias.item()]
    assert model.weight.dtype is data.target.dtype is torch.float32
    assert model.weight.grad is None


def test_derivatives_do_not_need_gradients_to_be_on() -> None:
    with torch.no_grad():
        assert thermometer().gradient(OPTIMUM).abs().max().item() < 1e-10
        assert thermometer().hessian(OPTIMUM)[1, 1].item() == pytest.approx(2.0)


def test_frozen_parameter_is_no_part_of_theta() -> None:
    model = LinearModel(dtype="float64")
    model.bias.requires_grad_(False)
    loss = LossFunction(model, SquaredError(), observations())
    assert loss.names == ("weight",)
    assert loss.p == 1
    assert loss.hessian(loss.theta).shape == (1, 1)


def test_model_of_a_likelihood_has_no_inputs() -> None:
    loss = LossFunction(GaussianModel(scale=2.0), NegativeLogLikelihood(), Observations((), torch.zeros(8)))
    # The information of n draws about their location is n / scale^2.
    assert loss.hessian(loss.theta).item() == pytest.approx(8 / 4)
