"""Figures as pixels and as files."""

import os
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from paramfit.plotting import pixels, save_png
from paramfit.plotting.image import new_figure


def test_png_is_the_figure(own_directory: Path) -> None:
    figure = new_figure(2.0, 1.0)
    figure.text(0.1, 0.4, "without axes, which each drawing lays out anew", color="red")
    save_png(figure, own_directory / "figures" / "fit.png")
    read = matplotlib.image.imread(own_directory / "figures" / "fit.png")
    assert (read < 1).any()
    assert np.array_equal((read[..., :3] * 255).round().astype(np.uint8), pixels(figure))


def test_interrupted_writing_leaves_the_old_file_whole(own_directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = own_directory / "fit.png"
    save_png(new_figure(2.0, 1.0), path)
    old = path.read_bytes()

    def crash(source: object, target: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", crash)
    with pytest.raises(OSError, match="no space left"):
        save_png(new_figure(4.0, 4.0), path)
    assert path.read_bytes() == old
