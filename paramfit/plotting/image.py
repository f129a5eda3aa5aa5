"""Figures as pixels and as files."""

import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from paramfit.atomic_files import whole_file

__all__ = ["Picture", "name_axes", "new_figure", "picture", "pixels", "save_png"]


def new_figure(width: float = 6.4, height: float = 4.4) -> Figure:
    """An empty figure that needs no display and leaves pyplot's global state alone; sizes in inches."""
    figure = Figure(figsize=(width, height), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def name_axes(axes: Axes, x: str, y: str, title: str | None = None) -> None:
    """Label a panel without reading mathematics into its names: a column may be called "cost ($) of $x"."""
    axes.set_xlabel(x, parse_math=False)
    axes.set_ylabel(y, parse_math=False)
    if title is not None:
        axes.set_title(title)


class Picture(NamedTuple):
    """A rendered figure."""

    pixels: NDArray[np.uint8]  # (height, width, 3)
    png: bytes


def picture(figure: Figure) -> Picture:
    """Render the figure, once: that takes a good part of a small fit."""
    canvas = figure.canvas
    assert isinstance(canvas, FigureCanvasAgg)  # new_figure gave it this canvas
    canvas.draw()  # type: ignore[no-untyped-call]  # matplotlib leaves it untyped
    drawn = np.asarray(canvas.buffer_rgba(), dtype=np.uint8)  # type: ignore[no-untyped-call]  # matplotlib leaves it untyped
    png = io.BytesIO()
    Image.fromarray(drawn).save(png, format="png", dpi=(figure.dpi, figure.dpi))
    return Picture(drawn[..., :3].copy(), png.getvalue())


def pixels(figure: Figure) -> NDArray[np.uint8]:
    """The figure as an image ``(height, width, 3)``."""
    return picture(figure).pixels


def save_png(figure: Figure, path: Path) -> None:
    """Write the figure whole or not at all."""
    png = picture(figure).png
    with whole_file(path) as file:
        file.write(png)
