"""Observed against fitted values."""

import pytest
import torch

from paramfit.plotting import observed_figure

FITTED, TARGET = torch.tensor([1.0, 2.0, 4.0]), torch.tensor([0.5, 2.5, 6.0])


def test_each_row_is_a_point_fitted_across_and_observed_up() -> None:
    axes = observed_figure(FITTED, TARGET, "yield (kg)").axes[0]
    (dots,) = axes.collections
    assert dots.get_offsets().tolist() == [[1.0, 0.5], [2.0, 2.5], [4.0, 6.0]]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("yield (kg): fitted", "yield (kg): observed")


def test_identity_line_crosses_the_whole_square() -> None:
    axes = observed_figure(FITTED, TARGET, "yield").axes[0]
    (line,) = axes.lines
    assert line.get_label() == "observed = fitted"
    assert list(line.get_xdata()) == list(line.get_ydata()) == list(axes.get_xlim())
    assert axes.get_xlim() == axes.get_ylim()
    assert axes.get_xlim()[0] < 0.5 < 6.0 < axes.get_xlim()[1]
    assert axes.get_aspect() == 1.0


def test_held_out_rows_are_told_apart() -> None:
    axes = observed_figure(FITTED, TARGET, "yield", torch.tensor([False, False, True])).axes[0]
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["observed = fitted", "training", "held out"]
    assert axes.collections[1].get_offsets().tolist() == [[4.0, 6.0]]


@pytest.mark.parametrize("value", [0.0, 3.0])
def test_values_without_spread_can_be_drawn(value: float) -> None:
    low, high = observed_figure(torch.full((4,), value), torch.full((4,), value), "y").axes[0].get_xlim()
    assert low < value < high
