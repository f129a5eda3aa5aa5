"""The loss over the updates of a descent."""

import math
from collections.abc import Sequence

from matplotlib.figure import Figure

from paramfit.plotting.image import drawn_text, name_axes, new_figure

__all__ = ["loss_curve_figure"]

_MOST_MARKERS = 30


def loss_curve_figure(
    train: Sequence[tuple[int, float]], held_out: Sequence[tuple[int, float]], title: str
) -> Figure | None:
    """Training loss and, where rows are held out, validation loss over the updates; None without two finite losses.

    A point is the number of updates made and the loss then. The axis of losses is logarithmic where all are above 0; a
    loss that is not finite cannot be drawn, and the legend says at which update the first one came.
    """
    curves = {"training": train, "validation": held_out}
    finite = {name: [point for point in curve if math.isfinite(point[1])] for name, curve in curves.items()}
    if len(finite["training"]) < 2:
        return None
    figure = new_figure()
    axes = figure.add_subplot()
    for (name, points), color in zip(finite.items(), ("tab:red", "tab:blue"), strict=True):
        if points:
            style = ".-" if len(points) <= _MOST_MARKERS else "-"
            axes.plot(*zip(*points, strict=True), style, color=color, linewidth=1.2, label=f"{name} loss")
    lost = next((point for point in train if not math.isfinite(point[1])), None)
    if lost is not None:
        axes.axvline(lost[0], color="0.4", linestyle=":", label=f"{lost[1]} before update {lost[0] + 1}")
    if all(loss > 0 for points in finite.values() for _, loss in points):
        axes.set_yscale("log")
    name_axes(axes, "updates made", "loss")
    axes.set_title(drawn_text(title), fontsize="medium")
    axes.legend(frameon=False)
    return figure
