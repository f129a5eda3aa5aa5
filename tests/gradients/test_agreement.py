"""One property for all: every gradient rule agrees with torch's autograd on every model and objective.

A new model, objective or rule inherits the test by a line in one of the three lists.
"""

import copy
import itertools
from collections.abc import Callable
from typing import NamedTuple

import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.distributions import Distribution

from paramfit.gradients import AnalyticGradient, AutogradGradient, GradientRule, NumericalGradient
from paramfit.models import FormulaModel, FunctionModel, GaussianModel, LinearModel, PolynomialModel
from paramfit.objectives import AbsoluteError, NegativeLogLikelihood, Objective, SquaredError
from paramfit.observations import Observations

INSIDE = {"start": 0.5, "lower": 0, "upper": 1}


def oscillation(x: Tensor, a: Tensor, k: Tensor) -> Tensor:
    return a * torch.sin(k * x)


MODELS: dict[str, tuple[Callable[[], nn.Module], int]] = {  # and how many input columns each has
    "line": (lambda: LinearModel(dtype="float64"), 1),
    "polynomial 0": (lambda: PolynomialModel(0, dtype="float64"), 1),
    "polynomial 1": (lambda: PolynomialModel(1, dtype="float64"), 1),
    "polynomial 2": (lambda: PolynomialModel(2, dtype="float64"), 1),
    "polynomial 5": (lambda: PolynomialModel(5, dtype="float64"), 1),
    "formula": (lambda: FormulaModel("a * (1 - exp(-k * x)) + b", ["x"], {"a": 1, "k": 1, "b": None}), 1),
    "bounded formula": (lambda: FormulaModel("a * exp(-k * x * y)", ["x", "y"], {"a": 1, "k": INSIDE}), 2),
    "function": (lambda: FunctionModel(oscillation, ["x"], {"a": 1, "k": 1}), 1),
    "gaussian": (lambda: GaussianModel(scale=0.7), 0),
    "bounded gaussian": (lambda: GaussianModel({"start": 1, "lower": 0}, scale=0.7), 0),
}


class Plain(NamedTuple):
    """An objective, the same loss in torch's own words, and whether the model has to return a distribution."""

    make: Callable[[str, float, float], Objective]
    per_observation: Callable[..., Tensor]
    of_distribution: bool = False


def squared(prediction: Tensor, target: Tensor) -> Tensor:
    return nn.functional.mse_loss(prediction, target, reduction="none")


def absolute(prediction: Tensor, target: Tensor) -> Tensor:
    return nn.functional.l1_loss(prediction, target, reduction="none")


def unlikely(prediction: Distribution, target: Tensor) -> Tensor:
    density: Tensor = -prediction.log_prob(target)
    return density


OBJECTIVES = {
    "squared pairwise": Plain(lambda reduction, l1, l2: SquaredError(reduction, "pairwise", l1, l2), squared),
    "squared sequential": Plain(lambda reduction, l1, l2: SquaredError(reduction, "sequential", l1, l2), squared),
    "absolute": Plain(AbsoluteError, absolute),
    "negative log-likelihood": Plain(NegativeLogLikelihood, unlikely, of_distribution=True),
}

# Central differences of width 1e-5 are exact on all these objectives but for rounding, about 1e-16 * loss / 1e-5.
RULES: dict[str, tuple[GradientRule, float]] = {
    "numerical": (NumericalGradient(delta=1e-5), 1e-7),
    "analytic": (AnalyticGradient(), 1e-11),
    "autograd": (AutogradGradient(), 1e-11),
}


def suits(model: str, objective: str) -> bool:
    make, columns = MODELS[model]
    prediction = make()(*[torch.zeros(1, dtype=torch.float64)] * columns)
    return isinstance(prediction, Distribution) == OBJECTIVES[objective].of_distribution


CASES = [
    pytest.param(model, objective, rule, reduction, l1, l2, id=f"{rule}-{model}-{objective}-{reduction}-{l1:g}-{l2:g}")
    for model, objective in itertools.product(MODELS, OBJECTIVES)
    if suits(model, objective)
    for rule, reduction, l1, l2 in itertools.product(RULES, ("mean", "sum"), (0.0, 0.3), (0.0, 0.2))
]

# Away from the kinks of the absolute value, where no finite difference holds.
off_zero = st.builds(lambda size, sign: size * sign, st.floats(0.1, 2.0), st.sampled_from((-1.0, 1.0)))


@pytest.mark.parametrize(("model", "objective", "rule", "reduction", "l1", "l2"), CASES)
@settings(max_examples=6, deadline=None, derandomize=True, database=None, phases=[Phase.generate])
@given(draw=st.data())
def test_rule_agrees_with_autograd(
    model: str, objective: str, rule: str, reduction: str, l1: float, l2: float, draw: st.DataObject
) -> None:
    make, columns = MODELS[model]
    built, plain, (gradient_rule, tolerance) = make(), OBJECTIVES[objective], RULES[rule]
    rows = draw.draw(st.integers(1, 7), label="rows")
    with torch.no_grad():
        for name, parameter in built.named_parameters():
            for element in parameter.view(-1):
                element.fill_(draw.draw(off_zero, label=name))
    many = st.lists(st.floats(-2.0, 2.0), min_size=rows, max_size=rows)
    inputs = tuple(torch.tensor(draw.draw(many, label="x"), dtype=torch.float64) for _ in range(columns))
    residual = draw.draw(st.lists(off_zero, min_size=rows, max_size=rows), label="residual")
    with torch.no_grad():
        predicted = built(*inputs)
        predicted = predicted.mean if isinstance(predicted, Distribution) else predicted
        target = predicted + torch.tensor(residual, dtype=torch.float64)

    twin = copy.deepcopy(built)
    each = plain.per_observation(twin(*inputs), target)
    expected = each.mean() if reduction == "mean" else each.sum()
    for parameter in twin.parameters():
        expected = expected + l1 * parameter.abs().sum() + l2 * (parameter**2).sum()
    expected.backward()

    loss, gradients = gradient_rule(built, plain.make(reduction, l1, l2), Observations(inputs, target))

    torch.testing.assert_close(loss, expected.detach(), rtol=1e-12, atol=1e-12)
    assert list(gradients) == [name for name, _ in twin.named_parameters()]
    for name, parameter in twin.named_parameters():
        assert not gradients[name].requires_grad
        torch.testing.assert_close(gradients[name], parameter.grad, rtol=tolerance, atol=tolerance)
