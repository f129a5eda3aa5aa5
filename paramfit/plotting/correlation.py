"""Which parameters cannot be told apart."""

import math
from collections.abc import Sequence

from matplotlib import colormaps
from matplotlib.figure import Figure
from torch import Tensor

from paramfit.plotting.image import drawn_text, new_figure

__all__ = ["correlation_figure"]

_MOST_NUMBERS = 12  # parameters whose cells have room for a number
_MOST_LABELS = 40
_LONGEST_LEVEL = 4  # names that fit side by side without turning
_LONGEST = 20  # letters of a name that leave room for the panel
_DARK = 0.6  # from here on the cell is too dark for black digits


def correlation_figure(names: Sequence[str], correlation: Tensor, title: str | None = None) -> Figure:
    """The correlations ``(p, p)`` of the estimates as a heat map from -1 to 1; what is not known (NaN) is grey.

    Above 40 parameters only every k-th name is written.
    """
    p = len(names)
    side = min(max(1.8 + 0.55 * min(p, _MOST_NUMBERS) + 0.12 * max(0, p - _MOST_NUMBERS), 3.2), 11.0)
    figure = new_figure(side + 1.4, side)
    axes = figure.add_subplot()
    colors = colormaps["RdBu_r"].with_extremes(bad="0.85")
    image = axes.imshow(correlation.numpy(), vmin=-1, vmax=1, cmap=colors)
    figure.colorbar(image, ax=axes, label="correlation", ticks=[-1, -0.5, 0, 0.5, 1], shrink=0.85)
    step = math.ceil(p / _MOST_LABELS)
    size = 9 if p <= _MOST_NUMBERS else 7
    turned = p > _MOST_NUMBERS or max(map(len, names), default=0) > _LONGEST_LEVEL
    shown = [drawn_text(name, _LONGEST) for name in names[::step]]
    axes.set_xticks(range(0, p, step), shown, rotation=90 if turned else 0, fontsize=size)
    axes.set_yticks(range(0, p, step), shown, fontsize=size)
    axes.tick_params(length=0)
    axes.set_title("Correlation of the estimates")
    if title is not None:
        figure.suptitle(drawn_text(title), fontsize="medium")
    if p <= _MOST_NUMBERS:
        for row, values in enumerate(correlation.tolist()):
            for column, value in enumerate(values):
                color = "white" if abs(value) > _DARK else "black"
                axes.text(column, row, _number(value), ha="center", va="center", color=color, fontsize=7)
    return figure


def _number(value: float) -> str:
    """Two decimals, and more where 0.99998 would else read as 1.00."""
    if not math.isfinite(value):
        return "?"
    decimals = next((digits for digits in (2, 3, 4, 5) if abs(round(value, digits)) < 1), 0)
    return f"{round(value, decimals) + 0.0:.{decimals}f}"  # -0.0 + 0.0 is 0.0
