"""Figures of results."""

from paramfit.plotting.correlation import correlation_figure
from paramfit.plotting.density import density_figure
from paramfit.plotting.fit import fit_figure, scatter_figure
from paramfit.plotting.fitted import observed_figure
from paramfit.plotting.image import pixels, save_png
from paramfit.plotting.loss_surface import loss_on_grid, loss_surface_figure
from paramfit.plotting.residuals import residuals_figure

__all__ = [
    "correlation_figure",
    "density_figure",
    "fit_figure",
    "loss_on_grid",
    "loss_surface_figure",
    "observed_figure",
    "pixels",
    "residuals_figure",
    "save_png",
    "scatter_figure",
]
