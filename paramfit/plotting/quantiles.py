"""Does the sample follow the fitted distribution? Its quantiles and probabilities against the expected ones."""

from typing import NamedTuple

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.special import betaincinv, ndtri
from torch import Tensor
from torch.distributions import Distribution, Normal

from paramfit.distributions.cdf import cumulative, mid_cumulative, mid_quantile, quantile, unrolled
from paramfit.distributions.support import support_of
from paramfit.plotting.image import drawn_text, name_axes, new_figure
from paramfit.plotting.points import draw_dots, parts, shown_rows

__all__ = ["quantile_figure", "quantile_residual_figure", "quantile_residuals"]

_TAIL = 0.025  # to each side of the 95 % band
_BAND_RANKS = 200
_NEAREST_TO_ONE = 1 - 2.0**-53
_NEAREST_TO_ZERO = 1e-300


class _Points(NamedTuple):
    """What is drawn: values and probabilities, observed and expected, each ``(m,)``."""

    observed: Tensor
    expected: Tensor
    fitted_probability: Tensor
    position: Tensor


def quantile_figure(
    sample: Tensor, fitted: Distribution, label: str, title: str, held_out: Tensor | None = None
) -> Figure:
    r"""Two panels: quantiles of the sample against those of the fitted distribution, and probabilities likewise.

    The i-th smallest of n values stands at the median of the i-th order statistic, whose probability has a beta
    distribution; the band holds 95 % of it at each point,

    .. math:: F(Y_{(i)}) \sim \mathrm{Beta}(i,\, n + 1 - i)

    It is the band of a distribution that is known: one fitted to the same sample follows it more closely, so that fewer
    than one point in twenty should leave the band. The left panel shows the tails, the right one the middle.

    Of a discrete distribution each value is drawn once, at the middle of its ranks, against the mid-distribution
    function (linear between the integers); the band is then too wide rather than too narrow.

    Of very many observations ``(n,)`` a choice and the extremes are drawn; held-out ones have ranks of their own. The
    fitted distribution has the batch shape ``()`` or ``(1,)``.

    References:
        M. B. Wilk and R. Gnanadesikan: Probability plotting methods for the analysis of data (1968).
        Yanyuan Ma, Marc G. Genton and Emanuel Parzen: Asymptotic properties of sample quantiles of discrete
        distributions (2011).
    """
    labels = (f"fitted quantile: {label}", f"observed: {label}")
    values = unrolled(fitted, sample.detach().double())
    return _figure(values, fitted, held_out, labels, title, drawn_text(f"sample = {type(fitted).__name__}"))


def quantile_residual_figure(residuals: Tensor, title: str, held_out: Tensor | None = None) -> Figure:
    """Two panels: ``quantile_residuals`` ``(n,)`` of a regression against the standard normal distribution."""
    normal = Normal(torch.zeros((), dtype=torch.float64), 1.0)
    labels = ("quantile of the normal distribution", "quantile residual")
    return _figure(residuals.detach().double(), normal, held_out, labels, title, "standard normal")


def quantile_residuals(fitted: Distribution, target: Tensor, seed: int = 0) -> Tensor:
    r"""What is left over where each observation has a distribution of its own: standard normal, if the model is right.

    .. math:: r_i = \Phi^{-1}(u_i), \qquad u_i = F_i(y_i)
        \quad\text{or, discrete,}\quad u_i \sim \mathrm{Uniform}(F_i(y_i - 1),\, F_i(y_i))

    The distribution has the batch shape ``(n,)`` or one that broadcasts; the seed is for discrete ones only. Of
    ``(n,)`` observations in the support the residuals are ``(n,)``, float64; beyond what float64 can tell from
    probability 0 or 1 they are -37 or 8.2.

    References:
        Peter K. Dunn and Gordon K. Smyth: Randomized quantile residuals (1996).
    """
    probability = cumulative(fitted, target)
    if support_of(fitted).discrete:
        before = cumulative(fitted, target.double() - 1)
        drawn = torch.rand(len(target), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        probability = before + drawn * (probability - before)
    return torch.from_numpy(ndtri(probability.clamp(_NEAREST_TO_ZERO, _NEAREST_TO_ONE).numpy()))


def _figure(
    sample: Tensor, fitted: Distribution, held_out: Tensor | None, labels: tuple[str, str], title: str, line: str
) -> Figure:
    """Both panels, with one legend for both."""
    locate = _discrete_points if support_of(fitted).discrete else _points
    panels = {name: locate(sample[rows], fitted) for name, rows in parts(len(sample), held_out).items()}
    figure = new_figure(9.0, 4.6)
    left, right = figure.subplots(1, 2)
    trained = sample if held_out is None or bool(held_out.all()) else sample[~held_out]
    bands = _band(len(trained), fitted, trained)
    for axes, (x, low, high) in zip((left, right), bands, strict=True):
        axes.fill_between(
            x.numpy(), low.numpy(), high.numpy(), color="tab:orange", alpha=0.2, linewidth=0, label="95 % band"
        )
    for name, points in panels.items():
        draw_dots(left, points.expected, points.observed, name, name)
        draw_dots(right, points.position, points.fitted_probability, name, name)
    _draw_diagonal(left, torch.cat([torch.cat([points.expected, points.observed]) for points in panels.values()]), line)
    _draw_diagonal(right, torch.tensor([0.0, 1.0]), line)
    name_axes(left, *labels, "Quantiles")
    name_axes(right, "expected probability", "fitted probability of the observed", "Probabilities")
    right.set_aspect("equal")
    figure.suptitle(drawn_text(title), fontsize="medium")
    handles, names = left.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=4, frameon=False)
    return figure


def _draw_diagonal(axes: Axes, values: Tensor, label: str) -> None:
    """The line of a perfect fit, to which the panel is cut: the band of a heavy tail may be far wider."""
    finite = values[values.isfinite()].double()
    low, high = (finite.min().item(), finite.max().item()) if len(finite) else (0.0, 1.0)
    margin = 0.04 * (high - low) or 1.0
    ends = (low - margin, high + margin)
    axes.plot(ends, ends, color="tab:orange", linewidth=1, label=label, zorder=4)
    axes.set(xlim=ends, ylim=ends)


def _points(sample: Tensor, fitted: Distribution) -> _Points:
    """Each value of a continuous sample at the median of its order statistic."""
    ordered = sample.sort().values
    shown = shown_rows(ordered)
    observed, position = ordered[shown], _order_statistic(shown + 1.0, len(sample), 0.5)
    return _Points(observed, quantile(fitted, position, sample), cumulative(fitted, observed), position)


def _discrete_points(sample: Tensor, fitted: Distribution) -> _Points:
    """Each distinct value of a discrete sample at the middle of its ranks."""
    values, counts = torch.unique(sample, return_counts=True)
    middle = (counts.cumsum(0) - counts / 2) / len(sample)
    shown = shown_rows(values)
    observed, position = values[shown], middle[shown].double()
    return _Points(observed, mid_quantile(fitted, position, sample), mid_cumulative(fitted, observed), position)


def _band(n: int, fitted: Distribution, near: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """Where 95 % of samples have a point: its abscissa and the ends of the band, each ``(m,)``, in both panels."""
    ranks = _ranks(n)
    low, middle, high = (_order_statistic(ranks, n, probability) for probability in (_TAIL, 0.5, 1 - _TAIL))
    inverse = quantile
    if support_of(fitted).discrete:
        middle, inverse = (ranks - 0.5) / n, mid_quantile
    probabilities = [middle, low, high]
    return [inverse(fitted, probability, near) for probability in probabilities], probabilities


def _ranks(n: int) -> Tensor:
    """Of up to 400 order statistics, close together at both ends, where the band bends."""
    one_side = np.geomspace(1, max(1.0, n / 2), _BAND_RANKS)
    return torch.from_numpy(np.unique(np.round(np.concatenate([one_side, n + 1 - one_side])))).double()


def _order_statistic(rank: Tensor, n: int, probability: float) -> Tensor:
    """Quantile of the rank-th smallest of n uniform numbers."""
    quantile = betaincinv(rank.double().numpy(), (n + 1 - rank).double().numpy(), probability)
    return torch.from_numpy(np.asarray(quantile)).clamp(_NEAREST_TO_ZERO, _NEAREST_TO_ONE)
