"""Observations as points, and the curve through them."""

import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection, PolyCollection
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure

from paramfit.distributions import Censoring
from paramfit.inference.bands import Bands
from paramfit.observations import Censored
from paramfit.plotting import fit_figure, scatter_figure
from paramfit.plotting.image import new_figure
from paramfit.plotting.points import draw_bounds, draw_points, shown_rows
from tests.thermometer import CELSIUS, READINGS

MANY = torch.randn(50_000, generator=torch.Generator().manual_seed(5), dtype=torch.float64)


def axes() -> Axes:
    return new_figure().add_subplot()


def test_of_many_points_a_few_thousand_are_shown_the_same_each_time():
    shown = shown_rows(MANY)
    assert 2000 <= len(shown) <= 2006
    assert torch.equal(shown, shown_rows(MANY))
    assert torch.equal(shown, shown.unique())


def test_choice_does_not_follow_the_order_of_rows():
    assert torch.arange(50_000).remainder(2)[shown_rows(MANY)].double().mean().item() == pytest.approx(0.5, abs=0.05)


def test_extremes_of_every_column_are_shown():
    other = torch.randn(50_000, generator=torch.Generator().manual_seed(6), dtype=torch.float64)
    shown = set(shown_rows(MANY, other).tolist())
    for column in (MANY, other):
        order = column.argsort().tolist()
        assert shown.issuperset(order[:3] + order[-3:])


def test_error_bars_reach_one_sigma_up_and_down():
    drawn = axes()
    x, y, sigma = (torch.tensor(values) for values in ([1.0, 2.0, 3.0], [5.0, 6.0, 8.0], [0.5, 1.0, 0.25]))
    draw_points(drawn, x, y, torch.tensor([False, True, False]), sigma)
    (container,) = drawn.containers
    assert isinstance(container, ErrorbarContainer)
    assert container.get_label() == "± sigma"
    (bars,) = container.lines[2]
    ends = sorted(tuple(segment[:, 0]) + tuple(segment[:, 1]) for segment in bars.get_segments())
    assert ends == [(1.0, 1.0, 4.5, 5.5), (2.0, 2.0, 5.0, 7.0), (3.0, 3.0, 7.75, 8.25)]


def test_bounds_are_told_from_values():
    drawn = axes()
    status = torch.tensor([Censoring.OBSERVED, Censoring.RIGHT, Censoring.LEFT, Censoring.INTERVAL])
    draw_bounds(drawn, MANY[:4], MANY[4:8], Censored(status, MANY[8:12]))
    assert drawn.get_legend_handles_labels()[1] == [
        "above (right-censored)",
        "at most (left-censored)",
        "interval-censored",
    ]
    (interval,) = drawn.collections[-1].get_segments()  # type: ignore[attr-defined]
    assert interval.tolist() == [[MANY[3].item(), MANY[7].item()], [MANY[3].item(), MANY[11].item()]]


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
