"""The parabola that stands for a kink: same value and slope, above the loss, curved as it says."""

import pytest
import torch
from torch import Tensor
from torch.distributions import Laplace, Normal

from paramfit.distributions import kinked_argument, majorised_curvature, majorised_log_prob


def column(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


Y = column(0.2, 1.0, 1.5, 4.0)
START = column(1.2, 0.8)  # loc and scale


def log_prob(theta: Tensor) -> Tensor:
    return majorised_log_prob(Laplace(theta[0], theta[1]), Y)


def test_value_and_slope_are_the_densitys() -> None:
    torch.testing.assert_close(log_prob(START), Laplace(*START).log_prob(Y))
    slopes = [
        torch.autograd.functional.jacobian(function, START)
        for function in (log_prob, lambda theta: Laplace(theta[0], theta[1]).log_prob(Y))
    ]
    torch.testing.assert_close(*slopes)


def test_derivative_of_the_slope_is_the_curvature() -> None:
    curved = majorised_curvature(Laplace(*START), Y, ["loc", "scale"])
    for row, y in enumerate(Y):
        hessian = torch.autograd.functional.hessian(
            lambda theta, y=y: -majorised_log_prob(Laplace(theta[0], theta[1]), y), START
        )
        torch.testing.assert_close(curved[row], hessian)


def test_parabola_touches_the_loss_and_lies_above_it() -> None:
    laplace = Laplace(*START)
    weight = majorised_curvature(laplace, Y, ["loc"])[:, 0, 0]
    slope = torch.sign(Y - laplace.loc) / laplace.scale  # of the log-density
    for move in torch.linspace(-3.0, 3.0, 25, dtype=torch.float64):
        parabola = laplace.log_prob(Y) + slope * move - weight * move**2 / 2
        assert (Laplace(START[0] + move, START[1]).log_prob(Y) >= parabola - 1e-12).all()


def test_curvature_is_finite_on_the_kink_itself() -> None:
    assert majorised_curvature(Laplace(Y[0], START[1]), Y, ["loc"]).isfinite().all()


@pytest.mark.parametrize(
    ("distribution", "names", "argument"),
    [
        (Laplace(0.0, 1.0), ["loc", "scale"], "loc"),
        (Laplace(0.0, 1.0), ["scale"], None),
        (Normal(0.0, 1.0), ["loc"], None),
    ],
)
def test_argument_with_a_kink(distribution: Laplace | Normal, names: list[str], argument: str | None) -> None:
    assert kinked_argument(distribution, names) == argument
