"""One property for all: every gradient rule agrees with torch's autograd on every model and objective.

A new model, objective or rule inherits the test by a line in one of the three lists.
"""

import copy
import itertools
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import pytest
import torch
from hypothesis import Phase, given, note, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.distributions import Distribution

from paramfit import Observations
from paramfit.gradients import AnalyticGradient, AutogradGradient, GradientRule, NumericalGradient
from paramfit.models import DistributionModel, FormulaModel, FunctionModel, GaussianModel, LinearModel, PolynomialModel
from paramfit.objectives import AbsoluteError, NegativeLogLikelihood, Objective, SquaredError
from tests.own_module import OwnModule

INSIDE = {"start": 0.5, "lower": 0, "upper": 1}


def oscillation(x: Tensor, a: Tensor, k: Tensor) -> Tensor:
    return a * torch.sin(k * x)


def beside(center: Tensor, residual: Tensor) -> Tensor:
    return center + residual


def positive(center: Tensor, residual: Tensor) -> Tensor:
    del center
    return residual.exp()


def counts(center: Tensor, residual: Tensor) -> Tensor:
    del center
    return (3 * residual).abs().round()


def share(center: Tensor, residual: Tensor) -> Tensor:
    del center
    return residual.sigmoid()


class Subject(NamedTuple):
    """A model, how many input columns it has, and targets that it can have from predictions and residuals."""

    make: Callable[[], nn.Module]
    columns: int
    target: Callable[[Tensor, Tensor], Tensor] = beside


def distribution(name: str, arguments: dict[str, Any], **options: Any) -> Callable[[], nn.Module]:
    return lambda: DistributionModel(f"torch.distributions.{name}", arguments, **options)


LINE = {"coefficients": {"a": 0, "b": 0}}
MODELS = {
    "line": Subject(lambda: LinearModel(dtype="float64"), 1),
    "polynomial 0": Subject(lambda: PolynomialModel(0, dtype="float64"), 1),
    "polynomial 1": Subject(lambda: PolynomialModel(1, dtype="float64"), 1),
    "polynomial 2": Subject(lambda: PolynomialModel(2, dtype="float64"), 1),
    "polynomial 5": Subject(lambda: PolynomialModel(5, dtype="float64"), 1),
    "formula": Subject(lambda: FormulaModel("a * (1 - exp(-k * x)) + b", ["x"], {"a": 1, "k": 1, "b": None}), 1),
    "bounded formula": Subject(lambda: FormulaModel("a * exp(-k * x * y)", ["x", "y"], {"a": 1, "k": INSIDE}), 2),
    "function": Subject(lambda: FunctionModel(oscillation, ["x"], {"a": 1, "k": 1}), 1),
    "gaussian": Subject(lambda: GaussianModel(scale=0.7), 0),
    "bounded gaussian": Subject(lambda: GaussianModel({"start": 1, "lower": 0}, scale=0.7), 0),
    "gamma": Subject(distribution("Gamma", {"concentration": 1, "rate": 1}), 0, positive),
    "score by autograd": Subject(distribution("Kumaraswamy", {"concentration1": 1, "concentration0": 1}), 0, share),
    "poisson regression": Subject(distribution("Poisson", {"rate": "exp(a + b*x)"}, **LINE), 1, counts),
    "binomial regression": Subject(
        distribution("Binomial", {"total_count": 9, "logits": "a + b*x"}, **LINE), 1, counts
    ),
    "one coefficient in two formulas": Subject(
        distribution("Normal", {"loc": "a + b*x", "scale": "exp(b*x)"}, **LINE), 1
    ),
    "robust line with a known scale": Subject(
        distribution("StudentT", {"df": {"start": 4, "fixed": True}, "loc": "a + b*x", "scale": INSIDE}, **LINE), 1
    ),
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
    return -prediction.log_prob(target)


OBJECTIVES = {
    "squared pairwise": Plain(lambda reduction, l1, l2: SquaredError(reduction, "pairwise", l1, l2), squared),
    "squared sequential": Plain(lambda reduction, l1, l2: SquaredError(reduction, "sequential", l1, l2), squared),
    "absolute": Plain(AbsoluteError, absolute),
    "negative log-likelihood": Plain(NegativeLogLikelihood, unlikely, of_distribution=True),
}

# Central differences of width 1e-5 err by about 1e-10 of the third derivatives, and by rounding, 1e-16 * loss / 1e-5.
RULES: dict[str, tuple[GradientRule, float]] = {
    "numerical": (NumericalGradient(delta=1e-5), 1e-7),
    "analytic": (AnalyticGradient(), 1e-11),
    "autograd": (AutogradGradient(), 1e-11),
}


def suits(model: str, objective: str) -> bool:
    make, columns, _ = MODELS[model]
    prediction = make()(*[torch.zeros(1, dtype=torch.float64)] * columns)
    return isinstance(prediction, Distribution) == OBJECTIVES[objective].of_distribution


def trainable(model: nn.Module) -> dict[str, nn.Parameter]:
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


CASES = [
    pytest.param(model, objective, id=f"{model}-{objective}")
    for model, objective in itertools.product(MODELS, OBJECTIVES)
    if suits(model, objective)
]

# Away from the kinks of the absolute value, where no finite difference holds.
off_zero = st.builds(lambda size, sign: size * sign, st.floats(0.1, 2.0), st.sampled_from((-1.0, 1.0)))


@pytest.mark.parametrize(("model", "objective"), CASES)
@settings(max_examples=6, deadline=None, derandomize=True, database=None, phases=[Phase.generate])
@given(draw=st.data())
def test_every_rule_agrees_with_autograd(model, objective, draw):
    make, columns, target_of = MODELS[model]
    built, plain = make(), OBJECTIVES[objective]
    rows = draw.draw(st.integers(1, 7), label="rows")
    with torch.no_grad():
        for name, parameter in trainable(built).items():
            for element in parameter.view(-1):
                element.fill_(draw.draw(off_zero, label=name))
    many = st.lists(st.floats(-2.0, 2.0), min_size=rows, max_size=rows)
    inputs = tuple(torch.tensor(draw.draw(many, label="x"), dtype=torch.float64) for _ in range(columns))
    residual = draw.draw(st.lists(off_zero, min_size=rows, max_size=rows), label="residual")
    with torch.no_grad():
        predicted = built(*inputs)
        predicted = predicted.mean if isinstance(predicted, Distribution) else predicted
        target = target_of(predicted, torch.tensor(residual, dtype=torch.float64))
    for reduction, l1, l2 in itertools.product(("mean", "sum"), (0.0, 0.3), (0.0, 0.2)):
        twin = copy.deepcopy(built)
        each = plain.per_observation(twin(*inputs), target)
        expected = each.mean() if reduction == "mean" else each.sum()
        for parameter in trainable(twin).values():
            expected = expected + l1 * parameter.abs().sum() + l2 * (parameter**2).sum()
        expected.backward()
        for rule, (gradient_rule, tolerance) in RULES.items():
            note(f"{rule}, {reduction}, l1={l1:g}, l2={l2:g}")
            loss, gradients = gradient_rule(built, plain.make(reduction, l1, l2), Observations(inputs, target))
            torch.testing.assert_close(loss, expected.detach(), rtol=1e-12, atol=1e-12)
            assert list(gradients) == list(trainable(twin))
            for name, parameter in trainable(twin).items():
                assert not gradients[name].requires_grad
                torch.testing.assert_close(gradients[name], parameter.grad, rtol=tolerance, atol=tolerance)


X, TARGET = torch.tensor([1.0, 2.0, 4.0]), torch.tensor([0.0, 1.0, -2.0])


# A model with a parameter that its prediction does not use.
Idle = partial(OwnModule, lambda self, x: self.used * x, used=torch.tensor(1.0), idle=torch.ones(2, 3))


def test_unused_parameter_has_a_gradient_of_zero():
    _, gradients = AutogradGradient()(Idle(), SquaredError(), Observations((X,), TARGET))
    assert torch.equal(gradients["idle"], torch.zeros(2, 3))


def test_rule_works_where_gradients_are_switched_off():
    with torch.no_grad():
        _, gradients = AutogradGradient()(LinearModel(), SquaredError(), Observations((X,), TARGET))
    assert abs(gradients["weight"].item() - 18.0) < 1e-5


def test_gradients_are_returned_and_not_accumulated():
    model = LinearModel()
    for _ in range(2):
        loss, gradients = AutogradGradient()(model, SquaredError(), Observations((X,), TARGET))
    assert abs(gradients["weight"].item() - 18.0) < 1e-5
    assert model.weight.grad is None
    assert not loss.requires_grad
