"""Observations as points."""

import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer

from paramfit.distributions import Censoring
from paramfit.observations import Censored
from paramfit.plotting.image import new_figure
from paramfit.plotting.points import draw_bounds, draw_points, shown_rows

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
