"""One backward pass gives the Jacobian where rows do not mix, and is not taken where they do."""

import numpy as np
import pytest
import torch
from scipy.optimize import curve_fit

import paramfit
from paramfit.models.rowwise_derivatives import RowwiseDerivatives

X = torch.linspace(0.1, 4.0, 23, dtype=torch.float64)


def decay(x, a, b):
    return a * torch.exp(-b * x) + 0.5


def step(x, a, b):
    return torch.where(x > 2.0, a * x, b * torch.sqrt(x))


def saturating(x, a, b):
    return a * x / (torch.abs(b) + x)


def without_b(x, a, b):
    return a * x + 0 * b.detach()


def about_its_mean(x, a, b):
    curve = a * torch.exp(-b * x)
    return curve - curve.mean()


def cumulated(x, a, b):
    return torch.cumsum(a * torch.exp(-b * x), 0)


def shares(x, a, b):
    return a * torch.softmax(b * x, 0)


def mixing_by_what_starts_at_0(x, a, b):
    return b * x + a * (b * torch.sin(3 * x)).mean()


def summed_over_nodes(x, a, b):
    nodes = torch.linspace(0.0, 1.0, len(x), dtype=torch.float64)
    return (a * torch.exp(-b * x[:, None] * nodes)).sum(1)


def branching(x, a, b):
    return a * x if b > 0 else a * x * x


SEPARATE = [decay, step, saturating]
MIXING = [about_its_mean, cumulated, shares, mixing_by_what_starts_at_0, summed_over_nodes]
STARTS = [(2.0, 0.7), (0.0, 0.7)]


def quickly(function, values):
    numbers = [torch.tensor(value, dtype=torch.float64) for value in values]
    return RowwiseDerivatives()(lambda at: function(X, *at), numbers, len(X))


@pytest.mark.parametrize("function", SEPARATE)
@pytest.mark.parametrize("values", STARTS)
def test_separate_rows_have_the_jacobian_of_forward_mode(function, values):
    model = paramfit.FunctionModel(function, parameters=dict(zip("ab", values, strict=True)))
    prediction, columns = quickly(function, values)
    torch.testing.assert_close(prediction, model(X).detach(), rtol=1e-14, atol=0)
    for name, column in zip("ab", columns, strict=True):
        torch.testing.assert_close(column, torch.as_tensor(model.jacobian(X)[name]).expand(len(X)), rtol=1e-14, atol=0)


@pytest.mark.parametrize("function", [*MIXING, branching, without_b])
@pytest.mark.parametrize("values", STARTS)
def test_mixing_rows_are_noticed(function, values):
    assert quickly(function, values) is None


@pytest.mark.parametrize("function", SEPARATE + MIXING)
def test_a_function_model_has_one_jacobian(function):
    model = paramfit.FunctionModel(function, parameters={"a": 0.0, "b": {"start": 0.7, "lower": 0.0}})
    with torch.inference_mode():
        value, columns = model.value_and_jacobian(X)
        torch.testing.assert_close(value, model(X), rtol=1e-14, atol=1e-15)
        for name, column in model.jacobian(X).items():
            torch.testing.assert_close(columns[name], column, rtol=1e-13, atol=1e-14)


def test_where_backward_mode_has_no_number_forward_mode_is_asked():
    def guarded(x, a, b):
        return torch.where(x > 1.0, a * torch.sqrt(torch.clamp(x - 1.0, min=0.0) ** 0.5 * b), 0.0 * a)

    assert quickly(guarded, (1.0, 0.5)) is None
    model = paramfit.FunctionModel(guarded, parameters={"a": 1.0, "b": 0.5})
    _, columns = model.value_and_jacobian(X)
    assert all(torch.equal(columns[name], column) for name, column in model.jacobian(X).items())


class Decay(torch.nn.Module):
    """A module of numbers, as users write them."""

    def __init__(self, centred):
        super().__init__()
        self.a, self.b = (torch.nn.Parameter(torch.tensor(value)) for value in (1.0, 1.0))
        self.centred = centred

    def forward(self, x):
        curve = self.a * torch.exp(-self.b * x)
        return curve - curve.mean() if self.centred else curve


@pytest.mark.parametrize("centred", [False, True])
def test_modules_of_numbers_are_fitted_as_by_scipy(centred):
    x = np.linspace(0.0, 3.0, 40)

    def curve(x, a, b):
        values = a * np.exp(-b * x)
        return values - values.mean() if centred else values

    y = curve(x, 2.5, 1.3) + np.random.default_rng(3).normal(0.0, 0.05, 40)
    best, covariance = curve_fit(curve, x, y, p0=(1.0, 1.0), ftol=1e-14, xtol=1e-14)
    result = paramfit.fit(Decay(centred), (x, y))
    for k, name in enumerate("ab"):
        estimate = result.parameters[name]
        assert estimate.estimate == pytest.approx(best[k], rel=1e-6)
        assert estimate.standard_error == pytest.approx(covariance[k, k] ** 0.5, rel=1e-4)
