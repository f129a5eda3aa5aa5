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


@pytest.mark.parametrize("value", [0.0, 3.0])
def test_values_without_spread_can_be_drawn(value: float) -> None:
    low, high = observed_figure(torch.full((4,), value), torch.full((4,), value), "y").axes[0].get_xlim()
    assert low < value < high
