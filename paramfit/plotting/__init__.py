"""Figures of results."""

from paramfit.plotting.density import density_figure
from paramfit.plotting.fit import fit_figure, scatter_figure
from paramfit.plotting.image import pixels, save_png
from paramfit.plotting.loss_surface import loss_on_grid, loss_surface_figure

__all__ = [
    "density_figure",
    "fit_figure",
    "loss_on_grid",
    "loss_surface_figure",
    "pixels",
    "save_png",
    "scatter_figure",
]
