"""The heat map of correlations."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from paramfit.plotting import correlation_figure, pixels

PAIR = torch.tensor([[1.0, -0.25], [-0.25, 1.0]], dtype=torch.float64)


def numbers(figure: Figure) -> dict[tuple[int, int], str]:
    """What is written in the cells, by row and column."""
    return {
        (round(text.get_position()[1]), round(text.get_position()[0])): text.get_text() for text in figure.axes[0].texts
    }


def labels(figure: Figure) -> list[str]:
    return [label.get_text() for label in figure.axes[0].get_yticklabels()]


def test_map_holds_the_correlations_on_a_scale_from_minus_one_to_one() -> None:
    axes = correlation_figure(["b1", "b2"], PAIR).axes[0]
    (image,) = axes.images
    assert np.asarray(image.get_array()).tolist() == PAIR.tolist()
    assert image.get_clim() == (-1.0, 1.0)


def test_zero_is_pale_and_the_ends_are_opposite_colours() -> None:
    (image,) = correlation_figure(["b1", "b2"], PAIR).axes[0].images
    low, middle, high = (image.cmap(image.norm(value))[:3] for value in (-1.0, 0.0, 1.0))
    assert min(middle) > 0.9
    assert low[2] > low[0]  # blue
    assert high[0] > high[2]  # red


def test_both_axes_carry_the_names() -> None:
    figure = correlation_figure(["b1", "b2"], PAIR)
    assert labels(figure) == ["b1", "b2"]
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["b1", "b2"]
    assert figure.axes[1].get_ylabel() == "correlation"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (-0.25, "-0.25"),
        (0.304, "0.30"),
        (-0.001, "0.00"),
        (0.9951, "0.995"),
        (-0.99998, "-0.99998"),
        (0.99999999, "1"),
        (-1.0, "-1"),
        (float("nan"), "?"),
    ],
)
def test_numbers_in_the_cells_do_not_round_to_one(value: float, text: str) -> None:
    figure = correlation_figure(["b1", "b2"], torch.tensor([[1.0, value], [value, 1.0]], dtype=torch.float64))
    assert numbers(figure) == {(0, 0): "1", (0, 1): text, (1, 0): text, (1, 1): "1"}


def test_correlation_that_is_not_known_is_grey() -> None:
    unknown = PAIR.clone()
    unknown[0, 1] = unknown[1, 0] = torch.nan
    image = correlation_figure(["b1", "b2"], unknown).axes[0].images[0]
    red, green, blue, _ = image.cmap(np.ma.masked_invalid([np.nan]))[0]
    assert red == green == blue == pytest.approx(0.85)


@pytest.mark.parametrize(("p", "written"), [(12, True), (13, False)])
def test_numbers_are_written_up_to_twelve_parameters(p: int, written: bool) -> None:
    figure = correlation_figure([f"b{k}" for k in range(p)], torch.eye(p))
    assert len(numbers(figure)) == (p * p if written else 0)


@pytest.mark.parametrize("p", [2, 12, 40], ids=lambda p: f"{p} parameters")
def test_names_do_not_overlap(p: int) -> None:
    figure = correlation_figure([f"coefficient_{k}" for k in range(p)], torch.eye(p))
    pixels(figure)  # lays the figure out
    for ticks in (figure.axes[0].get_yticklabels(), figure.axes[0].get_xticklabels()):
        boxes = [label.get_window_extent() for label in ticks]
        assert len(boxes) == p
        assert not any(one.overlaps(other) for one, other in pairwise(boxes))


def test_above_forty_parameters_every_second_name_is_written() -> None:
    figure = correlation_figure([f"b{k}" for k in range(70)], torch.eye(70))
    assert labels(figure) == [f"b{k}" for k in range(0, 70, 2)]
