"""The descent on the loss surface as a film."""

import io

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch
from PIL import Image

from paramfit.plotting.descent_path import PATH

__all__ = ["descent_film"]

_MOST_FRAMES = 60
_MILLISECONDS = 120
_AT_THE_END = 2500
_DPI = 80


def descent_film(figure: Figure) -> bytes:
    """An animated GIF in which the path of ``loss_surface_figure`` grows from its start to its end.

    Up to 60 points of it, the first ones all, since descent slows down; the figure is left with its whole path.
    """
    axes = figure.axes[0]
    path = next(line for line in axes.lines if line.get_label() == PATH)
    end = axes.lines[axes.lines.index(path) + 2]  # behind the start
    arrows = [patch for patch in axes.patches if isinstance(patch, FancyArrowPatch)]
    x, y = (np.asarray(values, dtype=float) for values in path.get_data())
    dpi = figure.dpi
    figure.dpi = _DPI
    frames = []
    for shown in _lengths(len(x), len(arrows)):
        path.set_data(x[:shown], y[:shown])
        end.set_data(x[:shown][-1:], y[:shown][-1:])
        for number, arrow in enumerate(arrows):
            arrow.set_visible(number < shown - 1)
        frames.append(_frame(figure))
    figure.dpi = dpi
    film = io.BytesIO()
    times = [_MILLISECONDS] * (len(frames) - 1) + [_AT_THE_END]
    frames[0].save(film, format="GIF", save_all=True, append_images=frames[1:], duration=times, loop=0)
    return film.getvalue()


def _lengths(points: int, arrows: int) -> list[int]:
    """How many points each frame shows; one more than there are where a last arrow leaves the window."""
    if points <= _MOST_FRAMES:
        shown = list(range(1, points + 1))
    else:
        first = np.arange(1, _MOST_FRAMES // 2)
        shown = [*first.tolist(), *np.geomspace(_MOST_FRAMES // 2, points, _MOST_FRAMES // 2).astype(int).tolist()]
    return [*shown, points + 1] if arrows >= points else shown


def _frame(figure: Figure) -> Image.Image:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]  # matplotlib leaves it untyped
    drawn = np.asarray(canvas.buffer_rgba(), dtype=np.uint8)  # type: ignore[no-untyped-call]  # likewise
    return Image.fromarray(drawn[..., :3].copy()).convert("P", palette=Image.Palette.ADAPTIVE)
