"""Figures as pixels and as files."""

import io
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from numpy.typing import NDArray
from PIL import Image

from paramfit.atomic_files import whole_file
from paramfit.wording import escaped, visible

__all__ = ["Picture", "drawn_text", "name_axes", "new_figure", "picture", "pixels", "save_png", "with_unit"]

_LONGEST = 60  # letters that fit along the side of a panel


def new_figure(width: float = 6.4, height: float = 4.4) -> Figure:
    """An empty figure that needs no display and leaves pyplot's global state alone; sizes in inches."""
    figure = Figure(figsize=(width, height), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def drawn_text(text: str, longest: int = _LONGEST) -> str:
    r"""A name, a unit or a title as matplotlib draws it to the letter, cut in its middle where it is long.

    Dollar signs begin no formula, whatever else the text says; what has no look, or none in the fonts at hand, is
    escaped as Python writes it.

    Example:
        >>> drawn_text("cost ($) of \\frac")
        'cost (\\$) of \\frac'
    """
    shown = visible(text)
    if not shown.isascii():
        letters = _letters(tuple(FontProperties().get_family()))
        shown = "".join(letter if ord(letter) in letters else escaped(letter) for letter in shown)
    if len(shown) > longest:
        shown = f"{shown[: longest - longest // 3 - 1]}…{shown[-(longest // 3) :]}"
    return shown.replace("$", r"\$")


@cache
def _letters(families: tuple[str, ...]) -> frozenset[int]:
    """The characters of the fonts that text is set in."""
    fonts = [get_font(findfont(FontProperties(family=[family]))) for family in families]
    return frozenset(code for font in fonts for code in font.get_charmap())


def with_unit(name: str, unit: str | None) -> str:
    """A name with its unit, to be drawn."""
    return drawn_text(name if unit is None else f"{name} ({unit})")


def name_axes(axes: Axes, x: str, y: str, title: str | None = None) -> None:
    """Label a panel."""
    axes.set_xlabel(drawn_text(x))
    axes.set_ylabel(drawn_text(y))
    if title is not None:
        axes.set_title(drawn_text(title))


class Picture(NamedTuple):
    """A rendered figure."""

    pixels: NDArray[np.uint8]  # (height, width, 3)
    png: bytes


def picture(figure: Figure) -> Picture:
    """Render the figure, once: that takes a good part of a small fit."""
    canvas = figure.canvas
    if not isinstance(canvas, FigureCanvasAgg):  # a figure of one's own
        canvas = FigureCanvasAgg(figure)
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
