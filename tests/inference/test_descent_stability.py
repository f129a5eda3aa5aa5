"""How fast gradient descent may go: the formula, and descents just below and above it."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam, Optimizer, RMSprop

from paramfit import AbsoluteError, Fact, FactKind, GradientDescent, Observations, SquaredError
from paramfit.inference.descent_stability import curvature, stability
from paramfit.inference.loss_function import LossFunction
from tests.inference.cases import Squares, Wide, constant_target, thermometer
from tests.thermometer import design

NOTHING = [nn.Parameter(torch.tensor(0.0))]


@pytest.mark.parametrize(
    ("scale", "limit", "condition"), [(1.0, 3.3994e-4, 33_599), (0.1, 0.032978, 357)], ids=["raw", "scaled by 0.1"]
)
def test_thermometer_has_the_published_limit_and_condition(scale, limit, condition):
    limits = stability(thermometer(scale), SGD(NOTHING, lr=1e-2))
    assert limits.learning_rate_limit == pytest.approx(limit, rel=2e-5)
    assert limits.condition_number == pytest.approx(condition, abs=0.5)
    assert limits.limit_reason is None
    assert limits.condition_reason is None


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_limit_is_two_over_the_largest_eigenvalue_that_numpy_finds(reduction):
    hessian = 2 * design(0.1).T @ design(0.1) / (11 if reduction == "mean" else 1)
    eigenvalues = np.linalg.eigvalsh(hessian)
    limits = stability(thermometer(0.1, SquaredError(reduction)), GradientDescent(NOTHING, lr=1e-2))
    assert limits.learning_rate_limit == pytest.approx(2 / eigenvalues[-1], rel=1e-12)
    assert limits.condition_number == pytest.approx(eigenvalues[-1] / eigenvalues[0], rel=1e-9)


MAKERS: dict[str, Callable[[list[nn.Parameter], float], Optimizer]] = {
    "GradientDescent": lambda parameters, lr: GradientDescent(parameters, lr=lr),
    "SGD": lambda parameters, lr: SGD(parameters, lr=lr),
    "momentum 0.5": lambda parameters, lr: SGD(parameters, lr=lr, momentum=0.5),
    "momentum 0.9": lambda parameters, lr: SGD(parameters, lr=lr, momentum=0.9),
    "dampening": lambda parameters, lr: SGD(parameters, lr=lr, momentum=0.5, dampening=0.25),
    "dampening without momentum": lambda parameters, lr: SGD(parameters, lr=lr, dampening=0.25),
    "weight decay": lambda parameters, lr: SGD(parameters, lr=lr, weight_decay=20.0),
    "momentum and weight decay": lambda parameters, lr: SGD(parameters, lr=lr, momentum=0.5, weight_decay=20.0),
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS.keys())
def test_descent_converges_just_below_the_limit_and_explodes_just_above(make):
    loss = thermometer(0.1)
    limit = stability(loss, make(NOTHING, 1.0)).learning_rate_limit

    def growth_of_steps(lr: float) -> float:
        """How much larger than the first the last step is, along the direction of largest curvature."""
        theta = nn.Parameter(loss.theta)
        steepest = torch.linalg.eigh(loss.hessian(loss.theta)).eigenvectors[:, -1]
        optimizer, steps = make([theta], lr), []
        for _ in range(400):
            theta.grad = loss.gradient(theta)
            before = theta.detach().clone()
            optimizer.step(lambda: torch.tensor(0.0))
            steps.append(abs(torch.dot(theta.detach() - before, steepest).item()))
        return steps[-1] / steps[0]

    assert growth_of_steps(0.99 * limit) < 1e-2
    assert growth_of_steps(1.01 * limit) > 1e2


@pytest.mark.parametrize(("optimizer", "kind"), [
    (Adam(NOTHING, lr=0.1), "Adam"),
    (RMSprop(NOTHING, lr=0.1), "RMSprop"),
    (SGD(NOTHING, lr=0.1, momentum=0.9, nesterov=True), "Nesterov's momentum"),
], ids=["Adam", "RMSprop", "Nesterov"])  # fmt: skip
def test_other_optimizers_have_no_fixed_limit_but_a_condition_number(optimizer, kind):
    limits = stability(thermometer(0.1), optimizer)
    assert limits.learning_rate_limit is None
    assert limits.limit_reason == Fact(FactKind.NO_FIXED_LIMIT, numbers={"optimizer": kind})
    assert limits.condition_number == pytest.approx(357, abs=0.5)


@pytest.mark.parametrize(
    "loss",
    [thermometer(objective=AbsoluteError()), constant_target(Squares([0.0], [1.0]), 1.0)],
    ids=["absolute error", "top of a hill"],
)
def test_without_upward_curvature_there_is_neither_limit_nor_condition(loss):
    limits = stability(loss, SGD(NOTHING, lr=0.1))
    assert limits.learning_rate_limit is None
    assert limits.limit_reason.kind is FactKind.NO_UPWARD_CURVATURE
    assert limits.condition_number is None
    assert limits.condition_reason.kind is FactKind.NOT_CURVED_UPWARDS


def many_parameters(p: int, n: int) -> tuple[LossFunction, np.ndarray]:
    """Least squares with p parameters, and its Hessian."""
    columns = np.random.default_rng(5).normal(size=(n, p))
    columns[:, 0] *= 8  # a direction that is clearly the steepest
    inputs = tuple(torch.from_numpy(columns[:, k].copy()) for k in range(p))
    loss = LossFunction(Wide(p), SquaredError(), Observations(inputs, torch.ones(n, dtype=torch.float64)))
    return loss, 2 / n * columns.T @ columns


def test_power_iteration_above_a_thousand_parameters_finds_the_largest_eigenvalue():
    loss, hessian = many_parameters(p=1100, n=40)
    largest, smallest = curvature(loss, loss.theta)
    assert largest == pytest.approx(np.linalg.eigvalsh(hessian)[-1], rel=1e-4)
    assert smallest is None


def test_power_iteration_is_not_misled_by_a_large_negative_curvature():
    # At w = 0 the mean squared error of sum_k s_k w_k^2 to the target -1/4 has the Hessian diag(s).
    slopes = [-5.0, 2.0, *np.linspace(-1, 1, 1099)]
    loss = constant_target(Squares([0.0] * 1101, slopes), -0.25)
    assert curvature(loss, loss.theta)[0] == pytest.approx(2.0, rel=1e-4)
