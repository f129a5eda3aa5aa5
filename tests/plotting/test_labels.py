"""Names of columns, whatever is in them."""

import pytest
import torch
from matplotlib.figure import Figure

from paramfit.plotting import fit_figure, observed_figure, pixels, residuals_figure, scatter_figure

VALUES = torch.linspace(0, 1, 5)
NAME = r"$cost_$ of \frac{"  # between dollar signs matplotlib would read a formula, and fail


@pytest.mark.parametrize(
    "figure",
    [
        scatter_figure(VALUES, VALUES, (NAME, NAME)),
        fit_figure(VALUES, VALUES, VALUES, VALUES, (NAME, NAME), "after 3 iterations"),
        observed_figure(VALUES, VALUES, NAME),
        residuals_figure(VALUES, VALUES, NAME, NAME),
    ],
    ids=["scatter", "fit", "observed", "residuals"],
)
def test_names_are_written_as_they_are(figure: Figure) -> None:
    pixels(figure)
    assert NAME in figure.axes[0].get_xlabel()
    assert NAME in figure.axes[0].get_ylabel()
