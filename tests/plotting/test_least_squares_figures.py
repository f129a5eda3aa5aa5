"""Pictures of a least-squares fit: what is drawn against what, and over which spread."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from numpy.typing import NDArray
from scipy.stats import median_abs_deviation

from paramfit import EstimationDataModule, FittedCurve, FormulaModel, Observations, fit
from paramfit.objectives import HuberError, Objective, SquaredError
from paramfit.plotting.least_squares_figures import bands_on, curve_figures, without_prediction_band

N = 41
X, Z = np.linspace(0, 4, N), np.cos(np.arange(N))
NOISE = 0.1 * np.random.default_rng(3).normal(size=N)
HELD_OUT = np.arange(N) % 5 == 0


class Given(EstimationDataModule):
    """Observations that are there already."""

    def __init__(self, target: NDArray[np.float64], *inputs: NDArray[np.float64], sigma: object = None) -> None:
        super().__init__()
        known_sigma = None if sigma is None else torch.as_tensor(sigma, dtype=torch.float64).expand(N)
        self.given = Observations(tuple(map(torch.from_numpy, inputs)), torch.from_numpy(target), known_sigma)
        self.setup("fit")

    def read(self) -> Observations:
        return self.given


def line() -> FormulaModel:
    return FormulaModel("a + b * x", ["x"], {"a": 0.0, "b": 0.0})


def curve_of(data: Given, objective: Objective, sigma_is: str = "absolute") -> FittedCurve:
    curve = fit(line(), data.raw, objective=objective, sigma_is=sigma_is).curve
    assert curve is not None
    return curve


def heights(axes: Axes) -> NDArray[np.float64]:
    return np.concatenate([np.asarray(group.get_offsets())[:, 1] for group in axes.collections])


@pytest.mark.parametrize("sigma", [None, np.linspace(0.5, 2, N)], ids=["unweighted", "relative sigma"])
def test_residuals_of_a_robust_fit_are_over_their_median_size(sigma):
    target = 1 + 2 * X + NOISE
    target[[3, 20]] += 5.0
    data = Given(target, X, sigma=sigma)
    result = fit(
        line(), data.raw, objective=HuberError(scale=0.1), sigma_is="absolute" if sigma is None else "relative"
    )
    axes = curve_figures(result, data.described)["residuals"]().axes[0]
    a, b = (result.parameters[name].estimate for name in "ab")
    residual = (target - a - b * X) / (1.0 if sigma is None else sigma)
    assert heights(axes) == pytest.approx(
        residual / median_abs_deviation(residual, center=lambda r, axis: 0 * r.sum(axis), scale="normal"), rel=1e-4
    )
    assert axes.get_ylabel().startswith("standardised residual\n(over 1.4826 times their median size)")


def test_held_out_outliers_do_not_widen_the_spread_of_a_robust_fit():
    target = 1 + 2 * X + NOISE
    data = Given(target, X)
    result = fit(line(), data.raw, objective=HuberError(scale=0.1))
    target[HELD_OUT] += 100.0
    described = replace(Given(target, X).described, held_out=torch.from_numpy(HELD_OUT))
    figure = curve_figures(result, described)["residuals"]()
    assert np.median(np.abs(heights(figure.axes[0])[: N - HELD_OUT.sum()])) == pytest.approx(1 / 1.4826, rel=1e-4)


def test_residuals_of_a_plain_fit_are_over_the_residual_standard_deviation():
    data = Given(1 + 2 * X + NOISE, X)
    axes = curve_figures(fit(line(), data.raw), data.described)["residuals"]().axes[0]
    residual = NOISE - np.polyval(np.polyfit(X, NOISE, 1), X)
    assert heights(axes) == pytest.approx(residual / np.sqrt((residual**2).sum() / (N - 2)), rel=1e-6)
    assert axes.get_ylabel() == "standardised residual"


def test_each_of_several_inputs_has_its_residuals():
    plane = FormulaModel("a + b * x + c * z", ["x", "z"], {"a": 0.0, "b": 0.0, "c": 0.0})
    data = Given(1 + 2 * X - Z + NOISE, X, Z)
    figures = {name: make() for name, make in curve_figures(fit(plane, data.raw), data.described).items()}
    assert set(figures) == {"residuals", "residuals_by_input", "observed"}
    panels = figures["residuals_by_input"].axes
    assert [axes.get_xlabel() for axes in panels] == ["input_0", "input_1"]
    for axes, column in zip(panels, (X, Z), strict=True):
        (points,) = (np.asarray(group.get_offsets()) for group in axes.collections)
        assert points[:, 0] == pytest.approx(column)
        assert points[:, 1] == pytest.approx(heights(figures["residuals"].axes[0]))


@pytest.mark.parametrize(("objective", "sigma", "sigma_is", "words"), [
    (SquaredError(), None, "absolute", None),
    (SquaredError(), 0.1, "absolute", None),
    (SquaredError(), np.linspace(0.1, 0.2, N), "absolute", "sigma differs by row"),
    (HuberError(), None, "absolute", "a robust loss"),
    (HuberError(), 0.1, "relative", "a robust loss"),
    (HuberError(), 0.1, "absolute", None),
], ids=["plain", "one sigma", "sigma by row", "robust", "robust, relative sigma", "robust, known sigma"])  # fmt: skip
def test_a_missing_prediction_band_is_explained(objective, sigma, sigma_is, words):
    data = Given(1 + 2 * X + NOISE, X, sigma=sigma)
    curve = curve_of(data, objective, sigma_is)
    reason = without_prediction_band(curve, data.described)
    assert (bands_on(curve, data.described, data.raw.inputs[0]).prediction_band is None) == (reason is not None)
    assert (reason or "").startswith("no prediction band" if words else "")
    assert (words or "") in (reason or "")
