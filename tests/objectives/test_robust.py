"""Robust objectives, beside SciPy's."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import scipy.optimize
import torch
from torch import Tensor
from torch.distributions import Normal

from paramfit import AbsoluteError, FormulaModel, InputError, fit
from paramfit.objectives import CauchyError, HuberError, NegativeLogLikelihood, RobustError, SoftL1Error, SquaredError

KINDS: dict[str, Callable[..., RobustError]] = {"huber": HuberError, "soft_l1": SoftL1Error, "cauchy": CauchyError}
every_kind = pytest.mark.parametrize(("name", "kind"), KINDS.items(), ids=KINDS)
PREDICTION = torch.linspace(-4.0, 4.0, 33, dtype=torch.float64)
TARGET = torch.linspace(0.7, -1.1, 33, dtype=torch.float64)
SIGMA = torch.linspace(0.2, 3.0, 33, dtype=torch.float64)


def scipys_cost(name: str, residual: Tensor, scale: float) -> float:
    """Half the sum of the losses, as SciPy reports it for residuals that do not depend on its variable."""
    actual = scipy.optimize.least_squares(
        lambda _: residual.numpy(), [0.0], jac=lambda _: np.zeros((len(residual), 1)), loss=name, f_scale=scale
    )
    return float(actual.cost)


@pytest.mark.parametrize("scale", [0.1, 1.0, 7.0], ids=str)
@every_kind
def test_loss_is_twice_scipys_cost(name, kind, scale):
    expected = 2 * scipys_cost(name, PREDICTION - TARGET, scale)
    assert kind(scale, "sum")(PREDICTION, TARGET).item() == pytest.approx(expected, rel=1e-12)
    assert kind(scale)(PREDICTION, TARGET).item() == pytest.approx(expected / 33, rel=1e-12)


@every_kind
def test_known_errors_measure_the_residual(name, kind):
    expected = 2 * scipys_cost(name, (PREDICTION - TARGET) / SIGMA, 1.5)
    assert kind(1.5, "sum")(PREDICTION, TARGET, SIGMA).item() == pytest.approx(expected, rel=1e-12)


CLOSED_FORMS = {
    "huber": lambda z: z if z <= 1 else 2 * math.sqrt(z) - 1,
    "soft_l1": lambda z: 2 * (math.sqrt(1 + z) - 1),
    "cauchy": lambda z: math.log(1 + z),
}


@every_kind
def test_function_of_the_squared_residual_is_as_scipy_defines_it(name, kind):
    z = torch.tensor([0.0, 0.3, 1.0, 1.0001, 9.0, 1e6], dtype=torch.float64)
    assert kind().rho(z)[0].tolist() == pytest.approx([CLOSED_FORMS[name](value) for value in z.tolist()], rel=1e-12)


@every_kind
def test_derivatives_of_the_function_are_autograds(name, kind):
    del name
    z = torch.tensor([0.01, 0.5, 0.99, 1.5, 40.0], dtype=torch.float64, requires_grad=True)
    value, first, second = kind().rho(z)
    (slope,) = torch.autograd.grad(value.sum(), z, create_graph=True)
    torch.testing.assert_close(first, slope, rtol=1e-12, atol=0)
    if slope.requires_grad:
        (bend,) = torch.autograd.grad(slope.sum(), z)
        torch.testing.assert_close(second, bend, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("kind", [SoftL1Error, CauchyError], ids=lambda kind: kind.__name__)
def test_tiny_residuals_keep_their_digits(kind):
    tiny = torch.tensor([1e-9], dtype=torch.float64)
    assert kind(reduction="sum")(tiny, torch.zeros_like(tiny)).item() == pytest.approx(1e-18, rel=1e-12)


@pytest.mark.parametrize("sigma", [None, SIGMA], ids=["no sigma", "sigma"])
@every_kind
def test_derivative_is_autograds(name, kind, sigma):
    del name
    objective = kind(0.8)
    prediction = PREDICTION.clone().requires_grad_()
    (expected,) = torch.autograd.grad(objective.per_observation(prediction, TARGET, sigma).sum(), prediction)
    torch.testing.assert_close(objective.derivative(PREDICTION, TARGET, sigma), expected, rtol=1e-12, atol=1e-15)


@every_kind
@pytest.mark.parametrize("scale", [0.0, -1.0, math.nan, math.inf], ids=str)
def test_scale_that_is_no_residual_is_refused(name, kind, scale):
    del name
    with pytest.raises(InputError, match=f"scale: .* above 0, but got {scale}"):
        kind(scale)


@every_kind
@pytest.mark.parametrize("scale", [0.05, 0.2], ids=str)
def test_robust_estimates_are_scipys(name, kind, scale):
    x = np.linspace(0, 5, 60)
    y = 2.0 * np.exp(-0.8 * x) + 0.5 + np.random.default_rng(4).normal(0, 0.05, 60)
    y[::13] += 1.5
    theirs = scipy.optimize.least_squares(
        lambda t: t[0] * np.exp(-t[1] * x) + t[2] - y,
        (2.0, 0.8, 0.5),
        loss=name,
        f_scale=scale,
        xtol=1e-15,
        ftol=1e-15,
        gtol=1e-15,
    )
    model = FormulaModel("a * exp(-k * x) + c", ["x"], {"a": 1.5, "k": 1, "c": 0.4})
    result = fit(model, (x, y), objective=kind(scale, "sum"))
    assert result.status == "converged"
    assert [estimate.estimate for estimate in result.parameters.values()] == pytest.approx(theirs.x, rel=1e-5)
    assert result.loss["train"] == pytest.approx(2 * theirs.cost, rel=1e-6)


# Where all residuals lie far out, rows keep a thousandth of their curvature, and the first step is a thousand times
# too long: it ends where the prediction does not depend on the parameter any more.
@pytest.mark.parametrize("start", [1.0, 2.0], ids=str)
@pytest.mark.parametrize("scale", [0.01, 0.1, 1.0], ids=str)
def test_robust_fit_reaches_scipys_minimum_from_a_start_that_is_off(scale, start):
    x = np.linspace(0, 4, 30)
    y = np.exp(-0.7 * x) + 0.01 * np.sin(9 * x)
    theirs = scipy.optimize.least_squares(lambda t: np.exp(t[0] * x) - y, [start], loss="huber", f_scale=scale)
    result = fit(FormulaModel("exp(k * x)", ["x"], {"k": start}), (x, y), objective=HuberError(scale))
    assert result.parameters["k"].estimate == pytest.approx(theirs.x[0], rel=1e-6)


@pytest.mark.parametrize("objective", [SquaredError(), AbsoluteError()], ids=lambda given: type(given).__name__)
def test_known_errors_divide_the_residuals_of_every_objective(objective):
    expected = objective.per_observation((PREDICTION - TARGET) / SIGMA, torch.zeros_like(TARGET))
    torch.testing.assert_close(objective.per_observation(PREDICTION, TARGET, SIGMA), expected, rtol=1e-13, atol=0)
    prediction = PREDICTION.clone().requires_grad_()
    (slope,) = torch.autograd.grad(objective.per_observation(prediction, TARGET, SIGMA).sum(), prediction)
    torch.testing.assert_close(objective.derivative(PREDICTION, TARGET, SIGMA), slope, rtol=1e-13, atol=0)


def test_sum_of_squares_over_known_errors_is_chi_squared():
    expected = float((((PREDICTION - TARGET) / SIGMA) ** 2).sum())
    assert SquaredError("sum")(PREDICTION, TARGET, SIGMA).item() == pytest.approx(expected, rel=1e-13)


def test_likelihood_has_no_use_for_known_errors():
    with pytest.raises(InputError, match=r"sigma.*scale of its own"):
        NegativeLogLikelihood()(Normal(0.0, 1.0), TARGET, SIGMA)
