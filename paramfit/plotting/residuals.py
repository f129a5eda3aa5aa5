"""Residuals, and observed against fitted values."""

import math
from collections.abc import Iterable, Sequence

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy.special import ndtri
from torch import Tensor

from paramfit.plotting.image import drawn_text, name_axes, new_figure
from paramfit.plotting.points import draw_dots, draw_points, parts, shown_rows

__all__ = ["normal_quantiles", "observed_figure", "residuals_by_input_figure", "residuals_figure"]

_BOUND = 2.0  # about 95 % of normal residuals lie within
_LINEAR = 4  # so far the axis is linear: within lie all but 6 of 100 000 normal residuals
_FAR = 10.0  # a residual beyond it would press the others into a line
_MOST_INPUTS = 12
_COLUMNS = 3


def residuals_figure(
    x: Tensor,
    residuals: Tensor,
    label_of_x: str,
    label_of_residual: str,
    held_out: Tensor | None = None,
    title: str | None = None,
) -> Figure:
    """Two panels: the residuals where they fell, and their quantiles against those of the normal distribution.

    On the left a good fit shows no pattern and about one point in twenty beyond the dashed lines at ±2; on the right it
    follows the line, on which standard normal residuals would lie. With an outlier beyond ±10 the axis is logarithmic
    beyond ±4, and says so.

    All tensors are ``(n,)``: ``x`` is the input, or the fitted value for models of several inputs, or the row for those
    of none; the residuals are observed minus fitted, over the standard deviation of an observation; ``held_out`` is
    True for rows that were held out, which have quantiles of their own.

    References:
        M. B. Wilk and R. Gnanadesikan: Probability plotting methods for the analysis of data (1968).
    """
    figure = new_figure(9.0, 4.4)
    left, right = figure.subplots(1, 2, sharey=True)
    _draw_residuals(left, x, residuals, label_of_x, held_out)
    left.set_title("Residuals")
    if title is not None:
        figure.suptitle(drawn_text(title), fontsize="medium")
    line = _draw_quantiles(right, residuals, held_out)
    left.set_ylabel(label_of_residual + _scale([left, right], residuals), parse_math=False)
    figure.legend(  # outside: residuals may lie anywhere
        handles=[*left.get_legend_handles_labels()[0], line], loc="outside lower center", ncols=4, frameon=False
    )
    return figure


def residuals_by_input_figure(
    inputs: Sequence[Tensor],
    residuals: Tensor,
    labels: Sequence[str],
    label_of_residual: str,
    held_out: Tensor | None = None,
    title: str | None = None,
) -> Figure:
    """One panel for each input ``(n,)``, the first 12 of very many: standardised residuals ``(n,)`` where they fell.

    A pattern in one panel says on which input the model depends in another way than it should.
    """
    shown = min(len(inputs), _MOST_INPUTS)
    columns = min(shown, _COLUMNS)
    rows = math.ceil(shown / columns)
    figure = new_figure(max(6.4, 4.0 * columns), 1.0 + 3.2 * rows)
    panels = figure.subplots(rows, columns, sharey=True, squeeze=False)
    drawn, unused = panels.flatten()[:shown], panels.flatten()[shown:]
    for axes in unused:
        axes.remove()
    for axes, x, label in zip(drawn, inputs, labels, strict=False):
        _draw_residuals(axes, x, residuals, label, held_out)
    scale = _scale(drawn, residuals)
    for axes in panels[:, 0]:
        axes.set_ylabel(label_of_residual + scale, parse_math=False)
    which = f"the first {shown} of {len(inputs)} inputs" if shown < len(inputs) else "each input"
    above = "" if title is None else f"{drawn_text(title)}\n"
    figure.suptitle(f"{above}Residuals against {which}", fontsize="large" if title is None else "medium")
    figure.legend(*drawn[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
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


def _draw_residuals(axes: Axes, x: Tensor, residuals: Tensor, label: str, held_out: Tensor | None) -> None:
    """The points, with the lines between which they should lie."""
    draw_points(axes, x, residuals, held_out)
    axes.axhline(0.0, color="0.3", linewidth=1, zorder=4)
    for bound, name in ((-_BOUND, None), (_BOUND, f"±{_BOUND:g}")):
        axes.axhline(bound, color="0.3", linewidth=1, linestyle="--", label=name, zorder=4)
    axes.set_xlabel(drawn_text(label))


def _scale(panels: Iterable[Axes], residuals: Tensor) -> str:
    """Make room for outliers that leaves the others theirs; what the label then says of the axis."""
    finite = residuals[residuals.isfinite()]
    if not bool((finite.abs() > _FAR).any()):
        return ""
    ends = finite.aminmax()
    low, high = 2 * min(ends.min.item(), -_LINEAR), 2 * max(ends.max.item(), _LINEAR)
    decades = math.ceil(math.log10(max(-low, high)))
    steps = [10.0**power for power in range(1, decades, math.ceil(decades / 4))]
    ticks = [*(-step for step in reversed(steps)), -_BOUND, 0.0, _BOUND, *steps]
    for axes in panels:
        axes.set_yscale("symlog", linthresh=_LINEAR, linscale=max(2.0, 0.5 * decades))
        axes.set_yticks([tick for tick in ticks if low <= tick <= high])
        axes.set_ylim(low, high)
        axes.yaxis.set_major_formatter("{x:g}")
        axes.minorticks_off()
    return f"\n(logarithmic beyond ±{_LINEAR})"


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


def observed_figure(
    fitted: Tensor, target: Tensor, label: str, held_out: Tensor | None = None, title: str | None = None
) -> Figure:
    """Observed against fitted values, both ``(n,)``; of a perfect fit every point lies on the identity line."""
    figure = new_figure(5.2, 5.0)
    axes = figure.add_subplot()
    low, high = min(fitted.min().item(), target.min().item()), max(fitted.max().item(), target.max().item())
    margin = 0.05 * (high - low) or 1.0
    ends = (low - margin, high + margin)
    axes.plot(ends, ends, color="tab:orange", label="observed = fitted", zorder=4)
    draw_points(axes, fitted, target, held_out)
    axes.set(xlim=ends, ylim=ends, aspect="equal")
    name_axes(axes, f"{label}: fitted", f"{label}: observed", "Observed against fitted")
    if title is not None:
        figure.suptitle(drawn_text(title), fontsize="medium")
    axes.legend()
    return figure
