"""How fast gradient descent may go: the formula, descents just below and above it, and the cure of those above."""

import re
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn
from torch.distributions import Bernoulli
from torch.optim import SGD, Adam, Optimizer, RMSprop

from paramfit import AbsoluteError, Fact, FactKind, GradientDescent, NegativeLogLikelihood, Observations, SquaredError
from paramfit.inference.descent_stability import cure_of_divergence, curvature, stability
from paramfit.inference.loss_function import LossFunction
from paramfit.models import GaussianModel
from paramfit.shown.words import sentence
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


def cure(loss: LossFunction, optimizer: Optimizer) -> str:
    return sentence(cure_of_divergence(loss, optimizer))


def numbers(text: str) -> list[float]:
    return [float(number) for number in re.findall(r"\d+\.?\d*(?:e[+-]?\d+)?", text)]


def test_cure_of_the_diverging_lesson_names_its_numbers():
    text = cure(thermometer(), GradientDescent(NOTHING, lr=1e-2))
    assert re.fullmatch(
        r"learning rate \S+ is \S+ times the largest stable rate \S+; scaling the input by \S+ raises the limit to \S+",
        text,
    )
    assert numbers(text) == [0.01, 29.4, 3.3994e-4, 0.1, 0.032978]


def test_promised_scaling_really_makes_the_rate_stable():
    rate = 0.5
    *_, scale, promised = numbers(cure(thermometer(), SGD(NOTHING, lr=rate)))
    limit = stability(thermometer(scale), SGD(NOTHING, lr=rate)).learning_rate_limit
    assert limit > rate
    assert promised == pytest.approx(limit, rel=0.05)


def test_sample_without_inputs_has_nothing_to_scale():
    # The curvature of n summed observations is n: the limit is 2 / 10 000.
    data = Observations((), torch.zeros(10_000, dtype=torch.float64))
    text = cure(LossFunction(GaussianModel(), NegativeLogLikelihood(), data), SGD(NOTHING, lr=1e-3))
    assert numbers(text) == [1e-3, 5, 2e-4, 1e-4]
    assert "scaling" not in text


class Share(nn.Module):
    """A probability along a line, checked by its distribution."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor(0.2, dtype=torch.float64))
        self.b = nn.Parameter(torch.tensor(0.01, dtype=torch.float64))

    def forward(self, x: torch.Tensor) -> Bernoulli:
        return Bernoulli(probs=self.a + self.b * x, validate_args=True)


def test_inputs_are_not_scaled_out_of_a_domain():
    """Scaled by ten the last probability would be 1.4."""
    x = torch.arange(1.0, 13, dtype=torch.float64)
    rows = Observations((x,), (x > 6).double())
    cure = cure_of_divergence(LossFunction(Share(), NegativeLogLikelihood(), rows), SGD(NOTHING, lr=0.5))
    assert cure.kind is FactKind.HALF_OF_LIMIT


@pytest.mark.parametrize(("loss", "optimizer", "why"), [
    (thermometer(), Adam(NOTHING, lr=10.0), "no fixed limit holds for Adam"),
    (thermometer(objective=AbsoluteError()), SGD(NOTHING, lr=10.0), "no upward curvature"),
], ids=["Adam", "absolute error"])  # fmt: skip
def test_without_a_limit_the_reason_is_told(loss, optimizer, why):
    text = cure(loss, optimizer)
    assert why in text
    assert "below 10" in text
