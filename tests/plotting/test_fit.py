"""Data, and data with the fitted curve."""

import pytest
import torch
from matplotlib.collections import PathCollection, PolyCollection
from matplotlib.figure import Figure

from paramfit.inference.bands import Bands
from paramfit.plotting import fit_figure, scatter_figure
from tests.thermometer import CELSIUS, READINGS

X, Y = torch.tensor(READINGS), torch.tensor(CELSIUS)
LABELS = ("Temperature (°Fahrenheit)", "Temperature (°Celsius)")
HELD_OUT = torch.zeros(11, dtype=torch.bool)
HELD_OUT[[2, 7]] = True
CURVE_X = torch.linspace(20, 90, 50)


def dots(figure: Figure) -> dict[str, list[tuple[float, float]]]:
    """What is drawn as points, by its name in the legend."""
    actual = {}
    for collection in figure.axes[0].collections:
        assert isinstance(collection, PathCollection)
        actual[str(collection.get_label())] = [(float(x), float(y)) for x, y in collection.get_offsets()]
    return actual


def pairs(rows: list[int]) -> list[tuple[float, float]]:
    return [pytest.approx((READINGS[row], CELSIUS[row]), rel=1e-6) for row in rows]


def legend(figure: Figure) -> list[str]:
    drawn = figure.axes[0].get_legend()
    return [] if drawn is None else [text.get_text() for text in drawn.get_texts()]


def test_held_out_rows_are_told_from_training_rows():
    drawn_points = dots(scatter_figure(X, Y, LABELS, HELD_OUT))
    assert drawn_points["held out"] == pairs([2, 7])
    assert drawn_points["training"] == pairs([0, 1, 3, 4, 5, 6, 8, 9, 10])


def test_fit_draws_the_curve_where_it_is_told_to():
    figure = fit_figure(X, Y, CURVE_X, 0.5 * CURVE_X - 17, LABELS, "after 5000 updates", HELD_OUT)
    (curve,) = figure.axes[0].lines
    assert torch.equal(torch.as_tensor(curve.get_xdata()), CURVE_X)
    assert torch.equal(torch.as_tensor(curve.get_ydata()), 0.5 * CURVE_X - 17)
    assert figure.axes[0].get_title() == "after 5000 updates"
    assert legend(figure) == ["fit", "training", "held out"]


def bands(width: float, wide: float | None) -> Bands:
    center = 0.5 * CURVE_X - 17
    far = None if wide is None else (center - wide, center + wide)
    return Bands(center, torch.full_like(center, width / 2), (center - width, center + width), far)


def shaded(figure: Figure) -> dict[str, float]:
    """Height of each shaded band at the left end, by its name in the legend."""
    actual = {}
    for collection in figure.axes[0].collections:
        if isinstance(collection, PolyCollection):
            vertices = collection.get_paths()[0].vertices
            left = vertices[vertices[:, 0] == vertices[:, 0].min()][:, 1]
            actual[str(collection.get_label())] = float(left.max() - left.min())
    return actual


def drawn_with(shown: Bands | None, sigma: torch.Tensor | None = None) -> Figure:
    return fit_figure(X, Y, CURVE_X, 0.5 * CURVE_X - 17, LABELS, "after 3 iterations", None, shown, sigma)


def test_both_bands_are_shaded_and_named():
    figure = drawn_with(bands(1.0, 4.0))
    assert shaded(figure) == {"95 % confidence band": pytest.approx(2.0), "95 % prediction band": pytest.approx(8.0)}
    assert legend(figure) == ["fit", "95 % confidence band", "95 % prediction band", "observations"]


def test_band_far_wider_than_the_data_does_not_squeeze_them():
    low, high = drawn_with(bands(1e5, 1e6)).axes[0].get_ylim()
    assert high - low <= 3 * (max(CELSIUS) - min(CELSIUS))


def test_band_without_an_end_can_be_drawn():
    shown = bands(float("nan"), float("inf"))
    low, high = drawn_with(shown).axes[0].get_ylim()
    assert low < min(CELSIUS) < max(CELSIUS) < high
