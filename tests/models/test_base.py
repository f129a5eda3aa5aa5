"""What all models share: broadcasting over leading parameter dimensions, and the order of input columns."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from paramfit import DistributionModel, FormulaModel, FunctionModel, InputError, LinearModel, PolynomialModel
from paramfit.models import match_columns
from paramfit.models.base import start_value
from paramfit.objectives import SquaredError

SCALAR_INPUT, ELEVEN_ROWS = torch.tensor(2.0), torch.linspace(-1, 1, 11)


def called(weight: Tensor, bias: Tensor, x: Tensor) -> Tensor:
    return functional_call(LinearModel(), {"weight": weight, "bias": bias}, (x,))


@pytest.mark.parametrize(
    ("weight", "bias", "leading"),
    [
        ((), (3, 1), (3, 1)), ((3, 1), (), (3, 1)), ((3, 1), (1, 3), (3, 3)), ((2, 1, 1), (3, 3), (2, 3, 3)),
        ((4,), (4,), (4,)), ((), (), ()),
    ],
    ids=str,
)  # fmt: skip
def test_leading_dimensions_broadcast_and_the_observations_follow(weight, bias, leading):
    assert called(torch.randn(weight), torch.randn(bias), ELEVEN_ROWS).shape == (*leading, 11)


@pytest.mark.parametrize(
    ("shapes", "leading"),
    [(((), (3, 1)), (3, 1)), (((3, 1), (1, 3)), (3, 3)), (((3, 1), (1, 3), (2, 1, 1)), (2, 3, 3))],
    ids=["() with (3,1)", "(3,1) with (1,3)", "and with (2,1,1)"],
)
def test_shapes_of_the_lesson_with_a_scalar_input(shapes, leading):
    coefficients = [torch.randn(shape) for shape in shapes]
    given = {f"coefficient_{power}": coefficient for power, coefficient in enumerate(coefficients)}
    model = PolynomialModel(degree=len(shapes) - 1)
    prediction = functional_call(model, given, (SCALAR_INPUT,))
    assert prediction.shape == leading
    powers = [coefficient * 2.0**power for power, coefficient in enumerate(coefficients)]
    assert torch.allclose(prediction, sum(powers, start=torch.zeros(())))
    assert functional_call(model, given, (ELEVEN_ROWS,)).shape == (*leading, 11)


def test_whole_grid_in_one_call_equals_a_loop():
    weights, biases = torch.linspace(-2, 2, 5), torch.linspace(-30, 10, 7)
    target = torch.randn(11)
    whole = SquaredError()(called(weights.unsqueeze(1), biases.unsqueeze(0), ELEVEN_ROWS), target)
    for row, weight in enumerate(weights):
        for column, bias in enumerate(biases):
            alone = torch.nn.functional.mse_loss(weight * ELEVEN_ROWS + bias, target)
            assert whole[row, column].item() == pytest.approx(alone.item(), rel=1e-6)


@pytest.mark.parametrize(
    ("weight", "bias"), [((3, 2), (2, 3)), ((4,), (3,)), ((2, 1, 1), (3, 3, 3))], ids=["(3,2)", "(4,)", "(2,1,1)"]
)
def test_mismatched_shapes_are_refused_and_both_named(weight, bias):
    with pytest.raises(InputError) as refusal:
        called(torch.zeros(weight), torch.zeros(bias), ELEVEN_ROWS)
    assert f"weight has {weight}" in str(refusal.value)
    assert f"bias has {bias}" in str(refusal.value)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf], ids=str)
def test_start_that_is_not_finite_is_refused(value):
    with pytest.raises(InputError, match="weight: a start must be a finite number"):
        start_value("weight", value, torch.float32)


MODELS = {
    "formula": FormulaModel("a * c / t", ["c", "t"], {"a": 1.0}),
    "function": FunctionModel(lambda c, t, a: a * c / t, ["c", "t"], {"a": 1.0}),
    "distribution": DistributionModel("torch.distributions.Poisson", {"rate": "exp(a*c/t)"}, {"a": 0.0}, ["c", "t"]),
}


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_the_same_names_in_another_order_are_refused(model):
    with pytest.raises(InputError, match=r"^inputs: the columns are t, c, but the model's variables are c, t"):
        match_columns(model, ["t", "c"])


@pytest.mark.parametrize("inputs", [["c", "t"], ["conc", "temp"], ["t", "x"], ["t"]])
@pytest.mark.parametrize("model", [*MODELS.values(), nn.Linear(2, 1)], ids=[*MODELS, "module"])
def test_other_names_are_matched_by_position(model, inputs):
    match_columns(model, inputs)
