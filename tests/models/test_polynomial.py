"""Polynomials and the line, against numpy."""

import numpy as np
import pytest
import torch
from torch.func import functional_call

from paramfit import InputError, LinearModel, PolynomialModel

X = torch.linspace(-1.5, 2.0, 7, dtype=torch.float64)


def with_coefficients(degree: int) -> tuple[PolynomialModel, "np.ndarray[tuple[int], np.dtype[np.float64]]"]:
    model = PolynomialModel(degree, dtype="float64")
    coefficients = np.random.default_rng(degree).normal(size=degree + 1)
    with torch.no_grad():
        for parameter, coefficient in zip(model.parameters(), coefficients, strict=True):
            parameter.fill_(coefficient)
    return model, coefficients


@pytest.mark.parametrize("degree", [0, 1, 2, 9])
def test_prediction_is_numpys_polynomial(degree):
    model, coefficients = with_coefficients(degree)
    expected = np.polynomial.polynomial.polyval(X.numpy(), coefficients)
    assert np.allclose(model(X).detach().numpy(), expected, rtol=1e-12, atol=1e-12)


def test_negative_degree_is_refused():
    with pytest.raises(InputError, match="degree: expected 0 or more, but got -1"):
        PolynomialModel(-1)


def test_degree_zero_predicts_one_value_for_each_observation():
    assert PolynomialModel(0)(torch.zeros(5)).shape == (5,)


def test_leading_dimensions_broadcast():
    given = {
        "coefficient_0": torch.randn(3, 1),
        "coefficient_1": torch.randn(1, 3),
        "coefficient_2": torch.randn(2, 1, 1),
    }
    prediction = functional_call(PolynomialModel(2), given, (torch.linspace(0, 1, 5),))
    assert prediction.shape == (2, 3, 3, 5)
    alone = functional_call(
        PolynomialModel(2),
        {
            "coefficient_0": given["coefficient_0"][2, 0],
            "coefficient_1": given["coefficient_1"][0, 1],
            "coefficient_2": given["coefficient_2"][1, 0, 0],
        },
        (torch.linspace(0, 1, 5),),
    )
    assert torch.equal(prediction[1, 2, 1], alone)


@pytest.mark.parametrize("degree", [0, 1, 3, 5])
def test_original_units_give_the_same_curve(degree):
    shift, scale = 3.0, 0.5
    model, coefficients = with_coefficients(degree)
    original = model.original_units(shift, scale) @ torch.from_numpy(coefficients)
    x = np.linspace(-4, 9, 12)
    expected = np.polynomial.polynomial.polyval((x - shift) * scale, coefficients)
    assert np.allclose(np.polynomial.polynomial.polyval(x, original.numpy()), expected, rtol=1e-9, atol=1e-9)


FOUR_ROWS = torch.tensor([0.0, 1.0, -2.0, 0.5])


def test_prediction_is_weight_times_x_plus_bias():
    assert LinearModel(weight=2.0, bias=-1.0)(FOUR_ROWS).tolist() == [-1.0, 1.0, -5.0, 0.0]


def test_original_units_give_the_same_line():
    shift, scale = 32.0, 0.1
    fitted = torch.tensor([5.3671, -17.3012], dtype=torch.float64)
    weight, bias = LinearModel().original_units(shift, scale) @ fitted
    x = torch.tensor([-40.0, 0.0, 98.6], dtype=torch.float64)
    assert torch.allclose(weight * x + bias, fitted[0] * ((x - shift) * scale) + fitted[1])
