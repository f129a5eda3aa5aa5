"""Contours of the profiled deviance beside the ellipse."""

import math

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.contour import QuadContourSet
from matplotlib.figure import Figure
from torch import Tensor

from paramfit.inference.profile.profiles import PairProfile
from paramfit.plotting import contour_figure

LEVELS = {0.68: -2 * math.log(0.32), 0.95: -2 * math.log(0.05)}  # chi-squared with two degrees of freedom
COVARIANCE = torch.tensor([[4.0, 1.2], [1.2, 1.0]], dtype=torch.float64)


def quadratic(names: tuple[str, str] = ("a", "b"), covariance: Tensor = COVARIANCE) -> PairProfile:
    """Two parameters of a linear model, at (1, -2)."""
    first, second = np.linspace(-5.0, 7.0, 21), np.linspace(-5.0, 1.0, 23)
    offset = np.stack(np.meshgrid(first - 1.0, second + 2.0, indexing="ij"), axis=-1)
    deviance = np.einsum("...i,ij,...j", offset, np.linalg.inv(covariance.numpy()), offset)
    rows = tuple(map(tuple, deviance.tolist()))
    return PairProfile(names, (1.0, -2.0), tuple(first.tolist()), tuple(second.tolist()), rows, LEVELS)


def drawn(pair: PairProfile, covariance: Tensor | None = COVARIANCE) -> Figure:
    return contour_figure([pair], pair.names, covariance, "after 3 iterations", {"a": "m"})


def contours(axes: Axes) -> list[np.ndarray]:
    """The corners of each contour, the inner one first."""
    return [
        np.asarray(group.get_paths()[0].vertices) for group in axes.collections if isinstance(group, QuadContourSet)
    ]


def form(points: np.ndarray) -> np.ndarray:
    offset = points - np.array([1.0, -2.0])
    return np.einsum("ni,ij,nj->n", offset, np.linalg.inv(COVARIANCE.numpy()), offset)


def curves(axes: Axes, color: str) -> list[np.ndarray]:
    return [np.asarray(line.get_xydata()) for line in axes.lines if line.get_color() == color]


def test_contours_of_a_linear_model_lie_on_the_ellipses():
    (axes,) = drawn(quadratic()).axes
    for corners, height in zip(contours(axes), LEVELS.values(), strict=True):
        assert form(corners) == pytest.approx(height, rel=0.01)
    for edge, height in zip(curves(axes, "tab:orange"), LEVELS.values(), strict=True):
        assert form(edge) == pytest.approx(height, rel=1e-12)


def test_ellipse_reaches_as_far_as_the_standard_error_says():
    (axes,) = drawn(quadratic()).axes
    _, outer = curves(axes, "tab:orange")
    assert outer[:, 0].max() == pytest.approx(1.0 + 2.447746830680816 * 2.0, rel=1e-3)
    assert outer[:, 1].max() == pytest.approx(-2.0 + 2.447746830680816, rel=1e-3)


def test_traces_of_a_linear_model_are_the_two_regressions():
    (axes,) = drawn(quadratic()).axes
    along, across = curves(axes, "0.45")
    assert along[:, 1] == pytest.approx(-2.0 + 1.2 / 4.0 * (along[:, 0] - 1.0), abs=1e-9)
    assert across[:, 0] == pytest.approx(1.0 + 1.2 / 1.0 * (across[:, 1] + 2.0), abs=1e-9)


@pytest.mark.parametrize(
    "covariance",
    [None, torch.full((2, 2), math.nan).double(), torch.tensor([[1.0, 2.0], [2.0, 1.0]]).double()],
    ids=["none", "not a number", "not positive definite"],
)
def test_without_a_covariance_there_is_no_ellipse(covariance):
    figure = drawn(quadratic(), covariance)
    assert not curves(figure.axes[0], "tab:orange")
    assert "plain ellipse, 68 %" not in [text.get_text() for text in figure.legends[0].get_texts()]


@pytest.mark.parametrize("hole", [math.nan, math.inf])
def test_grid_with_places_that_are_not_known_can_be_drawn(hole):
    actual = quadratic()
    rows = tuple((hole, *row[1:]) for row in actual.deviance)
    (axes,) = drawn(PairProfile(**{**actual.__dict__, "deviance": rows})).axes
    assert form(contours(axes)[0]) == pytest.approx(LEVELS[0.68], rel=0.1)


def test_flat_likelihood_has_no_contour():
    actual = quadratic()
    rows = tuple(tuple(1e-3 * value for value in row) for row in actual.deviance)
    (axes,) = drawn(PairProfile(**{**actual.__dict__, "deviance": rows})).axes
    assert contours(axes) == []
