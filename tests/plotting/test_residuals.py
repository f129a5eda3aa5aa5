"""Figures of residuals, and of observed against fitted values."""

import numpy as np
import pytest
import scipy.stats
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from paramfit.plotting import observed_figure, residuals_figure
from paramfit.plotting.residuals import normal_quantiles

X = torch.linspace(0, 10, 30, dtype=torch.float64)
RESIDUALS = torch.randn(30, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
HELD_OUT = torch.zeros(30, dtype=torch.bool)
HELD_OUT[[3, 11, 12, 29]] = True


def drawn(x: Tensor = X, residuals: Tensor = RESIDUALS, held_out: Tensor | None = None) -> Figure:
    return residuals_figure(x, residuals, "x (s)", "residual / sigma", held_out)


def dots(axes: Axes) -> dict[str, list[tuple[float, float]]]:
    return {str(group.get_label()): [tuple(point) for point in group.get_offsets()] for group in axes.collections}


def test_left_panel_shows_every_residual_where_it_fell():
    left = drawn().axes[0]
    assert dots(left) == {"observations": list(zip(X.tolist(), RESIDUALS.tolist(), strict=True))}
    assert (left.get_xlabel(), left.get_ylabel()) == ("x (s)", "residual / sigma")


@pytest.mark.parametrize("n", [1, 2, 5, 30], ids=lambda n: f"{n} residuals")
def test_quantiles_are_scipys(n):
    right = drawn(X[:n], RESIDUALS[:n]).axes[1]
    expected, ordered = scipy.stats.probplot(RESIDUALS[:n].numpy(), fit=False)
    actual = np.array(dots(right)["observations"])
    assert actual[:, 0] == pytest.approx(expected, abs=1e-12)
    assert actual[:, 1] == pytest.approx(ordered)


def test_quantiles_of_a_large_sample_are_scipys():
    expected, _ = scipy.stats.probplot(np.zeros(10_001), fit=False)
    assert normal_quantiles(10_001).numpy() == pytest.approx(expected, abs=1e-12)


def test_held_out_rows_have_points_and_quantiles_of_their_own():
    left, right = drawn(held_out=HELD_OUT).axes
    assert list(dots(left)) == list(dots(right)) == ["training", "held out"]
    assert [y for _, y in dots(left)["held out"]] == RESIDUALS[HELD_OUT].tolist()
    expected, ordered = scipy.stats.probplot(RESIDUALS[HELD_OUT].numpy(), fit=False)
    actual = np.array(dots(right)["held out"])
    assert actual[:, 0] == pytest.approx(expected)
    assert actual[:, 1] == pytest.approx(ordered)


def test_million_residuals_are_thinned_but_the_largest_is_shown():
    residuals = torch.randn(10**6, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    residuals[123_456] = 40.0
    left, right = drawn(torch.arange(10**6, dtype=torch.float64), residuals).axes
    for axes in (left, right):
        (points,) = dots(axes).values()
        assert 2000 <= len(points) < 3000
        assert max(y for _, y in points) == 40.0
    assert (123_456.0, 40.0) in next(iter(dots(left).values()))


def test_residuals_that_are_not_finite_can_be_drawn():
    residuals = RESIDUALS.clone()
    residuals[3:6] = torch.tensor([torch.nan, torch.inf, 40.0])
    assert drawn(residuals=residuals).axes[0].get_ylim()[1] == 80


FITTED, TARGET = torch.tensor([1.0, 2.0, 4.0]), torch.tensor([0.5, 2.5, 6.0])


def test_each_row_is_a_point_fitted_across_and_observed_up():
    axes = observed_figure(FITTED, TARGET, "yield (kg)").axes[0]
    (dots,) = axes.collections
    assert dots.get_offsets().tolist() == [[1.0, 0.5], [2.0, 2.5], [4.0, 6.0]]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("yield (kg): fitted", "yield (kg): observed")
