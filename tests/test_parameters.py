"""The one form in which every model takes a parameter."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.func import functional_call, jacfwd

from paramfit import InputError, ParameterSpec
from paramfit.models import FormulaModel, FunctionModel, LinearModel, ParametricModel, PolynomialModel

BOUNDS = {"lower": {"lower": -1.0}, "upper": {"upper": 4.0}, "both": {"lower": -1.0, "upper": 4.0}}
KINDS = pytest.mark.parametrize("bounds", BOUNDS.values(), ids=BOUNDS)


@pytest.mark.parametrize(("described", "expected"), [
    (250, ParameterSpec(start=250.0)),
    ("5.0e-4", ParameterSpec(start=5e-4)),
    (None, ParameterSpec()),
    ({"start": 1, "lower": 0, "unit": "1/s"}, ParameterSpec(start=1.0, lower=0.0, unit="1/s")),
    ({"start": 1, "upper": "2"}, ParameterSpec(start=1.0, upper=2.0)),
    ({"start": 2, "fixed": True}, ParameterSpec(start=2.0, fixed=True)),
    ({"start": 1, "lower": 0, "upper": math.inf}, ParameterSpec(start=1.0, lower=0.0)),
    ({"lower": -math.inf, "upper": math.inf}, ParameterSpec()),
    (ParameterSpec(start=1.0, lower=-math.inf, upper=math.inf), ParameterSpec(start=1.0)),
], ids=str)  # fmt: skip
def test_description_is_a_number_a_mapping_or_nothing(described, expected):
    assert ParameterSpec.of("rate", described) == expected


@pytest.mark.parametrize(("described", "message"), [
    ("fast", "parameters.rate.start: expected a finite number, but got 'fast'"),
    (math.nan, "parameters.rate.start: expected a finite number, but got nan"),
    (True, "parameters.rate.start: expected a finite number, but got True"),
    ({"start": 1, "lower": "low"}, "parameters.rate.lower: expected a finite number, but got 'low'"),
    ({"start": 1, "lowr": 0}, "parameters.rate: there is no 'lowr'; did you mean 'lower'?"),
    ({"start": 1, "qqqq": 0},
        "parameters.rate: there is no 'qqqq'; there are 'start', 'lower', 'upper', 'fixed', 'unit'"),
    ({"start": 1, "fixed": "yes"}, "parameters.rate.fixed: expected true or false, but got 'yes'"),
    ({"start": 1, "lower": 2, "upper": 0}, "parameters.rate: no number lies between lower 2 and upper 0"),
    ({"start": -1, "lower": 0}, "parameters.rate.start: -1 is outside its bounds"),
    ({"start": 1, "lower": math.inf}, "parameters.rate.lower: expected a finite number, but got inf"),
    ({"lower": 0, "upper": 2},
        "parameters.rate.start: a bounded parameter needs one; give a start between lower 0 and upper 2"),
    ({"lower": 0}, "parameters.rate.start: a bounded parameter needs one; give a start between lower 0 and upper inf"),
    ({"fixed": True}, "parameters.rate.start: a fixed parameter needs one; give the value that it keeps"),
], ids=str)  # fmt: skip
def test_what_is_wrong_with_a_description_is_said_with_its_place(described, message):
    with pytest.raises(InputError) as refusal:
        ParameterSpec.of("rate", described)
    assert str(refusal.value).startswith(message)


@KINDS
@settings(max_examples=60, deadline=None)
@given(unconstrained=st.floats(-15, 15))
def test_transform_stays_within_the_bounds(bounds, unconstrained):
    transform = ParameterSpec(start=1.0, **bounds).transform
    assert transform is not None
    value = transform(torch.tensor(unconstrained, dtype=torch.float64)).item()
    assert bounds.get("lower", -math.inf) < value < bounds.get("upper", math.inf)


@KINDS
@settings(max_examples=60, deadline=None)
@given(start=st.floats(-0.99, 3.99))
def test_transform_comes_back_to_its_start(bounds, start):
    transform = ParameterSpec(start=start, **bounds).transform
    place = transform(transform.inv(torch.tensor(start, dtype=torch.float64)))
    assert place.item() == pytest.approx(start, rel=1e-13, abs=1e-13)


@KINDS
@settings(max_examples=60, deadline=None)
@given(unconstrained=st.floats(-15, 15))
def test_slope_is_autograds_of_the_transform(bounds, unconstrained):
    spec = ParameterSpec(start=1.0, **bounds)
    assert spec.transform is not None
    point = torch.tensor(unconstrained, dtype=torch.float64, requires_grad=True)
    (expected,) = torch.autograd.grad(spec.transform(point), point)
    torch.testing.assert_close(spec.slope(point.detach()), expected, rtol=1e-9, atol=0)


@pytest.mark.parametrize("free", [ParameterSpec(start=1.0), ParameterSpec(start=1.0, lower=0.0, fixed=True)], ids=str)
def test_parameter_without_a_bound_to_keep_has_no_transform(free):
    assert not free.bounded
    assert free.transform is None
    assert free.slope(torch.tensor([2.0, 3.0])).tolist() == [1.0, 1.0]


def curve(x: Tensor, a: Tensor, b: Tensor) -> Tensor:
    return a + b * x


# The same line, as each model writes it: how it is made of two descriptions, and what its parameters are called.
LINES: dict[str, tuple[Callable[[Any, Any], ParametricModel], tuple[str, str]]] = {
    "LinearModel": (lambda a, b: LinearModel(b, a, dtype="float64"), ("bias", "weight")),
    "PolynomialModel": (
        lambda a, b: PolynomialModel(1, {"coefficient_0": a, "coefficient_1": b}, dtype="float64"),
        ("coefficient_0", "coefficient_1"),
    ),
    "FormulaModel": (lambda a, b: FormulaModel("a + b * x", ["x"], {"a": a, "b": b}), ("a", "b")),
    "FunctionModel": (lambda a, b: FunctionModel(curve, ["x"], {"a": a, "b": b}), ("a", "b")),
}
EACH = pytest.mark.parametrize("kind", LINES)
X = torch.linspace(-2, 3, 6, dtype=torch.float64)


@EACH
@KINDS
def test_start_within_bounds_is_where_every_model_starts(kind, bounds):
    make, (offset, slope) = LINES[kind]
    model = make({"start": 0.5, **bounds}, {"start": 2.0, **bounds})
    assert model.natural(offset).item() == pytest.approx(0.5, rel=1e-14)
    torch.testing.assert_close(model(X).detach(), 0.5 + 2 * X, rtol=1e-13, atol=1e-14)
    assert model.specifications[slope].start == 2.0


@EACH
@KINDS
def test_every_model_stays_within_bounds_wherever_its_parameter_goes(kind, bounds):
    make, (offset, slope) = LINES[kind]
    model = make({"start": 0.5, **bounds}, 0.0)
    for unconstrained in (-12.0, 12.0):
        with torch.no_grad():
            model.get_parameter(offset).fill_(unconstrained)
            model.get_parameter(slope).fill_(0.0)
        assert bounds.get("lower", -math.inf) < model(X).min().item()
        assert model(X).max().item() < bounds.get("upper", math.inf)


@EACH
@KINDS
def test_jacobian_of_bounded_parameters_is_autograds(kind, bounds):
    make, _ = LINES[kind]
    model = make({"start": 0.5, **bounds}, {"start": 2.0, **bounds})
    parameters = {name: parameter.detach() for name, parameter in model.named_parameters()}
    expected = jacfwd(lambda values: functional_call(model, values, (X,)))(parameters)
    columns = model.jacobian(X)
    assert set(columns) == set(expected)
    for name, column in expected.items():
        torch.testing.assert_close(torch.as_tensor(columns[name]).detach().expand(6), column, rtol=1e-12, atol=1e-14)


@EACH
def test_fixed_parameter_keeps_its_start_and_is_not_trained(kind):
    make, (offset, slope) = LINES[kind]
    model = make(1.0, {"start": 2.0, "lower": 2.0, "fixed": True})
    assert not model.get_parameter(slope).requires_grad
    assert model.get_parameter(offset).requires_grad
    assert model.natural(slope).item() == 2.0


@EACH
def test_bounded_line_is_not_linear_in_its_nn_parameters(kind):
    make, (offset, _) = LINES[kind]
    model = make(1.0, {"start": 2.0, "lower": 0.0})
    assert not model.linear_in_parameters
    assert model.linear_parameters() in ((), (offset,))


@pytest.mark.parametrize(("bounds", "start", "inside"), [
    ({"lower": 0}, 0, 1e-3), ({"lower": 50}, 50, 50.05), ({"upper": 0}, 0, -1e-3), ({"lower": 1, "upper": 3}, 3, 2.998),
    ({"lower": 0}, 1e-9, 1e-9), ({}, 0, 0),
])  # fmt: skip
def test_start_on_a_bound_is_moved_inside_for_a_transform_and_kept_for_a_solver(bounds, start, inside):
    model = FormulaModel("exp(-k*x)", ["x"], {"k": {"start": start, **bounds}})
    assert model.specifications["k"].inner_start == pytest.approx(inside, rel=1e-15)
    assert model.natural("k").item() == pytest.approx(inside, rel=1e-9)
    model.leave_bounds_to_solver()
    assert model.k.item() == start


@pytest.mark.parametrize("unit", [5, ["kg"], {"kg": 1}, True])
def test_a_unit_is_text(unit):
    with pytest.raises(InputError, match=r"parameters\.a\.unit: expected text, but got"):
        ParameterSpec.of("a", {"start": 1, "unit": unit})
