"""The heat map of correlations."""

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from paramfit.plotting import correlation_figure

PAIR = torch.tensor([[1.0, -0.25], [-0.25, 1.0]], dtype=torch.float64)


def numbers(figure: Figure) -> dict[tuple[int, int], str]:
    """What is written in the cells, by row and column."""
    return {
        (round(text.get_position()[1]), round(text.get_position()[0])): text.get_text() for text in figure.axes[0].texts
    }


def test_map_holds_the_correlations_on_a_scale_from_minus_one_to_one():
    axes = correlation_figure(["b1", "b2"], PAIR).axes[0]
    (image,) = axes.images
    assert np.asarray(image.get_array()).tolist() == PAIR.tolist()
    assert image.get_clim() == (-1.0, 1.0)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (-0.25, "-0.25"), (0.304, "0.30"), (-0.001, "0.00"), (0.9951, "0.995"), (-0.99998, "-0.99998"),
        (0.99999999, "1"), (-1.0, "-1"), (float("nan"), "?"),
    ],
)  # fmt: skip
def test_numbers_in_the_cells_do_not_round_to_one(value, text):
    figure = correlation_figure(["b1", "b2"], torch.tensor([[1.0, value], [value, 1.0]], dtype=torch.float64))
    assert numbers(figure) == {(0, 0): "1", (0, 1): text, (1, 0): text, (1, 1): "1"}
