"""Observations as points: few enough for the eye and for the file."""

from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.markers import CARETDOWNBASE, CARETUPBASE, MarkerStyle
from torch import Tensor

from paramfit.distributions import Censoring
from paramfit.observations import Censored

__all__ = ["draw_bounds", "draw_dots", "draw_points", "parts", "shown_rows"]

_COLOR = "tab:blue"

_MOST_POINTS = 2_000
_EXTREMES = 3  # of each column at each end: enough for the limits, too few to look like a crowd
_CROWD = 150  # above it points are small and translucent, so that lines and bands are seen


def parts(n: int, held_out: Tensor | None) -> dict[str, Tensor]:
    """The rows ``(m,)`` of each part, by its name in the legend; ``held_out`` ``(n,)`` is True for rows held out."""
    if held_out is None or not bool(held_out.any()):
        return {"observations": torch.arange(n)}
    rows = {"training": (~held_out).nonzero().flatten(), "held out": held_out.nonzero().flatten()}
    return {name: index for name, index in rows.items() if len(index)}


def shown_rows(*columns: Tensor) -> Tensor:
    """Which rows of columns ``(n,)`` are drawn, ``(m,)``: all of up to 2000.

    Else a random choice, always the same, and the 3 smallest and the 3 largest values of each column.
    """
    n = len(columns[0])
    if n <= _MOST_POINTS:
        return torch.arange(n)
    shown = torch.zeros(n, dtype=torch.bool)
    shown[torch.randperm(n, generator=torch.Generator().manual_seed(0))[:_MOST_POINTS]] = True
    for column in columns:
        for largest in (False, True):
            shown[column.topk(_EXTREMES, largest=largest).indices] = True
    return shown.nonzero().flatten()


def draw_points(axes: Axes, x: Tensor, y: Tensor, held_out: Tensor | None = None, sigma: Tensor | None = None) -> None:
    """The observations as points, held-out ones hollow; of very many a choice, which the legend tells.

    ``x``, ``y``, ``held_out`` and ``sigma``, the standard deviation of y, drawn as error bars, are all ``(n,)``.
    """
    drawn = []
    for name, rows in parts(len(x), held_out).items():
        shown = rows[shown_rows(x[rows], y[rows])]
        drawn.append(shown)
        label = name if len(shown) == len(rows) else f"{name} ({len(shown)} of {len(rows)} drawn)"
        draw_dots(axes, x[shown], y[shown], name, label)
    if sigma is not None:
        at = torch.cat(drawn)
        look: dict[str, Any] = {"elinewidth": 1, "capsize": 2, "alpha": 0.6}
        if len(at) > _CROWD:
            look = {"elinewidth": 0.5, "capsize": 0, "alpha": 0.15}
        bars = (x[at].numpy(), y[at].numpy(), sigma[at].numpy())
        axes.errorbar(*bars, fmt="none", ecolor=_COLOR, label="± sigma", zorder=2, **look)


def draw_bounds(axes: Axes, x: Tensor, y: Tensor, censoring: Censored) -> None:
    """What is known of censored observations ``(n,)``: a caret up or down from a bound, a line along an interval."""
    carets = {Censoring.RIGHT: (CARETUPBASE, "above"), Censoring.LEFT: (CARETDOWNBASE, "at most")}
    for kind, (caret, words) in carets.items():
        rows = (censoring.status == kind).nonzero().squeeze(1)
        if len(rows):
            shown = rows[shown_rows(x[rows], y[rows])]
            label, marker = f"{words} ({kind.name.lower()}-censored)", MarkerStyle(caret)
            axes.scatter(x[shown].numpy(), y[shown].numpy(), s=70, marker=marker, color=_COLOR, label=label, zorder=3)
    rows = (censoring.status == Censoring.INTERVAL).nonzero().squeeze(1)
    if len(rows):
        low, high = y[rows].numpy(), censoring.upper[rows].numpy()
        axes.vlines(x[rows].numpy(), low, high, color=_COLOR, linewidth=1, label="interval-censored", zorder=2)


def draw_dots(axes: Axes, x: Tensor, y: Tensor, part: str, label: str) -> None:
    """One part's points, all of them; held-out ones hollow."""
    look: dict[str, Any] = {"s": 30, "linewidths": 1.2, "alpha": 1.0}
    if len(x) > _CROWD:
        look = {"s": 7, "linewidths": 0.6, "alpha": 0.5}
    inside = "white" if part == "held out" else _COLOR
    axes.scatter(x.numpy(), y.numpy(), facecolors=inside, edgecolors=_COLOR, label=label, zorder=3, **look)
