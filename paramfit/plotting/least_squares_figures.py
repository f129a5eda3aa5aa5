"""Pictures of a least-squares fit that knows how uncertain it is."""

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from paramfit.data.columns import DescribedData
from paramfit.inference.bands import Bands, FittedCurve, FittedMean
from paramfit.plotting import observed_figure, residuals_figure
from paramfit.plotting.residuals import residuals_by_input_figure
from paramfit.results.record import Record

__all__ = ["bands_on", "curve_figures", "without_prediction_band"]

_NORMAL = 1.4826  # 1 / Phi^-1(3/4): by it the median size of normal residuals is their standard deviation


def curve_figures(result: Record, data: DescribedData, title: str | None = None) -> dict[str, Callable[[], Figure]]:
    """What draws residuals and (for several inputs) residuals by input, and observed against fitted.

    Nothing without a curve.
    """
    curve, raw, columns, held_out = result.curve, data.raw, data.columns, data.held_out
    if curve is None or result.least_squares is None:
        return {}
    figures: dict[str, Callable[[], Figure]] = {}
    fitted = curve.at(data.every.inputs, raw.sigma).prediction.expand(raw.target.shape)
    residuals, name = _standardized(curve, raw.target.double() - fitted, raw.sigma, ~held_out)
    if not raw.inputs:  # all fitted values are one
        x, label = torch.arange(raw.n, dtype=torch.float64), "row, from 0"
    elif len(raw.inputs) == 1:
        x, label = raw.inputs[0], data.labels.input
    else:
        x, label = fitted, f"fitted {columns.target}"
    figures["residuals"] = partial(residuals_figure, x, residuals, label, name, held_out, title)
    if len(raw.inputs) > 1:
        each = (raw.inputs, residuals, columns.inputs, name, held_out, title)
        figures["residuals_by_input"] = partial(residuals_by_input_figure, *each)
        target = raw.target.double()
        figures["observed"] = partial(observed_figure, fitted, target, columns.target, held_out, title)
    return figures


def bands_on(curve: FittedCurve, data: DescribedData, grid: Tensor) -> Bands:
    """The bands over a grid of raw inputs; with a prediction band only where one sigma holds for all observations."""
    shift, scale = data.statistics[0] if data.statistics else (0.0, 1.0)
    sigma = data.raw.sigma
    same = None if sigma is None or not bool((sigma == sigma[0]).all()) else sigma[0].double().expand(grid.shape)
    return curve.at(((grid.double() - shift) * scale,), same)


def without_prediction_band(curve: FittedCurve, data: DescribedData) -> str | None:
    """Why ``bands_on`` gives no prediction band, in a few words for a legend; None where it gives one."""
    sigma = data.raw.sigma
    if isinstance(curve, FittedMean):
        return None
    if curve.noise is not None and math.isnan(curve.noise):
        return "no prediction band: a robust loss\ndoes not say how new rows scatter"
    if sigma is not None and not bool((sigma == sigma[0]).all()):
        return "no prediction band:\nsigma differs by row"
    return None


def _standardized(curve: FittedCurve, residual: Tensor, sigma: Tensor | None, trained: Tensor) -> tuple[Tensor, str]:
    """Residuals ``(n,)`` over the standard deviation of an observation, and what to call them.

    Where outliers are no part of it and it is not known, it is 1.4826 times the median size of those that trained.
    """
    label = "standardised residual"
    weighed = residual if sigma is None else residual / sigma.double()
    if curve.noise is None:
        spread = 1.0
    elif not math.isnan(curve.noise):
        spread = curve.noise
    else:
        spread = _NORMAL * float(np.median(weighed[trained].abs().numpy()))
        label += f"\n(over {_NORMAL:g} times their median size)"
    return weighed / spread if spread > 0 else torch.zeros_like(weighed), label
