"""Observed against fitted values: the fit of a model of several inputs in one picture."""

from matplotlib.figure import Figure
from torch import Tensor

from paramfit.plotting.image import new_figure
from paramfit.plotting.points import draw_points

__all__ = ["observed_figure"]


def observed_figure(fitted: Tensor, target: Tensor, label: str, held_out: Tensor | None = None) -> Figure:
    """Observed against fitted values; of a perfect fit every point lies on the identity line.

    Args:
        fitted: the prediction ``(n,)``.
        target: what was observed ``(n,)``.
        label: name of the target, with unit.
        held_out: ``(n,)``, True for rows that were held out.
    """
    figure = new_figure(5.2, 5.0)
    axes = figure.add_subplot()
    low, high = min(fitted.min().item(), target.min().item()), max(fitted.max().item(), target.max().item())
    margin = 0.05 * (high - low) or 1.0
    ends = (low - margin, high + margin)
    axes.plot(ends, ends, color="tab:orange", label="observed = fitted", zorder=4)
    draw_points(axes, fitted, target, held_out)
    axes.set_xlim(*ends)
    axes.set_ylim(*ends)
    axes.set_aspect("equal")
    axes.set_xlabel(f"{label}: fitted", parse_math=False)
    axes.set_ylabel(f"{label}: observed", parse_math=False)
    axes.set_title("Observed against fitted")
    axes.legend()
    return figure
