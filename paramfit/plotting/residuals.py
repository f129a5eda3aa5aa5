"""What a fit has left over: where, and how it is distributed."""

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy.special import ndtri
from torch import Tensor

from paramfit.plotting.image import new_figure
from paramfit.plotting.points import draw_dots, draw_points, parts, shown_rows

__all__ = ["normal_quantiles", "residuals_figure"]

_BOUND = 2.0  # about 95 % of normal residuals lie within


def residuals_figure(
    x: Tensor, residuals: Tensor, label_of_x: str, label_of_residual: str, held_out: Tensor | None = None
) -> Figure:
    """Two panels: the residuals where they fell, and their quantiles against those of the normal distribution.

    On the left a good fit shows no pattern and about one point in twenty beyond the dashed lines at ±2; on the right
    it follows the line, on which standard normal residuals would lie.

    Args:
        x: the input, or the fitted value for models of several inputs, ``(n,)``.
        residuals: standardised: observed minus fitted, over the standard deviation of an observation, ``(n,)``.
        label_of_x: name of x, with unit.
        label_of_residual: name of the residuals.
        held_out: ``(n,)``, True for rows that were held out; they have quantiles of their own.

    References:
        M. B. Wilk and R. Gnanadesikan: Probability plotting methods for the analysis of data (1968).
    """
    figure = new_figure(9.0, 4.4)
    left, right = figure.subplots(1, 2, sharey=True)
    draw_points(left, x, residuals, held_out)
    left.axhline(0.0, color="0.3", linewidth=1, zorder=4)
    for bound, label in ((-_BOUND, None), (_BOUND, f"±{_BOUND:g}")):
        left.axhline(bound, color="0.3", linewidth=1, linestyle="--", label=label, zorder=4)
    left.set_xlabel(label_of_x, parse_math=False)
    left.set_ylabel(label_of_residual, parse_math=False)
    left.set_title("Residuals")
    line = _draw_quantiles(right, residuals, held_out)
    figure.legend(  # outside: residuals may lie anywhere
        handles=[*left.get_legend_handles_labels()[0], line], loc="outside lower center", ncols=4, frameon=False
    )
    return figure


def normal_quantiles(n: int) -> Tensor:
    r"""Where the ordered values of n standard normal observations are expected, ``(n,)``, float64.

    The normal quantiles of the medians of uniform order statistics,

    .. math:: m_1 = 1 - 2^{-1/n}, \qquad m_i = \frac{i - 0.3175}{n + 0.365}, \qquad m_n = 2^{-1/n}

    References:
        James J. Filliben: The probability plot correlation coefficient test for normality (1975).
    """
    medians = (torch.arange(1, n + 1, dtype=torch.float64) - 0.3175) / (n + 0.365)
    medians[-1] = 0.5 ** (1 / n)
    medians[0] = 1 - medians[-1]
    return torch.from_numpy(ndtri(medians.numpy()))


def _draw_quantiles(axes: Axes, residuals: Tensor, held_out: Tensor | None) -> Line2D:
    """The points, and the line that it returns."""
    reach = _BOUND
    for name, rows in parts(len(residuals), held_out).items():
        expected, ordered = normal_quantiles(len(rows)), residuals[rows].sort().values
        shown = shown_rows(expected)
        draw_dots(axes, expected[shown], ordered[shown], name, name)
        reach = max(reach, expected[-1].item())
    ends = (-reach, reach)
    (line,) = axes.plot(ends, ends, color="tab:orange", linewidth=1, label="standard normal", zorder=4)
    axes.set_xlabel("quantile of the normal distribution")
    axes.set_title("Normal quantiles")
    return line
