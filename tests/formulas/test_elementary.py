"""Every function of a formula, against SciPy and against torch's autograd."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.special
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from paramfit.formulas.elementary import FUNCTIONS
from paramfit.models import FormulaModel

# What it is in NumPy or SciPy, and where its argument may lie (sigmoid: where autograd's slope has digits).
UNARY: dict[str, tuple[Callable[..., Any], float, float]] = {
    "exp": (np.exp, -5, 5), "expm1": (np.expm1, -1e-9, 1e-9), "log": (np.log, 0.1, 9), "ln": (np.log, 0.1, 9),
    "log1p": (np.log1p, -1e-9, 1e-9), "log2": (np.log2, 0.1, 9), "log10": (np.log10, 0.1, 9), "sqrt": (np.sqrt, 0.1, 9),
    "abs": (np.abs, -5, -0.1), "sin": (np.sin, -5, 5), "cos": (np.cos, -5, 5), "tan": (np.tan, -1.4, 1.4),
    "asin": (np.arcsin, -0.95, 0.95), "acos": (np.arccos, -0.95, 0.95), "atan": (np.arctan, -5, 5),
    "arcsin": (np.arcsin, -0.95, 0.95), "arccos": (np.arccos, -0.95, 0.95), "arctan": (np.arctan, -5, 5),
    "sinh": (np.sinh, -5, 5), "cosh": (np.cosh, -5, 5), "tanh": (np.tanh, -5, 5), "asinh": (np.arcsinh, -5, 5),
    "acosh": (np.arccosh, 1.1, 9), "atanh": (np.arctanh, -0.95, 0.95), "arcsinh": (np.arcsinh, -5, 5),
    "arccosh": (np.arccosh, 1.1, 9), "arctanh": (np.arctanh, -0.95, 0.95), "erf": (scipy.special.erf, -3, 3),
    "erfc": (scipy.special.erfc, -5, 20), "loggamma": (scipy.special.gammaln, 0.2, 30),
    "lgamma": (scipy.special.gammaln, 0.2, 30), "gammaln": (scipy.special.gammaln, 0.2, 30),
    "sigmoid": (scipy.special.expit, -30, 5), "expit": (scipy.special.expit, -30, 5),
}  # fmt: skip
BINARY: dict[str, Callable[..., Any]] = {
    "atan2": np.arctan2,
    "arctan2": np.arctan2,
    "max": np.maximum,
    "min": np.minimum,
}


def test_every_function_is_tested_here():
    assert {*UNARY, *BINARY} == set(FUNCTIONS)


def agrees_with_autograd(model: FormulaModel, *inputs: torch.Tensor) -> None:
    columns = model.jacobian(*inputs)
    for name, parameter in model.named_parameters():
        for row, value in enumerate(model(*inputs).unbind()):
            (expected,) = torch.autograd.grad(value, parameter, retain_graph=True)
            column = torch.as_tensor(columns[name], dtype=torch.float64).expand(inputs[0].shape)
            torch.testing.assert_close(column[row], expected, rtol=1e-10, atol=1e-300)


@pytest.mark.parametrize("name", UNARY)
@settings(max_examples=10, deadline=None)
@given(place=st.lists(st.floats(0, 1), min_size=3, max_size=3))
def test_function_of_one_argument_is_scipys_and_its_slope_autograds(name, place):
    truth, low, high = UNARY[name]
    x = low + (high - low) * np.array(place)
    model = FormulaModel(f"{name}(a * x)", ["x"], {"a": 1.0})
    point = torch.from_numpy(x)
    np.testing.assert_allclose(model(point).detach().numpy(), truth(x), rtol=2e-14, atol=1e-15)
    agrees_with_autograd(model, point)


@pytest.mark.parametrize("name", BINARY)
@settings(max_examples=10, deadline=None)
@given(size=st.floats(0.3, 3), angle=st.floats(-3, 3).filter(lambda angle: abs(np.sin(angle) - np.cos(angle)) > 1e-3))
def test_function_of_two_arguments_is_numpys_and_its_slopes_autograds(name, size, angle):
    y, x = size * np.sin([angle]), size * np.cos([angle])
    model = FormulaModel(f"{name}(a * y, b * x)", ["y", "x"], {"a": 1.0, "b": 1.0})
    inputs = torch.from_numpy(y), torch.from_numpy(x)
    np.testing.assert_allclose(model(*inputs).detach().numpy(), BINARY[name](y, x), rtol=1e-14)
    agrees_with_autograd(model, *inputs)


def test_max_of_many_takes_numbers_among_them():
    x = torch.linspace(-3, 3, 7, dtype=torch.float64)
    model = FormulaModel("max(x, -1, a, 0.5 * x)", ["x"], {"a": -0.25})
    assert torch.equal(model(x), torch.stack([x, x.new_full((7,), -0.25), 0.5 * x]).max(0).values.clamp(min=-1))
    agrees_with_autograd(model, x)


def test_erfc_far_out_keeps_its_digits():
    for sign, formula in ((1, "erfc(x - a)"), (-1, "erfc(a - x)")):
        x = torch.tensor([2.0 + sign * 20.0], dtype=torch.float64)
        model = FormulaModel(formula, ["x"], {"a": 2.0})
        assert model(x).item() == pytest.approx(scipy.special.erfc(20.0), rel=1e-13, abs=0)


def test_power_at_zero_has_the_slopes_that_it_has_in_the_limit():
    model = FormulaModel("a * x**b", ["x"], {"a": 2.0, "b": 1.5})
    assert [column.item() for column in model.jacobian(torch.zeros(1, dtype=torch.float64)).values()] == [0.0, 0.0]


def test_hill_curve_at_zero_dose_has_finite_slopes():
    model = FormulaModel("top * (x / k)**n / (1 + (x / k)**n)", ["x"], {"top": 3.0, "k": 2.0, "n": 1.5})
    columns = model.jacobian(torch.zeros(1, dtype=torch.float64))
    assert [column.item() for column in columns.values()] == [0.0, 0.0, 0.0]


def test_power_of_a_quotient_does_not_overflow():
    model = FormulaModel("(x / k)^90", ["x"], {"k": 1e6})
    x = torch.tensor([1.01e6], dtype=torch.float64)
    assert model(x).item() == pytest.approx(1.01**90, rel=1e-13)
    assert model.jacobian(x)["k"].item() == pytest.approx(-90 * 1.01**90 / 1e6, rel=1e-13)


def test_sums_are_added_in_the_order_in_which_they_are_written():
    x = torch.tensor([1e16 + 2], dtype=torch.float64)
    assert FormulaModel("(x - 1e16) + b", ["x"], {"b": 0.125})(x).item() == 2.125
    assert FormulaModel("x - 1e16 + b", ["x"], {"b": 0.125})(x).item() == 2.125
    assert FormulaModel("b + (x - 1e16)", ["x"], {"b": 0.125})(x).item() == 2.125
    assert FormulaModel("3 * (x - 1e16 - b)", ["x"], {"b": 0.125})(x).item() == 5.625
