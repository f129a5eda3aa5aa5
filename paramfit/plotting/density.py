"""A sample's density, estimated without a model and with one."""

import numpy as np
import torch
from matplotlib.figure import Figure
from scipy.stats import gaussian_kde
from torch import Tensor
from torch.distributions import Distribution

from paramfit.plotting.image import new_figure

__all__ = ["density_figure"]

_MOST_DRAWS = 20_000
_FARTHEST = 3  # how many widths of the sample the figure is extended to show a fit that lies beside it


def density_figure(sample: Tensor, fitted: Distribution, labels: tuple[str, str], title: str) -> Figure:
    """Kernel density of the sample (Gaussian kernels, Scott's rule) with the fitted density.

    A fit beside the sample widens the figure; of one far away the legend tells where it lies.

    Args:
        sample: the observations ``(n,)``; above 20 000 every k-th is used, which the eye cannot tell.
        fitted: the fitted distribution, of batch shape ``()`` or one that broadcasts.
        labels: names of the axes.
        title: what was fitted.

    References:
        David W. Scott: Multivariate Density Estimation (1992).
    """
    values = sample.detach().double().numpy()
    values = values[:: max(1, len(values) // _MOST_DRAWS)]
    low, high = float(values.min()), float(values.max())
    has_spread = high > low
    margin = 0.1 * (high - low) or 1.0
    center = float(fitted.mean.detach().double().mean())
    deviation = float(fitted.stddev.detach().double().max())
    reach = 4 * deviation if np.isfinite(deviation) else 0.0  # heavy tails have no standard deviation
    label = f"fitted density (around {center:.4g}, outside the figure)"
    if low - _FARTHEST * (high - low) - reach <= center <= high + _FARTHEST * (high - low) + reach:
        low, high, label = min(low, center - reach), max(high, center + reach), "fitted density"
    grid = np.linspace(low - margin, high + margin, 400)
    figure = new_figure()
    axes = figure.add_subplot()
    if has_spread:
        axes.fill_between(
            grid, gaussian_kde(values)(grid), color="tab:blue", alpha=0.3, label="kernel density of sample"
        )
    with torch.no_grad():
        log_density = fitted.log_prob(torch.from_numpy(grid))
    axes.plot(grid, log_density.exp().numpy(), color="tab:orange", label=label)
    axes.plot(values[:500], np.zeros(len(values[:500])), "|", color="tab:blue", alpha=0.5)
    axes.set_xlabel(labels[0])
    axes.set_ylabel(labels[1])
    axes.set_title(title)
    top = axes.get_ylim()[1]
    axes.set_ylim(-0.01 * top, 1.25 * top)  # room for the legend above the peak
    axes.legend(loc="upper left", frameon=False)
    return figure
