"""Data, and data with the fitted curve."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from paramfit.plotting.image import new_figure

__all__ = ["fit_figure", "scatter_figure"]


def scatter_figure(x: Tensor, y: Tensor, labels: tuple[str, str], validates: Tensor | None = None) -> Figure:
    """The observations alone.

    Args:
        x: input ``(n,)``.
        y: target ``(n,)``.
        labels: names of the axes, with units.
        validates: ``(n,)``, True for rows that were held out.
    """
    figure = new_figure()
    axes = figure.add_subplot()
    _draw_observations(axes, x, y, validates)
    axes.set_xlabel(labels[0])
    axes.set_ylabel(labels[1])
    axes.set_title(f"{len(x)} observations")
    if validates is not None and bool(validates.any()):
        axes.legend()
    return figure


def fit_figure(
    x: Tensor,
    y: Tensor,
    curve_x: Tensor,
    curve_y: Tensor,
    labels: tuple[str, str],
    title: str,
    validates: Tensor | None = None,
) -> Figure:
    """The observations with the fitted curve.

    Args:
        x: input ``(n,)``.
        y: target ``(n,)``.
        curve_x: where the curve is drawn ``(m,)``, in the unit of x.
        curve_y: the prediction there ``(m,)``.
        labels: names of the axes, with units.
        title: what was fitted.
        validates: ``(n,)``, True for rows that were held out.
    """
    figure = new_figure()
    axes = figure.add_subplot()
    axes.plot(curve_x.numpy(), curve_y.numpy(), color="tab:orange", label="fit")
    _draw_observations(axes, x, y, validates)
    # A curve that leaves the data must not squeeze them into a line.
    low, high = y.min().item(), y.max().item()
    margin = 0.25 * (high - low) or 1.0
    axes.set_ylim(low - margin, high + margin)
    axes.set_xlabel(labels[0])
    axes.set_ylabel(labels[1])
    axes.set_title(title)
    axes.legend()
    return figure


def _draw_observations(axes: Axes, x: Tensor, y: Tensor, validates: Tensor | None) -> None:
    if validates is None or not bool(validates.any()):
        axes.scatter(x.numpy(), y.numpy(), color="tab:blue", label="observations", zorder=3)
        return
    axes.scatter(x[~validates].numpy(), y[~validates].numpy(), color="tab:blue", label="training", zorder=3)
    axes.scatter(
        x[validates].numpy(),
        y[validates].numpy(),
        facecolors="white",
        edgecolors="tab:blue",
        label="held out",
        zorder=3,
    )
