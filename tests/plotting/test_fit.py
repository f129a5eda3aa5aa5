"""Data, and data with the fitted curve."""

import pytest
import torch
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

from paramfit.plotting import fit_figure, scatter_figure
from tests.thermometer import CELSIUS, READINGS

X, Y = torch.tensor(READINGS), torch.tensor(CELSIUS)
LABELS = ("Temperature (°Fahrenheit)", "Temperature (°Celsius)")
HELD_OUT = torch.zeros(11, dtype=torch.bool)
HELD_OUT[[2, 7]] = True
CURVE_X = torch.linspace(20, 90, 50)


def dots(figure: Figure) -> dict[str, list[tuple[float, float]]]:
    """What is drawn as points, by its name in the legend."""
    found = {}
    for collection in figure.axes[0].collections:
        assert isinstance(collection, PathCollection)
        found[str(collection.get_label())] = [(float(x), float(y)) for x, y in collection.get_offsets()]
    return found


def pairs(rows: list[int]) -> list[tuple[float, float]]:
    return [pytest.approx((READINGS[row], CELSIUS[row]), rel=1e-6) for row in rows]


def legend(figure: Figure) -> list[str]:
    drawn = figure.axes[0].get_legend()
    return [] if drawn is None else [text.get_text() for text in drawn.get_texts()]


@pytest.mark.parametrize(
    "figure",
    [scatter_figure(X, Y, LABELS), fit_figure(X, Y, CURVE_X, CURVE_X, LABELS, "a line")],
    ids=["scatter", "fit"],
)
def test_axes_carry_names_and_units(figure: Figure) -> None:
    axes = figure.axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == LABELS


def test_scatter_draws_every_observation() -> None:
    assert dots(scatter_figure(X, Y, LABELS)) == {"observations": pairs(list(range(11)))}


def test_scatter_of_one_kind_needs_no_legend_and_of_two_has_one() -> None:
    assert legend(scatter_figure(X, Y, LABELS)) == []
    assert legend(scatter_figure(X, Y, LABELS, torch.zeros(11, dtype=torch.bool))) == []
    assert legend(scatter_figure(X, Y, LABELS, HELD_OUT)) == ["training", "held out"]


def test_held_out_rows_are_told_from_training_rows() -> None:
    found = dots(scatter_figure(X, Y, LABELS, HELD_OUT))
    assert found["held out"] == pairs([2, 7])
    assert found["training"] == pairs([0, 1, 3, 4, 5, 6, 8, 9, 10])


def test_fit_draws_the_curve_where_it_is_told_to() -> None:
    figure = fit_figure(X, Y, CURVE_X, 0.5 * CURVE_X - 17, LABELS, "after 5000 updates", HELD_OUT)
    (curve,) = figure.axes[0].lines
    assert torch.equal(torch.as_tensor(curve.get_xdata()), CURVE_X)
    assert torch.equal(torch.as_tensor(curve.get_ydata()), 0.5 * CURVE_X - 17)
    assert figure.axes[0].get_title() == "after 5000 updates"
    assert legend(figure) == ["fit", "training", "held out"]


def test_curve_that_leaves_the_data_does_not_squeeze_them() -> None:
    figure = fit_figure(X, Y, CURVE_X, 1e6 * CURVE_X, LABELS, "too steep")
    low, high = figure.axes[0].get_ylim()
    assert low < min(CELSIUS)
    assert high > max(CELSIUS)
    assert high - low < 2 * (max(CELSIUS) - min(CELSIUS))


def test_targets_of_one_value_can_be_drawn() -> None:
    low, high = fit_figure(X, torch.ones(11), CURVE_X, CURVE_X, LABELS, "flat").axes[0].get_ylim()
    assert low < 1 < high
