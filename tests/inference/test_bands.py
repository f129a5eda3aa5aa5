"""Bands of a fitted curve."""

from collections.abc import Callable
from functools import partial

import lmfit
import numpy as np
import pytest
import scipy.stats
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from paramfit import FittedCurve, LinearModel, PolynomialModel
from paramfit.inference import bands as module
from tests.own_module import OwnModule
from tests.thermometer import BIAS, CELSIUS, READINGS, WEIGHT

X, Y = np.array(READINGS), np.array(CELSIUS)
GRID = np.linspace(0.0, 100.0, 23)
T95 = float(scipy.stats.t.ppf(0.975, 9))
S = float(np.sqrt(np.sum((Y - WEIGHT * X - BIAS) ** 2) / 9))


class Saturation(nn.Module):
    """A curve that knows no Jacobian of its own, with its two parameters in one tensor."""

    def __init__(self, amplitude: float, rate: float) -> None:
        super().__init__()
        self.b = nn.Parameter(torch.tensor([amplitude, rate], dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return self.b[0] * (1 - torch.exp(-self.b[1] * x))


def line(**options: float | bool | None) -> FittedCurve:
    """The least-squares line through the thermometer pairs, its covariance by the normal equations."""
    design = np.stack([X, np.ones(11)], axis=1)
    covariance = torch.from_numpy(S**2 * np.linalg.inv(design.T @ design))
    given = {"noise": S, **options}
    return FittedCurve(LinearModel(WEIGHT, BIAS, dtype="float64"), covariance, T95, method="", **given)


def textbook_error(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Standard error of a straight line."""
    return S * np.sqrt(1 / len(X) + (x - X.mean()) ** 2 / np.sum((X - X.mean()) ** 2))


def test_bands_of_a_straight_line_are_those_of_the_textbook():
    bands = line().at((torch.from_numpy(GRID),))
    error = textbook_error(GRID)
    wide = np.sqrt(S**2 + error**2)
    center = WEIGHT * GRID + BIAS
    assert bands.prediction.numpy() == pytest.approx(center, rel=1e-12)
    assert bands.standard_error.numpy() == pytest.approx(error, rel=1e-9)
    assert bands.confidence[0].numpy() == pytest.approx(center - T95 * error, rel=1e-9)
    assert bands.confidence[1].numpy() == pytest.approx(center + T95 * error, rel=1e-9)
    assert bands.prediction_band[0].numpy() == pytest.approx(center - T95 * wide, rel=1e-9)
    assert bands.prediction_band[1].numpy() == pytest.approx(center + T95 * wide, rel=1e-9)


def fitted_saturation() -> tuple[lmfit.model.ModelResult, Callable[..., FittedCurve], NDArray[np.float64]]:
    """A saturating curve as lmfit has fitted it, and as we hold it at lmfit's estimates."""
    x = np.linspace(0.2, 8.0, 25)
    y = 3.0 * (1 - np.exp(-0.6 * x)) + np.random.default_rng(1).normal(0, 0.1, 25)
    fit = lmfit.Model(lambda x, a, k: a * (1 - np.exp(-k * x))).fit(y, x=x, a=2.0, k=1.0)
    a, k = fit.best_values["a"], fit.best_values["k"]
    slopes = np.stack([1 - np.exp(-k * x), a * x * np.exp(-k * x)], axis=1)
    variance = np.sum((y - fit.best_fit) ** 2) / 23
    covariance = torch.from_numpy(variance * np.linalg.inv(slopes.T @ slopes))

    def curve(model: nn.Module | None = None) -> FittedCurve:
        quantile = float(scipy.stats.t.ppf(0.975, 23))
        return FittedCurve(model or Saturation(a, k), covariance, quantile, float(np.sqrt(variance)), "")

    return fit, curve, np.linspace(0.0, 12.0, 9)[1:]


def test_bands_of_a_nonlinear_curve_are_lmfits():
    fit, curve, grid = fitted_saturation()
    bands = curve().at((torch.from_numpy(grid),))
    confidence = fit.eval_uncertainty(x=grid, sigma=0.95)  # fills dely_predicted as well
    assert bands.prediction.numpy() == pytest.approx(fit.eval(x=grid), rel=1e-12)
    # lmfit's derivatives and covariance are numerical ones.
    assert (bands.confidence[1] - bands.prediction).numpy() == pytest.approx(confidence, rel=1e-3)
    assert (bands.prediction_band[1] - bands.prediction).numpy() == pytest.approx(fit.dely_predicted, rel=1e-3)


def test_models_own_jacobian_and_the_derived_one_agree():
    Twin = partial(OwnModule, lambda self, x: self.weight * x + self.bias, weight=WEIGHT, bias=BIAS)
    derived = FittedCurve(Twin(), line().covariance, T95, S, "").at((torch.from_numpy(GRID),))
    assert derived.standard_error.numpy() == pytest.approx(textbook_error(GRID), rel=1e-9)


def test_bounded_parameter_has_the_error_of_its_unconstrained_number():
    model = LinearModel({"start": 2.0, "lower": 0}, {"start": 1.0, "fixed": True}, dtype="float64")
    curve = FittedCurve(model, torch.tensor([[0.01]], dtype=torch.float64), 2.0, 0.5, "")
    # weight = e^u, so that its own standard error is 2 * 0.1.
    assert curve.at((torch.tensor([0.0, 1.0, 5.0]),)).standard_error.tolist() == pytest.approx([0.0, 0.2, 1.0])


@pytest.mark.parametrize(("options", "sigma", "expected"), [
    ({}, None, S),
    ({"noise": None, "weighted": True}, [0.1, 2.0, 3.0], [0.1, 2.0, 3.0]),
    ({"noise": 1.5, "weighted": True}, [0.1, 2.0, 3.0], [0.15, 3.0, 4.5]),
], ids=["residual standard deviation", "absolute sigma", "relative sigma"])  # fmt: skip
def test_noise_of_a_new_observation(options, sigma, expected):
    at = np.array([0.0, 40.0, 90.0])
    bands = line(**options).at((torch.from_numpy(at),), None if sigma is None else torch.tensor(sigma))
    half = T95 * np.sqrt(textbook_error(at) ** 2 + np.square(expected))
    assert (bands.prediction_band[1] - bands.prediction).numpy() == pytest.approx(half, rel=1e-6)
    assert (bands.prediction - bands.prediction_band[0]).numpy() == pytest.approx(half, rel=1e-6)


@pytest.mark.parametrize("noise", [None, 1.5], ids=["absolute", "relative"])
def test_weighted_fit_has_no_prediction_band_where_sigma_is_not_known(noise):
    bands = line(noise=noise, weighted=True).at((torch.from_numpy(GRID),))
    assert bands.prediction_band is None
    assert bands.standard_error.numpy() == pytest.approx(textbook_error(GRID), rel=1e-9)


def test_rows_in_chunks_give_the_same_bands(monkeypatch):
    _, curve, grid = fitted_saturation()
    for held in (line(), curve()):
        whole = held.at((torch.from_numpy(grid),))
        calls: list[int] = []
        held.model.register_forward_pre_hook(lambda _, inputs, visited=calls: visited.append(len(inputs[0])))
        monkeypatch.setattr(module, "_MOST_ROWS", 3)
        parts = held.at((torch.from_numpy(grid),))
        monkeypatch.undo()
        assert max(calls) == 3
        assert parts.prediction.numpy() == pytest.approx(whole.prediction.numpy(), rel=1e-14)
        assert parts.standard_error.numpy() == pytest.approx(whole.standard_error.numpy(), rel=1e-12)


def test_columns_of_very_different_scale_keep_their_digits():
    scale = 1e-9
    squeezed = FittedCurve(
        LinearModel(WEIGHT / scale, BIAS, dtype="float64"),
        line().covariance / torch.tensor([[scale**2, scale], [scale, 1.0]], dtype=torch.float64),
        T95,
        S,
        "",
    )
    bands = squeezed.at((torch.from_numpy(GRID * scale),))
    assert bands.standard_error.numpy() == pytest.approx(textbook_error(GRID), rel=1e-9)


def test_variance_that_rounding_made_negative_counts_as_none():
    nearly_singular = torch.tensor([[1.0, 1.0 + 1e-12], [1.0 + 1e-12, 1.0]], dtype=torch.float64)
    curve = FittedCurve(LinearModel(dtype="float64"), nearly_singular, 2.0, 1.0, "")
    error = curve.at((torch.tensor([-1.0, 1.0]),)).standard_error  # variance -2e-12 at the first
    assert error.tolist() == pytest.approx([0.0, 2.0], abs=1e-6)


def test_factor_keeps_the_digits_that_a_covariance_has_lost():
    # A polynomial far from its origin: the scaled Jacobian's condition number is 2e12, its square beyond float64.
    x = np.linspace(9.0, 10.0, 60)
    design = np.stack([x**power for power in range(8)], axis=1)
    factor = np.linalg.inv(np.linalg.qr(design, mode="r"))
    covariance = torch.from_numpy(factor @ factor.T)
    curve = FittedCurve(PolynomialModel(7, dtype="float64"), covariance, 2.0, 1.0, "", factor=torch.from_numpy(factor))
    # The hat matrix's diagonal does not depend on the basis: Legendre polynomials span the same curves.
    basis, _ = np.linalg.qr(np.polynomial.legendre.legvander(2 * (x - 9.5), 7))
    expected = np.sqrt(np.square(basis).sum(axis=1))
    assert curve.at((torch.from_numpy(x),)).standard_error.numpy() == pytest.approx(expected, rel=1e-2)


def test_model_without_inputs_has_as_many_rows_as_sigma():
    Constant = partial(OwnModule, lambda self: self.level, level=5.0)
    curve = FittedCurve(Constant(), torch.tensor([[0.04]], dtype=torch.float64), 2.0, None, "", weighted=True)
    one = curve.at(()).prediction
    assert one.tolist() == [5.0]
    assert not one.requires_grad  # though the model returned its very parameter
    bands = curve.at((), torch.tensor([0.1, 0.2, 0.3]))
    assert bands.prediction.tolist() == [5.0] * 3
    assert bands.standard_error.tolist() == pytest.approx([0.2] * 3)
