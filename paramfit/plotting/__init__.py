"""Figures of results."""

from paramfit.plotting.contour import contour_figure
from paramfit.plotting.correlation import correlation_figure
from paramfit.plotting.density import density_figure, histogram_figure
from paramfit.plotting.fit import fit_figure, scatter_figure
from paramfit.plotting.image import pixels, save_png
from paramfit.plotting.loss_curve import loss_curve_figure
from paramfit.plotting.loss_grid import loss_on_grid
from paramfit.plotting.loss_surface import loss_surface_figure
from paramfit.plotting.profile import profile_figure
from paramfit.plotting.quantiles import quantile_figure, quantile_residual_figure, quantile_residuals
from paramfit.plotting.residuals import observed_figure, residuals_figure

__all__ = [
    "contour_figure",
    "correlation_figure",
    "density_figure",
    "fit_figure",
    "histogram_figure",
    "loss_curve_figure",
    "loss_on_grid",
    "loss_surface_figure",
    "observed_figure",
    "pixels",
    "profile_figure",
    "quantile_figure",
    "quantile_residual_figure",
    "quantile_residuals",
    "residuals_figure",
    "save_png",
    "scatter_figure",
]
