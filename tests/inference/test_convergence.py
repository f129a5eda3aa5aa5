"""How far a fit is from its optimum, and how long it would still take."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, Optimizer

from paramfit import Fact, FactKind, GaussianModel, GradientDescent, NegativeLogLikelihood, Observations, SquaredError
from paramfit.inference.convergence import CONVERGED_BELOW, distance_to_optimum, updates_to_converge
from paramfit.inference.least_squares_errors import uncertainty
from paramfit.inference.loss_function import LossFunction
from paramfit.results.evidence import descent_evidence
from paramfit.shown.words import sentence
from tests.inference.cases import Squares, constant_target, thermometer
from tests.thermometer import BIAS, CELSIUS, MEAN_SQUARED_ERROR, READINGS, STANDARD_ERRORS, WEIGHT, design

NOTHING = [nn.Parameter(torch.tensor(0.0))]


def covariance_of(loss: LossFunction, theta: Tensor) -> Tensor:
    covariance = uncertainty(loss, theta).covariance
    assert covariance is not None
    return covariance


def gaussian(start: float, n: int = 100, scale: float = 2.0) -> tuple[LossFunction, float]:
    sample = torch.randn(n, dtype=torch.float64)
    model = GaussianModel(start, scale)
    return LossFunction(model, NegativeLogLikelihood(), Observations((), sample)), sample.mean().item()


def test_distance_of_a_location_is_in_sigma_over_root_n():
    loss, mean = gaussian(start=0.5)
    distance = distance_to_optimum(loss, loss.theta, covariance_of(loss, loss.theta), ())
    expected = abs(0.5 - mean) / (2.0 / math.sqrt(100))
    assert distance.total == pytest.approx(expected, rel=1e-10)
    assert distance.per_parameter == (pytest.approx(expected, rel=1e-10),)
    assert distance.reasons == ()


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_distance_of_a_line_is_its_newton_step_in_standard_errors(reduction):
    loss = thermometer(0.1, SquaredError(reduction), weight=5.0, bias=-16.0)
    # Least squares is quadratic: the Newton step ends at the optimum itself.
    step = np.array([5.0, -16.0]) - np.array([10 * WEIGHT, BIAS])
    rest = design(0.1) @ np.array([5.0, -16.0]) - np.array(CELSIUS)
    covariance = rest @ rest / 9 * np.linalg.inv(design(0.1).T @ design(0.1))
    distance = distance_to_optimum(loss, loss.theta, covariance_of(loss, loss.theta), ())
    optimum = torch.tensor([10 * WEIGHT, BIAS], dtype=torch.float64)
    assert distance_to_optimum(loss, optimum, torch.from_numpy(covariance), ()).total < 1e-9
    assert distance.total == pytest.approx(math.sqrt(step @ np.linalg.inv(covariance) @ step), rel=1e-9)
    assert distance.per_parameter == pytest.approx(np.abs(step) / np.sqrt(np.diag(covariance)), rel=1e-9)


@pytest.mark.parametrize("kind", [SGD, Adam, GradientDescent], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize(("mean_squared_error", "expected"), [(82.8, 15.67), (2.9276455708956375, 0.0)])
def test_distance_of_a_descent_is_in_the_errors_of_the_optimum(mean_squared_error, expected, kind):
    # Along the offset, at the best weight, the mean squared error is a parabola.
    best = np.mean(rest := np.array(CELSIUS) - WEIGHT * np.array(READINGS))
    offset = best - math.sqrt(max(mean_squared_error - np.mean((rest - best) ** 2), 0.0))
    loss = thermometer(0.1, weight=10 * WEIGHT, bias=offset)
    distance = descent_evidence(loss, loss.theta, kind(NOTHING, lr=0.01), None, absolute_sigma=False).distance
    # The sum of squares exceeds the least one by D^T J^T J D, and C^-1 = J^T J / s^2 with s = 1.89162192 there.
    excess = 11 * (mean_squared_error - MEAN_SQUARED_ERROR)
    assert distance.total == pytest.approx(math.sqrt(excess) / 1.89162192, rel=1e-7, abs=1e-6)
    assert distance.total == pytest.approx(expected, abs=0.005)
    assert distance.per_parameter[1] == pytest.approx(abs(offset - BIAS) / STANDARD_ERRORS["bias"], rel=1e-6, abs=1e-6)


def test_where_the_hessian_is_not_positive_definite_there_is_no_distance():
    # The loss (w^2 - 3)^2 curves downwards at w = 1/2: 12 w^2 - 12 < 0.
    loss = constant_target(Squares([0.5], [1.0]), 3.0)
    distance = distance_to_optimum(loss, loss.theta, covariance_of(loss, loss.theta), ())
    assert distance.total is None
    assert distance.reasons == (Fact(FactKind.HESSIAN_INDEFINITE),)


def distances_while_descending(loss: LossFunction, optimizer: Optimizer, theta: nn.Parameter, updates: int) -> Tensor:
    """The distance after 0, 1, ... updates, really made, in the standard errors of the start."""
    covariance = covariance_of(loss, loss.theta)
    deviation = covariance.diagonal().sqrt()
    optimum = loss.theta - torch.linalg.solve(loss.hessian(loss.theta), loss.gradient(loss.theta))
    whitened = torch.linalg.cholesky(covariance / torch.outer(deviation, deviation))
    values = []
    for _ in range(updates + 1):
        step = ((theta.detach() - optimum) / deviation).unsqueeze(1)
        values.append(torch.linalg.solve_triangular(whitened, step, upper=False).norm())
        theta.grad = loss.gradient(theta)
        optimizer.step(lambda: torch.tensor(0.0))
    return torch.stack(values)


@pytest.mark.parametrize("kind", [SGD, GradientDescent], ids=lambda kind: kind.__name__)
def test_foretold_updates_of_a_line_really_converge_and_one_less_does_not(kind):
    loss = thermometer(0.1, weight=5.0, bias=-16.0)
    theta = nn.Parameter(loss.theta)
    optimizer = kind([theta], lr=0.03)
    foretold, reason = updates_to_converge(loss, loss.theta, covariance_of(loss, loss.theta), optimizer)
    assert reason is None
    distances = distances_while_descending(loss, optimizer, theta, foretold)
    assert distances[foretold].item() < CONVERGED_BELOW <= distances[foretold - 1].item()


def test_foretold_updates_of_a_location_follow_the_closed_form():
    loss, mean = gaussian(start=5.0)
    optimizer = SGD(NOTHING, lr=4e-3)  # with n = 100 and sigma = 2 the error shrinks by 1 - lr * n / sigma^2 = 0.9
    foretold, _ = updates_to_converge(loss, loss.theta, covariance_of(loss, loss.theta), optimizer)
    assert foretold == math.ceil(math.log(CONVERGED_BELOW / ((5.0 - mean) / (2.0 / math.sqrt(100)))) / math.log(0.9))


@pytest.mark.parametrize(("optimizer", "reason"), [
    (Adam(NOTHING, lr=0.1), "not foreseeable for Adam"),
    (SGD(NOTHING, lr=0.01, momentum=0.9), "not foreseeable for SGD with these settings"),
    (SGD(NOTHING, lr=0.01, weight_decay=0.1), "not foreseeable for SGD with these settings"),
    (SGD(NOTHING, lr=0.04), "not below the largest stable one"),
    (SGD(NOTHING, lr=1e-14), "more than 1e+12"),
], ids=["Adam", "momentum", "weight decay", "too fast", "too slow"])  # fmt: skip
def test_updates_that_cannot_be_foretold_have_a_reason(optimizer, reason):
    loss = thermometer(0.1, weight=5.0, bias=-16.0)
    updates, actual = updates_to_converge(loss, loss.theta, covariance_of(loss, loss.theta), optimizer)
    assert updates is None
    assert actual is not None
    assert reason in sentence(actual)
