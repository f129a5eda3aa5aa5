"""Data, and data with the fitted curve."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from paramfit.inference.bands import Bands
from paramfit.observations import Censored
from paramfit.plotting.image import name_axes, new_figure
from paramfit.plotting.points import draw_bounds, draw_points

__all__ = ["fit_figure", "scatter_figure"]


def scatter_figure(
    x: Tensor,
    y: Tensor,
    labels: tuple[str, str],
    validates: Tensor | None = None,
    censoring: Censored | None = None,
    title: str | None = None,
) -> Figure:
    """The observations alone, ``x`` and ``y`` ``(n,)``; ``validates`` is True for rows that were held out.

    Their number follows the title.
    """
    figure = new_figure()
    axes = figure.add_subplot()
    draw_points(axes, x, y, validates)
    if censoring is not None:
        draw_bounds(axes, x, y, censoring)
    name_axes(axes, *labels, ", ".join([*([] if title is None else [title]), f"{len(x)} observations"]))
    if censoring is not None or (validates is not None and bool(validates.any())):
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
    bands: Bands | None = None,
    sigma: Tensor | None = None,
    label: str = "fit",
    censoring: Censored | None = None,
    note: str | None = None,
) -> Figure:
    """The observations ``(n,)`` with the fitted curve ``(m,)``, and with its 95 % bands where they are given.

    ``validates`` ``(n,)`` is True for rows that were held out, ``sigma`` ``(n,)`` the known standard deviation of y,
    drawn as error bars; the bands are those at ``curve_x``; ``note`` is what the legend should say besides.
    """
    figure = new_figure()
    axes = figure.add_subplot()
    axes.plot(curve_x.numpy(), curve_y.numpy(), color="tab:orange", label=label, zorder=4)
    if bands is not None:
        _draw_bands(axes, curve_x, bands)
    draw_points(axes, x, y, validates, sigma)
    if censoring is not None:
        draw_bounds(axes, x, y, censoring)
    if note is not None:
        axes.plot([], [], " ", label=note)
    axes.set_ylim(*_limits(y, bands, sigma))
    name_axes(axes, *labels, title)
    axes.legend()
    return figure


def _draw_bands(axes: Axes, x: Tensor, bands: Bands) -> None:
    """The narrow band over the wide one."""
    drawn = [(bands.confidence, 0.4, "95 % confidence band")]
    if bands.prediction_band is not None:
        drawn.append((bands.prediction_band, 0.15, "95 % prediction band"))
    for (low, high), alpha, label in drawn:
        axes.fill_between(
            x.numpy(), low.numpy(), high.numpy(), color="tab:orange", alpha=alpha, linewidth=0, label=label
        )


def _limits(y: Tensor, bands: Bands | None, sigma: Tensor | None) -> tuple[float, float]:
    """The observations with a margin, in which a curve that leaves them is cut; wider for bars and bands, in bounds."""
    low, high = y.min().item(), y.max().item()
    spread = (high - low) or 4.0
    lowest, highest = low - 0.25 * spread, high + 0.25 * spread
    bars = () if sigma is None else (y - sigma, y + sigma)
    edges = () if bands is None else (*bands.confidence, *(bands.prediction_band or ()))
    for values in (*bars, *edges):
        finite = values[values.isfinite()]
        if len(finite):
            lowest = min(lowest, finite.min().item() - 0.05 * spread)
            highest = max(highest, finite.max().item() + 0.05 * spread)
    return max(lowest, low - spread), min(highest, high + spread)
