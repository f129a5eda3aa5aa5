"""The loss over the updates."""

import math

from paramfit.plotting import loss_curve_figure

FALLING = [(0, 80.0), (1, 37.5), (2, 30.9)]


def test_both_losses_are_drawn_on_a_logarithmic_axis():
    figure = loss_curve_figure(FALLING, [(0, 142.0), (2, 60.0)], "LinearModel (sgd/version_0)")
    (axes,) = figure.axes
    assert axes.get_yscale() == "log"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("updates made", "loss")
    train, held_out = axes.lines
    assert [*zip(*train.get_data(), strict=True)] == FALLING
    assert [*zip(*held_out.get_data(), strict=True)] == [(0, 142.0), (2, 60.0)]


def test_losses_that_are_not_finite_are_told_instead():
    figure = loss_curve_figure([(0, 1.0), (1, 1e30), (2, math.inf), (3, math.nan)], [], "diverged")
    curve, border = figure.axes[0].lines
    assert [*curve.get_xdata()] == [0, 1]
    assert border.get_label() == "inf before update 3"
    assert loss_curve_figure([(0, 1.0), (1, math.inf)], [], "nothing to see") is None


def test_losses_below_zero_have_a_plain_axis():
    assert loss_curve_figure([(0, 1.0), (1, -1.0)], [], "likelihood").axes[0].get_yscale() == "linear"
