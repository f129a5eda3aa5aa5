"""Profiles of the likelihood beside the parabola."""

import math

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from paramfit.inference.profile.profiles import Profile
from paramfit.plotting import profile_figure

LIMIT = 1.959963984540054


def normal_mean(name: str = "location", points: int = 9) -> Profile:
    """The mean 2 of a normal sample with standard error 0.5: its profile is the parabola."""
    tau = np.linspace(-2.25, 2.25, points)
    return Profile(
        name=name,
        estimate=2.0,
        values=tuple((2.0 + 0.5 * tau).tolist()),
        tau=tuple(tau.tolist()),
        others={},
        lower=2.0 - 0.5 * LIMIT,
        upper=2.0 + 0.5 * LIMIT,
        level=0.95,
        limit=LIMIT,
    )


def poisson_mean(lower: float | None = 1.5624, upper: float | None = 6.8) -> Profile:
    """The mean of 5 counts that add up to 17."""
    values = np.linspace(1.4, 7.0, 25)
    deviance = 2 * (17 * np.log(3.4 / values) - 5 * (3.4 - values))
    tau = np.sign(values - 3.4) * np.sqrt(deviance.clip(0))
    return Profile("rate", 3.4, tuple(values.tolist()), tuple(tau.tolist()), {}, lower, upper, 0.95, LIMIT)


def drawn(*profiles: Profile, error: float | None = 0.5) -> Figure:
    return profile_figure(profiles, {each.name: error for each in profiles}, "after 3 iterations", {"rate": "1/s"})


def line(axes: Axes, label: str) -> tuple[np.ndarray, np.ndarray]:
    actual = next(line for line in axes.lines if str(line.get_label()).startswith(label))
    return np.asarray(actual.get_xdata(), dtype=float), np.asarray(actual.get_ydata(), dtype=float)


def labels(axes: Axes) -> list[str]:
    return [str(line.get_label()) for line in axes.lines]


def test_profile_of_a_normal_mean_is_the_parabola():
    axes = drawn(normal_mean()).axes[0]
    values, deviance = line(axes, "profile")
    assert len(values) > 100
    assert deviance == pytest.approx(((values - 2.0) / 0.5) ** 2, abs=1e-12)
    x, y = line(axes, "parabola")
    assert y == pytest.approx(((x - 2.0) / 0.5) ** 2, abs=1e-12)


def test_both_intervals_of_a_normal_mean_end_where_the_parabola_has_3_84():
    axes = drawn(normal_mean()).axes[0]
    for label in ("plain interval", "profile interval"):
        x, y = line(axes, label)
        assert x == pytest.approx([2.0 - 0.9799819922700268, 2.0 + 0.9799819922700268], rel=1e-12)
        assert y == pytest.approx([3.841458820694124] * 2, rel=1e-12)
    _, height = line(axes, "95 %: 3.84")
    assert height == pytest.approx([3.841458820694124] * 2)


def test_curve_between_few_points_is_the_closed_form():
    values, deviance = line(drawn(poisson_mean()).axes[0], "profile")
    assert deviance == pytest.approx(2 * (17 * np.log(3.4 / values) - 5 * (3.4 - values)), rel=1e-3, abs=1e-3)


def test_threshold_is_that_of_the_profile():
    actual = normal_mean()
    axes = drawn(Profile(**{**actual.__dict__, "limit": 2.1, "level": 0.9})).axes[0]
    assert line(axes, "90 %: 4.41")[1] == pytest.approx([4.41] * 2)


@pytest.mark.parametrize("end", [None, math.inf], ids=["not found", "infinite"])
def test_end_that_is_missing_is_said(end):
    axes = drawn(poisson_mean(upper=end)).axes[0]
    assert [text.get_text() for text in axes.texts] == ["no upper end"]
    assert line(axes, "profile interval")[0].tolist() == [1.5624]


@pytest.mark.parametrize("error", [None, math.nan, 0.0, math.inf])
def test_without_a_standard_error_there_is_no_parabola(error):
    axes = drawn(normal_mean(), error=error).axes[0]
    assert not {"parabola of the plain error", "plain interval"} & set(labels(axes))
    assert "profile" in labels(axes)


def test_places_of_a_better_optimum_are_left_out():
    actual = normal_mean()
    broken = Profile(**{**actual.__dict__, "tau": (-math.inf, *actual.tau[1:])})
    values, deviance = line(drawn(broken).axes[0], "profile")
    assert np.isfinite(deviance).all()
    assert values[0] == pytest.approx(actual.values[1])
