"""Figures as pixels and as files, whatever the columns are called."""

import os

import matplotlib.image
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from matplotlib.cbook import is_math_text

from paramfit.plotting import (
    correlation_figure,
    fit_figure,
    observed_figure,
    pixels,
    residuals_figure,
    save_png,
    scatter_figure,
)
from paramfit.plotting.image import drawn_text, new_figure
from tests.texts import TEXTS


def test_png_is_the_figure(own_directory):
    figure = new_figure(2.0, 1.0)
    figure.text(0.1, 0.4, "without axes, which each drawing lays out anew", color="red")
    save_png(figure, own_directory / "figures" / "fit.png")
    read = matplotlib.image.imread(own_directory / "figures" / "fit.png")
    assert (read < 1).any()
    assert np.array_equal((read[..., :3] * 255).round().astype(np.uint8), pixels(figure))


def test_interrupted_writing_leaves_the_old_file_whole(own_directory, monkeypatch):
    path = own_directory / "fit.png"
    save_png(new_figure(2.0, 1.0), path)
    old = path.read_bytes()

    def crash(source: object, target: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", crash)
    with pytest.raises(OSError, match="no space left"):
        save_png(new_figure(4.0, 4.0), path)
    assert path.read_bytes() == old


VALUES = torch.linspace(0, 1, 5)
NAME = r"$cost_$ of \frac{"  # between dollar signs matplotlib would read a formula, and fail


@pytest.mark.parametrize("figure", [
    scatter_figure(VALUES, VALUES, (NAME, NAME)),
    fit_figure(VALUES, VALUES, VALUES, VALUES, (NAME, NAME), "after 3 iterations"),
    observed_figure(VALUES, VALUES, NAME),
    residuals_figure(VALUES, VALUES, NAME, NAME),
], ids=["scatter", "fit", "observed", "residuals"])  # fmt: skip
def test_names_are_written_as_they_are(figure):
    pixels(figure)
    for label in (figure.axes[0].xaxis.label, figure.axes[0].yaxis.label):
        assert NAME in (as_it_is_set(label.get_text()) if label.get_parse_math() else label.get_text())


def as_it_is_set(text: str) -> str:
    """What matplotlib sets of a text in which it reads no formula: the dollar signs without their strokes."""
    assert not is_math_text(text)
    return text.replace(r"\$", "$")


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(TEXTS)
def test_any_text_is_drawn_to_the_letter_or_escaped_and_nothing_warns(text):
    shown = as_it_is_set(drawn_text(text, 10_000))
    assert shown.isprintable() or set(shown) & set("\u00a0\u2003\u3000")
    assert len(shown) >= len(text)
    if text.isascii() and text.isprintable():
        assert shown == text
    pixels(scatter_figure(VALUES, VALUES, (text, text)))  # warnings, such as of letters that no font has, are errors
    pixels(correlation_figure([text, "b"], torch.eye(2)))
