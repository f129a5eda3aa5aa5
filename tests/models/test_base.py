"""What all models share: broadcasting over leading parameter dimensions, and the order of input columns."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from paramfit.errors import InputError
from paramfit.models import (
    DistributionModel,
    FormulaModel,
    FunctionModel,
    LinearModel,
    PolynomialModel,
    check_input_order,
)
from paramfit.models.base import broadcast_parameters, start_value
from paramfit.objectives import SquaredError

SCALAR_INPUT, ELEVEN_ROWS = torch.tensor(2.0), torch.linspace(-1, 1, 11)


def called(weight: Tensor, bias: Tensor, x: Tensor) -> Tensor:
    prediction: Tensor = functional_call(LinearModel(), {"weight": weight, "bias": bias}, (x,))
    return prediction


@pytest.mark.parametrize(
    ("weight", "bias", "leading"),
    [
        ((), (3, 1), (3, 1)),
        ((3, 1), (), (3, 1)),
        ((3, 1), (1, 3), (3, 3)),
        ((2, 1, 1), (3, 3), (2, 3, 3)),
        ((4,), (4,), (4,)),
        ((), (), ()),
    ],
    ids=str,
)
def test_leading_dimensions_broadcast_and_the_observations_follow(
    weight: tuple[int, ...], bias: tuple[int, ...], leading: tuple[int, ...]
) -> None:
    prediction = called(torch.randn(weight), torch.randn(bias), ELEVEN_ROWS)
    assert prediction.shape == (*leading, 11)


@pytest.mark.parametrize(
    ("shapes", "leading"),
    [(((), (3, 1)), (3, 1)), (((3, 1), (1, 3)), (3, 3)), (((3, 1), (1, 3), (2, 1, 1)), (2, 3, 3))],
    ids=["() with (3,1)", "(3,1) with (1,3)", "and with (2,1,1)"],
)
def test_shapes_of_the_lesson_with_a_scalar_input(
    shapes: tuple[tuple[int, ...], ...], leading: tuple[int, ...]
) -> None:
    coefficients = [torch.randn(shape) for shape in shapes]
    given = {f"coefficient_{power}": coefficient for power, coefficient in enumerate(coefficients)}
    model = PolynomialModel(degree=len(shapes) - 1)
    prediction = functional_call(model, given, (SCALAR_INPUT,))
    assert prediction.shape == leading
    powers = [coefficient * 2.0**power for power, coefficient in enumerate(coefficients)]
    assert torch.allclose(prediction, sum(powers, start=torch.zeros(())))
    assert functional_call(model, given, (ELEVEN_ROWS,)).shape == (*leading, 11)


@pytest.mark.parametrize(
    ("weight", "bias", "leading"),
    [((), (3, 1), (3, 1)), ((3, 1), (1, 3), (3, 3)), ((3, 3), (2, 1, 1), (2, 3, 3))],
    ids=str,
)
def test_line_at_a_scalar_input_has_the_shape_of_its_parameters(
    weight: tuple[int, ...], bias: tuple[int, ...], leading: tuple[int, ...]
) -> None:
    slope, offset = torch.randn(weight), torch.randn(bias)
    prediction = called(slope, offset, SCALAR_INPUT)
    assert prediction.shape == leading
    assert torch.equal(prediction, slope * 2.0 + offset)


def test_whole_grid_in_one_call_equals_a_loop() -> None:
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
def test_mismatched_shapes_are_refused_and_both_named(weight: tuple[int, ...], bias: tuple[int, ...]) -> None:
    with pytest.raises(InputError) as refusal:
        called(torch.zeros(weight), torch.zeros(bias), ELEVEN_ROWS)
    assert f"weight has {weight}" in str(refusal.value)
    assert f"bias has {bias}" in str(refusal.value)


def test_refusal_names_the_two_that_do_not_fit_among_three() -> None:
    parameters = [torch.zeros(()), torch.zeros(4, 1), torch.zeros(3, 1)]
    with pytest.raises(InputError) as refusal:
        broadcast_parameters(["a", "b", "c"], parameters)
    assert "b has (4, 1)" in str(refusal.value)
    assert "c has (3, 1)" in str(refusal.value)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf], ids=str)
def test_start_that_is_not_finite_is_refused(value: float) -> None:
    with pytest.raises(InputError, match="weight: a start must be a finite number"):
        start_value("weight", value, torch.float32)


def test_start_is_a_copy() -> None:
    given = torch.tensor(2.0)
    start_value("weight", given, torch.float32).data.zero_()
    assert given.item() == 2.0


MODELS = {
    "formula": FormulaModel("a * c / t", ["c", "t"], {"a": 1.0}),
    "function": FunctionModel(lambda c, t, a: a * c / t, ["c", "t"], {"a": 1.0}),
    "distribution": DistributionModel("torch.distributions.Poisson", {"rate": "exp(a*c/t)"}, {"a": 0.0}, ["c", "t"]),
}


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_the_same_names_in_another_order_are_refused(model: nn.Module) -> None:
    with pytest.raises(InputError, match=r"^inputs: the columns are t, c, but the model's variables are c, t"):
        check_input_order(model, ["t", "c"])


@pytest.mark.parametrize("inputs", [["c", "t"], ["conc", "temp"], ["t", "x"], ["t"]])
@pytest.mark.parametrize("model", [*MODELS.values(), nn.Linear(2, 1)], ids=[*MODELS, "module"])
def test_other_names_are_matched_by_position(model: nn.Module, inputs: list[str]) -> None:
    check_input_order(model, inputs)
