"""Figures as pixels and as files."""

import io
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from paramfit.atomic_files import whole_file

__all__ = ["name_axes", "new_figure", "pixels", "save_png"]


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


def pixels(figure: Figure) -> NDArray[np.uint8]:
    """The figure as an image ``(height, width, 3)``."""
    canvas = figure.canvas
    assert isinstance(canvas, FigureCanvasAgg)  # new_figure gave it this canvas
    canvas.draw()  # type: ignore[no-untyped-call]  # matplotlib leaves it untyped
    drawn = canvas.buffer_rgba()  # type: ignore[no-untyped-call]  # matplotlib leaves it untyped
    return np.asarray(drawn, dtype=np.uint8)[..., :3].copy()


def save_png(figure: Figure, path: Path) -> None:
    """Write the figure whole or not at all."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    with whole_file(path) as file:
        file.write(buffer.getvalue())
