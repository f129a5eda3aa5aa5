"""Estimates that need no descent."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from paramfit.inference.convergence import closed_form
from paramfit.inference.loss_function import LossFunction
from paramfit.models import GaussianModel, LinearModel, PolynomialModel
from paramfit.objectives import AbsoluteError, NegativeLogLikelihood, Objective, SquaredError
from paramfit.observations import Observations
from tests.inference.cases import Wide, thermometer
from tests.thermometer import BIAS, CELSIUS, READINGS, WEIGHT, observations


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_thermometer_has_the_published_least_squares_line(reduction: str) -> None:
    found = closed_form(thermometer(objective=SquaredError(reduction)))
    assert found is not None
    assert found.tolist() == pytest.approx([WEIGHT, BIAS], rel=1e-12)


@pytest.mark.parametrize("degree", [0, 1, 2, 4])
def test_polynomial_agrees_with_numpy(degree: int) -> None:
    found = closed_form(LossFunction(PolynomialModel(degree), SquaredError(), observations()))
    assert found is not None
    expected = np.polynomial.Polynomial.fit(READINGS, CELSIUS, degree).convert().coef
    assert found.tolist() == pytest.approx(expected.tolist(), rel=1e-6)


def test_location_is_the_empirical_mean() -> None:
    sample = torch.randn(100, dtype=torch.float64)
    found = closed_form(LossFunction(GaussianModel(), NegativeLogLikelihood(), Observations((), sample)))
    assert found is not None
    assert found.item() == pytest.approx(float(np.mean(sample.numpy())), rel=1e-14)


def nonlinear() -> nn.Module:
    class Exponential(LinearModel):
        linear_in_parameters = False

        def forward(self, x: Tensor) -> Tensor:
            return self.bias * torch.exp(self.weight * x)

    return Exponential(dtype="float64")


def constant_zero() -> Observations:
    return Observations((torch.zeros(5),), torch.arange(5.0))


@pytest.mark.parametrize(
    ("model", "objective", "data"),
    [
        (LinearModel(), SquaredError(l2=0.1), observations()),
        (LinearModel(), AbsoluteError(), observations()),
        (nonlinear(), SquaredError(), observations()),
        (Wide(1), SquaredError(), observations()),
        (PolynomialModel(11), SquaredError(), observations()),
        (LinearModel(), SquaredError(), constant_zero()),
    ],
    ids=["penalty", "absolute error", "nonlinear", "any module", "more parameters than rows", "idle parameter"],
)
def test_no_formula_no_estimate(model: nn.Module, objective: Objective, data: Observations) -> None:
    assert closed_form(LossFunction(model, objective, data)) is None
