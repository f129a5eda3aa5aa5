"""A sample's density, estimated without a model and with one."""

import math
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from scipy.stats import gaussian_kde
from torch import Tensor
from torch.distributions import Distribution

from paramfit.distributions import density_at, support_of
from paramfit.distributions.cdf import unrolled
from paramfit.plotting.image import name_axes, new_figure

__all__ = ["density_figure", "histogram_figure"]

_MOST_DRAWS = 20_000
_FARTHEST = 3  # how many widths of the sample the figure is extended to show a fit that lies beside it
_MOST_BINS = 200
_MOST_RANGES = 8  # interquartile ranges beyond a quartile: farther values of heavy tails would leave one bar
_MOST_DOTS = 60  # integers that have a bar and a dot each; above it there are bins and a line


class _Extent(NamedTuple):
    """From where to where a figure goes, and what its legend says of the fit."""

    low: float
    high: float
    label: str


def density_figure(sample: Tensor, fitted: Distribution, labels: tuple[str, str], title: str) -> Figure:
    """Kernel density of the sample ``(n,)`` (Gaussian kernels, Scott's rule) with the fitted density, a continuous one.

    A fit beside the sample widens the figure; of one far away the legend tells where it lies. Above 20 000 observations
    every k-th is used, which the eye cannot tell. Of heavy tails what lies more than 8 interquartile ranges outside the
    quartiles is left out, as in ``histogram_figure``, which is for discrete distributions too.

    References:
        David W. Scott: Multivariate Density Estimation (1992).
    """
    values = unrolled(fitted, sample.detach().double()).numpy()
    values = values[:: max(1, len(values) // _MOST_DRAWS)]
    kept = _without_far_tails(values)
    extent = _extent(float(kept.min()), float(kept.max()), fitted, "fitted density")
    grid = _grid(extent, fitted)
    figure = new_figure()
    axes = figure.add_subplot()
    highest = 0.0
    if kept.max() > kept.min():
        kernel = len(kept) / len(values) * gaussian_kde(kept)(grid)
        highest = float(kernel.max())
        label = f"kernel density of {_sample_label(kept, values)}"
        axes.fill_between(grid, kernel, color="tab:blue", alpha=0.3, label=label)
    _draw_density(axes, grid, fitted, extent.label, highest)
    axes.plot(kept[:500], np.zeros(len(kept[:500])), "|", color="tab:blue", alpha=0.5)
    _finish(axes, labels, title)
    return figure


def histogram_figure(sample: Tensor, fitted: Distribution, labels: tuple[str, str], title: str) -> Figure:
    r"""Histogram of the sample ``(n,)`` with the fitted density, or with the fitted probabilities where it is discrete.

    The bins of a continuous sample have the width of Freedman and Diaconis, from the sample's interquartile range,

    .. math:: h = 2\, \mathrm{IQR}\, n^{-1/3}

    and areas that sum to 1, values beyond the figure counted in. A discrete sample has a bar at each integer with the
    share of the sample; of more than 60 integers a bar stands for as many as that width says, and has their mean share.

    Of heavy tails what lies more than 8 interquartile ranges outside the quartiles is left out of the figure, and the
    legend says how much. Angles of a von Mises distribution are shown within half a turn of its location. The fitted
    distribution has the batch shape ``()`` or ``(1,)``.

    References:
        David Freedman and Persi Diaconis: On the histogram as a density estimator: L2 theory (1981).
    """
    values = unrolled(fitted, sample.detach().double()).numpy()
    kept = _without_far_tails(values)
    discrete = support_of(fitted).discrete
    edges = _whole_edges(kept) if discrete else _edges(kept)
    heights = np.histogram(kept, edges)[0] / (len(values) * np.diff(edges))
    figure = new_figure()
    axes = figure.add_subplot()
    width = np.diff(edges)
    if discrete and width[0] == 1:
        width = 0.8 * width  # bars of single integers stand apart
    middle, label = (edges[:-1] + edges[1:]) / 2, _sample_label(kept, values)
    rim = 0.5 if len(heights) <= _MOST_DOTS else 0.0
    axes.bar(middle, heights, width, color="tab:blue", alpha=0.35, edgecolor="white", linewidth=rim, label=label)
    if discrete:
        _draw_masses(axes, _extent(float(kept.min()), float(kept.max()), fitted, "fitted probability"), fitted)
    else:
        extent = _extent(float(edges[0]), float(edges[-1]), fitted, "fitted density")
        _draw_density(axes, _grid(extent, fitted), fitted, extent.label, float(heights.max()))
    _finish(axes, labels, title)
    return figure


def _finish(axes: Axes, labels: tuple[str, str], title: str) -> None:
    name_axes(axes, *labels, title)
    top = axes.get_ylim()[1]
    axes.set_ylim(-0.01 * top, 1.25 * top)  # room for the legend above the peak
    axes.legend(loc="best", frameon=False)


def _draw_density(axes: Axes, grid: NDArray[np.float64], fitted: Distribution, label: str, highest: float) -> None:
    """The fitted density; where it grows without limit, the figure does not grow with it."""
    density = density_at(fitted, torch.from_numpy(grid)).numpy()
    axes.plot(grid, np.where(np.isfinite(density), density, np.nan), color="tab:orange", label=label)
    if highest > 0 and float(density.max()) > 3 * highest:
        axes.set_ylim(top=2 * highest)


def _draw_masses(axes: Axes, extent: _Extent, fitted: Distribution) -> None:
    """The fitted probability of each integer."""
    support = support_of(fitted)
    low = max(math.floor(extent.low), float(support.low))
    integers = np.arange(low, min(math.ceil(extent.high), float(support.high)) + 1, dtype=np.float64)
    step = max(1, len(integers) // (10 * _MOST_BINS))
    integers = integers[::step]
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    masses = density_at(fitted, torch.from_numpy(integers)).numpy()
    line, width = ("o-", 0.8) if len(integers) <= _MOST_DOTS else ("-", 1.5)
    axes.plot(integers, masses, line, color="tab:orange", markersize=4, linewidth=width, label=extent.label)


def _without_far_tails(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """What a figure of the middle can show."""
    first, third = np.quantile(values, (0.25, 0.75))
    reach = _MOST_RANGES * (third - first)
    if reach == 0:
        return values
    kept: NDArray[np.float64] = values[(values >= first - reach) & (values <= third + reach)]
    return kept


def _sample_label(kept: NDArray[np.float64], values: NDArray[np.float64]) -> str:
    left_out = len(values) - len(kept)
    return f"sample ({left_out} of {len(values)} outside the figure)" if left_out else "sample"


def _edges(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of bins of Freedman and Diaconis' width; of numpy's choice where half of the sample is one value."""
    low, high = float(values.min()), float(values.max())
    if not high > low:
        return np.array([low - 0.5, low + 0.5])
    first, third = np.quantile(values, (0.25, 0.75))
    width = 2 * float(third - first) * len(values) ** (-1 / 3)
    bins = (high - low) / width if width > 0 else math.log2(len(values)) + 1
    return np.linspace(low, high, min(_MOST_BINS, math.ceil(bins)) + 1)


def _whole_edges(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Halfway between integers: one in each bin, or as many as Freedman and Diaconis say where there are many."""
    low, high = math.floor(values.min()), math.ceil(values.max())
    width = 1
    if high - low >= _MOST_DOTS:
        edges = _edges(values)
        width = max(1, round(edges[1] - edges[0]))
    return np.arange(low, high + width + 1, width) - 0.5


def _grid(extent: _Extent, fitted: Distribution, points: int = 400) -> NDArray[np.float64]:
    """Where the density is drawn; doubled at the ends of its support, where it may jump."""
    margin = 0.1 * (extent.high - extent.low) or 1.0
    grid = np.linspace(extent.low - margin, extent.high + margin, points)
    support = support_of(fitted)
    ends = [float(end) for end in (support.low.min(), support.high.max()) if grid[0] < float(end) < grid[-1]]
    beside = [np.nextafter(end, side) for end in ends for side in (-math.inf, math.inf)]
    return np.sort(np.concatenate([grid, beside]))


def _extent(low: float, high: float, fitted: Distribution, label: str) -> _Extent:
    """The sample's range, widened to a fit that lies beside it."""
    try:
        center, deviation = float(fitted.mean.detach().double().mean()), float(fitted.stddev.detach().double().max())
    except NotImplementedError:
        return _Extent(low, high, label)  # a distribution that does not know its moments
    if not math.isfinite(center):
        return _Extent(low, high, label)
    reach = 4 * deviation if math.isfinite(deviation) else 0.0  # heavy tails have no standard deviation
    if not low - _FARTHEST * (high - low) - reach <= center <= high + _FARTHEST * (high - low) + reach:
        return _Extent(low, high, f"{label} (around {center:.4g}, outside the figure)")
    support = support_of(fitted)
    return _Extent(
        min(low, max(center - reach, float(support.low.min()))),
        max(high, min(center + reach, float(support.high.max()))),
        label,
    )
