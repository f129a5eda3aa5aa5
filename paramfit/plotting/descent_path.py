"""The way down, drawn over a loss: path, arrows where it overshoots, and the optimum or where it lies."""

import math
from itertools import pairwise

import torch
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch
from matplotlib.patheffects import withStroke
from torch import Tensor

__all__ = ["PATH", "arrows_along", "draw_optimum", "draw_path", "holds_optimum"]

PATH = "path of descent"  # what its line is called
_LEAST_SHARE = 0.1  # of a side of the window, below which a path could not be told from a point
_RING = 20  # points across, wider than the marks of the path's two ends
_BORDER = 0.03  # of a side, inside which an arrow to the optimum ends


def holds_optimum(path: Tensor, optimum: Tensor) -> bool:
    """Whether a window around path ``(k, p)`` and optimum ``(p,)`` still shows the path as one."""
    low, high = path.min(dim=0).values, path.max(dim=0).values
    whole = torch.maximum(high, optimum) - torch.minimum(low, optimum)
    share = (high - low) / torch.where(whole > 0, whole, torch.ones_like(whole))
    return bool(whole.isfinite().all()) and bool((share >= _LEAST_SHARE).any())


def draw_path(axes: Axes, x: Tensor, y: Tensor, whole: bool) -> None:
    """The path ``(k,)`` with its two ends."""
    axes.plot(x.numpy(), y.numpy(), ".-", color="tab:red", linewidth=1, markersize=3, label=PATH)
    ends = (("o", "white", 7, "start", 0), ("*", "gold", 13, "end" if whole else "last point shown", -1))
    for marker, color, size, label, at in ends:
        axes.plot(
            [x[at].item()], [y[at].item()], marker, color=color, markeredgecolor="0.15", markersize=size, label=label
        )


def arrows_along(axes: Axes, points: Tensor, leaving: Tensor | None) -> None:
    """An arrow for each step of ``points`` ``(k, 2)``, and one to the border for the step that leaves the window."""
    steps = list(pairwise(points))
    if leaving is not None and bool(leaving.isfinite().all()):
        steps.append((points[-1], _inside(axes, points[-1], leaving)))
    for begin, end in steps:
        axes.add_patch(
            FancyArrowPatch(
                (begin[0].item(), begin[1].item()),
                (end[0].item(), end[1].item()),
                arrowstyle="-|>",
                mutation_scale=11,
                color="tab:red",
                linewidth=1,
                shrinkA=0,
                shrinkB=0,
                zorder=3,
            )
        )


def _inside(axes: Axes, begin: Tensor, end: Tensor) -> Tensor:
    """The last point of a segment that is inside the window."""
    share = 1.0
    for k, (low, high) in enumerate((axes.get_xlim(), axes.get_ylim())):
        move = (end[k] - begin[k]).item()
        if move:
            border = high if move > 0 else low
            share = min(share, (border - begin[k].item()) / move)
    return begin + max(share, 0.0) * (end - begin)


def draw_optimum(axes: Axes, at: tuple[float, float], end: tuple[float, float], shown: str) -> None:
    """The closed-form optimum; where it is outside the window, an arrow to it with its distance from the path's end.

    ``shown`` says where it is, in words.
    """
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    x, y = (at[0] - left) / (right - left), (at[1] - low) / (high - low)
    if 0 <= x <= 1 and 0 <= y <= 1:
        # A ring, within which an end of the path that reaches it is still seen.
        axes.plot(
            *([value] for value in at),
            "o",
            markerfacecolor="none",
            markeredgecolor="tab:green",
            markeredgewidth=2,
            markersize=_RING,
            path_effects=[withStroke(linewidth=4, foreground="white")],
            zorder=6,
            label="closed-form optimum",
        )
        return
    away = math.hypot(at[0] - end[0], at[1] - end[1])
    longest = max(abs(x - 0.5), abs(y - 0.5))
    reach = (0.5 - _BORDER) / longest
    tip = (0.5 + reach * (x - 0.5), 0.5 + reach * (y - 0.5))
    tail = (0.5 + 0.6 * (tip[0] - 0.5), 0.5 + 0.6 * (tip[1] - 0.5))
    axes.annotate(
        f"closed-form optimum\nat {shown},\n{away:.3g} from the end",
        xy=tip,
        xytext=tail,
        xycoords="axes fraction",
        textcoords="axes fraction",
        ha="center",
        va="center",
        fontsize="small",
        color="0.1",
        bbox={"boxstyle": "round", "facecolor": "white", "edgecolor": "tab:green", "alpha": 0.85},
        arrowprops={"arrowstyle": "-|>", "color": "tab:green", "linewidth": 1.5},
        zorder=6,
    )
