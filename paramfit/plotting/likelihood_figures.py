"""Pictures of a fitted distribution, and of how far its errors can be trusted."""

from collections.abc import Sequence

import torch
from matplotlib.figure import Figure
from torch import nn
from torch.distributions import Distribution

from paramfit.data.columns import DescribedData
from paramfit.inference.ladder.rungs import Ladder
from paramfit.inference.profile.profiles import PairProfile
from paramfit.plotting import (
    contour_figure,
    correlation_figure,
    histogram_figure,
    profile_figure,
    quantile_figure,
    quantile_residual_figure,
    quantile_residuals,
)
from paramfit.results.record import Record

__all__ = ["distribution_figures", "ladder_figures"]


def distribution_figures(model: nn.Module, result: Record, data: DescribedData, title: str) -> dict[str, Figure]:
    """Histogram and quantiles of a sample; of a regression the quantiles of its residuals; and the correlations."""
    if result.likelihood is None:
        return {}
    raw, held_out = data.every, data.held_out
    figures: dict[str, Figure] = {}
    dtype = next(model.parameters()).dtype
    with torch.no_grad():
        fitted = model(*(x.to(dtype) for x in raw.inputs))
    if not isinstance(fitted, Distribution):
        return {}
    target = raw.target.double()
    if raw.inputs and raw.censoring is None:
        figures["residual_quantiles"] = quantile_residual_figure(quantile_residuals(fitted, target), title, held_out)
    elif raw.censoring is None:  # a bound has no place in a histogram or among quantiles
        figures["histogram"] = histogram_figure(target, fitted, data.labels, title)
        figures["quantiles"] = quantile_figure(target, fitted, data.columns.target, title, held_out)
    if result.correlation is not None and len(result.correlation.parameters) > 1:
        matrix = torch.tensor(result.correlation.matrix, dtype=torch.float64)
        figures["correlation"] = correlation_figure(result.correlation.parameters, matrix)
    return figures


def ladder_figures(ladder: Ladder, pairs: Sequence[PairProfile], result: Record, title: str) -> dict[str, Figure]:
    """Profiles beside their parabolas, and contours of pairs."""
    figures: dict[str, Figure] = {}
    units = {name: estimate.unit for name, estimate in result.parameters.items()}
    if ladder.profiles:
        errors = {name: estimate.standard_error for name, estimate in result.parameters.items()}
        profiles = list(ladder.profiles.values())
        statistics = result.least_squares
        if statistics is not None and statistics["sigma_is"] != "absolute":
            figures["profile"] = profile_figure(profiles, errors, title, units, quantity="(RSS − RSS$_{min}$) / s²")
        else:
            figures["profile"] = profile_figure(profiles, errors, title, units)
    if pairs and result.covariance is not None:
        matrix = torch.tensor(result.covariance.matrix, dtype=torch.float64)
        figures["contours"] = contour_figure(pairs, result.covariance.parameters, matrix, title, units)
    return figures
