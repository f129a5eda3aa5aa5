"""Pictures of a least-squares fit that knows how uncertain it is."""

import math

import torch
from matplotlib.figure import Figure
from torch import Tensor

from paramfit.data import EstimationDataModule
from paramfit.estimates import Bands, FitResult, FittedCurve
from paramfit.plotting import correlation_figure, observed_figure, residuals_figure

__all__ = ["bands_on", "curve_figures"]


def curve_figures(result: FitResult, data: EstimationDataModule, held_out: Tensor) -> dict[str, Figure]:
    """Residuals, correlations, and (for several inputs) observed against fitted.

    Args:
        result: of the fit; without a curve there is no picture.
        data: all rows.
        held_out: ``(n,)``, True for rows that did not train.
    """
    curve, raw, columns = result.curve, data.raw, data.columns
    if curve is None:
        return {}
    figures: dict[str, Figure] = {}
    fitted = curve.at(data.every.inputs, raw.sigma).prediction.expand(raw.target.shape)
    one = len(raw.inputs) == 1
    figures["residuals"] = residuals_figure(
        raw.inputs[0] if one else fitted,
        _standardized(curve, raw.target.double() - fitted, raw.sigma),
        data.labels.input if one else f"fitted {columns.target}",
        "standardised residual",
        held_out,
    )
    if len(raw.inputs) > 1:
        figures["observed"] = observed_figure(fitted, raw.target.double(), columns.target, held_out)
    if result.correlation is not None and len(result.correlation["parameters"]) > 1:
        matrix = torch.tensor(result.correlation["matrix"], dtype=torch.float64)
        figures["correlation"] = correlation_figure(result.correlation["parameters"], matrix)
    return figures


def bands_on(curve: FittedCurve, data: EstimationDataModule, grid: Tensor) -> Bands:
    """The bands over a grid of raw inputs; with a prediction band only where one sigma holds for all observations."""
    shift, scale = data.statistics[0]
    sigma = data.raw.sigma
    same = None if sigma is None or not bool((sigma == sigma[0]).all()) else sigma[0].double().expand(grid.shape)
    return curve.at(((grid.double() - shift) * scale,), same)


def _standardized(curve: FittedCurve, residual: Tensor, sigma: Tensor | None) -> Tensor:
    """Residuals over the standard deviation of an observation; over their own where it is not known."""
    deviation = torch.ones_like(residual) if sigma is None else sigma.double()
    if curve.noise is not None and not math.isnan(curve.noise):
        deviation = deviation * curve.noise
    elif sigma is None or curve.noise is not None:
        deviation = deviation * residual.std()
    return torch.where(deviation > 0, residual / torch.where(deviation > 0, deviation, 1.0), 0.0)
