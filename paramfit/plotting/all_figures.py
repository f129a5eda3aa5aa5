"""All figures that a fit has."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.distributions import Distribution

from paramfit.data.columns import DescribedData
from paramfit.distributions.center import mean_of, median_of
from paramfit.distributions.support import support_of
from paramfit.inference.ladder.rungs import Ladder
from paramfit.inference.profile.profiles import PairProfile
from paramfit.objectives import Objective
from paramfit.plotting.contour import contour_figure
from paramfit.plotting.density import density_figure, histogram_figure
from paramfit.plotting.fit import fit_figure, scatter_figure
from paramfit.plotting.least_squares_figures import (
    bands_on,
    correlation_figures,
    curve_figures,
    without_prediction_band,
)
from paramfit.plotting.loss_surface import loss_surface_figure
from paramfit.plotting.profile import profile_figure
from paramfit.plotting.quantiles import quantile_figure, quantile_residual_figure, quantile_residuals
from paramfit.results.record import Record

__all__ = ["Descent", "fit_figures"]


@dataclass(frozen=True)
class Descent:
    """How a fit came to its end.

    Attributes:
        updates: how many it made.
        path: points of it, each ``(p,)``, where it was followed; it is drawn for one or two scalar parameters.
        diverged: whether it ended far from anything.
    """

    updates: int
    path: tuple[Tensor, ...] = ()
    diverged: bool = False


def fit_figures(
    model: nn.Module,
    objective: Objective,
    data: DescribedData,
    descent: Descent,
    result: Record | None = None,
    ladder: Ladder | None = None,
    pairs: Sequence[PairProfile] = (),
) -> dict[str, Figure]:
    """The figures by the names of their files.

    The model, at the end of the fit, is left as it is. Without a result there are no bands, residuals, correlations and
    quantiles; the ladder gives the profiles, and the profiled deviances of pairs of parameters the contours.
    """
    model = copy.deepcopy(model).cpu().eval()
    raw = data.raw
    figures: dict[str, Figure] = {}
    finite = all(bool(torch.isfinite(parameter).all()) for parameter in model.parameters())
    diverged = descent.diverged or not finite
    title = f"{'diverged ' if diverged else ''}after {descent.updates} updates"
    if len(raw.inputs) == 1:
        figures |= _over_the_input(model, data, result, title, diverged=diverged)
    elif not raw.inputs and not diverged and raw.censoring is None:
        with torch.no_grad():
            fitted = model()
        if isinstance(fitted, Distribution) and not support_of(fitted).discrete:
            figures["density"] = density_figure(raw.target, fitted, data.labels, title)
    if result is not None:
        figures |= curve_figures(result, data)
        if not diverged:
            figures |= _distribution_figures(model, result, data, title)
        if ladder is not None:
            figures |= _ladder_figures(ladder, pairs, result, title)
    if len(descent.path) > 1:
        trained = data.every.rows(~data.held_out).to(next(model.parameters()).dtype)
        surface = loss_surface_figure(model, objective, trained, torch.stack(descent.path), title)
        if surface is not None:
            figures["loss_surface"] = surface
    return figures


def _over_the_input(
    model: nn.Module, data: DescribedData, result: Record | None, title: str, *, diverged: bool
) -> dict[str, Figure]:
    """The observations over the only input, and the fitted curve with its bands."""
    raw = data.raw
    figures = {"scatter": scatter_figure(raw.inputs[0], raw.target, data.labels, data.held_out, raw.censoring)}
    grid = torch.linspace(raw.inputs[0].min().item(), raw.inputs[0].max().item(), 300, dtype=raw.target.dtype)
    curve, label = (None, "fit") if diverged else _curve(model, data, grid)
    if curve is not None and bool(torch.isfinite(curve).all()):
        banded = None if result is None or label != "fit" else result.curve
        figures["fit"] = fit_figure(
            raw.inputs[0],
            raw.target,
            grid,
            curve,
            data.labels,
            title,
            data.held_out,
            None if banded is None else bands_on(banded, data, grid),
            raw.sigma,
            label,
            raw.censoring,
            None if banded is None else without_prediction_band(banded, data),
        )
    return figures


def _distribution_figures(model: nn.Module, result: Record, data: DescribedData, title: str) -> dict[str, Figure]:
    """Histogram and quantiles of a sample; of a regression the quantiles of its residuals; and the correlations."""
    if result.likelihood is None:
        return {}
    raw, held_out = data.every, data.held_out
    dtype = next(model.parameters()).dtype
    with torch.no_grad():
        fitted = model(*(x.to(dtype) for x in raw.inputs))
    if not isinstance(fitted, Distribution):
        return {}
    figures, target = {}, raw.target.double()
    if raw.inputs and raw.censoring is None:
        figures["residual_quantiles"] = quantile_residual_figure(quantile_residuals(fitted, target), title, held_out)
    elif raw.censoring is None:  # a bound has no place in a histogram or among quantiles
        figures["histogram"] = histogram_figure(target, fitted, data.labels, title)
        figures["quantiles"] = quantile_figure(target, fitted, data.columns.target, title, held_out)
    return figures | correlation_figures(result)


def _ladder_figures(ladder: Ladder, pairs: Sequence[PairProfile], result: Record, title: str) -> dict[str, Figure]:
    """Profiles beside their parabolas, and contours of pairs."""
    figures: dict[str, Figure] = {}
    units = {name: estimate.unit for name, estimate in result.parameters.items()}
    if ladder.profiles:
        errors = {name: estimate.standard_error for name, estimate in result.parameters.items()}
        profiles, statistics = list(ladder.profiles.values()), result.least_squares
        if statistics is not None and statistics["sigma_is"] != "absolute":
            figures["profile"] = profile_figure(profiles, errors, title, units, quantity="(RSS − RSS$_{min}$) / s²")
        else:
            figures["profile"] = profile_figure(profiles, errors, title, units)
    if pairs and result.covariance is not None:
        matrix = torch.tensor(result.covariance.matrix, dtype=torch.float64)
        figures["contours"] = contour_figure(pairs, result.covariance.parameters, matrix, title, units)
    return figures


def _curve(model: nn.Module, data: DescribedData, grid: Tensor) -> tuple[Tensor | None, str]:
    """The prediction over the raw input's range, or None, and what it is called.

    Of a distribution it is the mean; the median, if that is not finite.
    """
    shift, scale = data.statistics[0] if data.statistics else (0.0, 1.0)
    dtype = next(model.parameters()).dtype
    try:
        with torch.no_grad():
            predicted = model(((grid - shift) * scale).to(dtype))
    except RuntimeError:
        return None, "fit"  # a model that takes just as many rows as the data have
    label = "fit"
    if isinstance(predicted, Distribution):
        mean = mean_of(predicted)
        if mean is not None and not bool(mean.isfinite().any()):
            mean, label = median_of(predicted), "fit (median)"
        predicted = mean
    return (predicted if predicted is not None and predicted.shape == grid.shape else None), label
