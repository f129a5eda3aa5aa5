"""Which parameters the data hold together: contours of the likelihood beside the ellipse of the covariance."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray
from scipy.interpolate import RectBivariateSpline
from torch import Tensor

from paramfit.inference.profile.profiles import PairProfile
from paramfit.plotting.image import drawn_text, new_figure, with_unit

__all__ = ["contour_figure"]

_STYLES: tuple[Literal["-", "--", ":"], ...] = ("-", "--", ":")
_DEGREE = 3
_POINTS = 161
_MOST_NAMES = 6  # 15 panels
_LIKELIHOOD, _PLAIN, _TRACE = "tab:blue", "tab:orange", "0.45"


def contour_figure(
    pairs: Sequence[PairProfile],
    names: Sequence[str],
    covariance: Tensor | None,
    title: str,
    units: Mapping[str, str | None] | None = None,
) -> Figure:
    r"""A panel for each pair: where the profiled deviance has its 68 % and 95 % regions, with the plain ellipses.

    .. math:: D(\theta_i, \theta_j) = 2 \left[ \ell_{max} - \max_{\text{the others}} \ell(\theta) \right], \qquad
        \Delta^T C^{-1} \Delta

    The two profile traces are drawn in: along one, the second parameter is at its best for each value of the first,
    along the other the first for each value of the second. They meet a contour where it turns. Of a model linear in its
    parameters with normal errors the traces are straight and the contours are the ellipses.

    The first parameter of a pair gives the column, the second the row; pairs among the first six names are drawn, and
    the title says so. ``covariance`` ``(p, p)``, of the parameters ``names``, is plain and in the natural space.

    References:
        Douglas M. Bates and Donald G. Watts: Nonlinear Regression Analysis and Its Applications (1988), chapter 6.
    """
    among = list(dict.fromkeys(name for pair in pairs for name in pair.names))
    kept = set(among[:_MOST_NAMES])
    shown = [pair for pair in pairs if kept.issuperset(pair.names)]
    across, down = (list(dict.fromkeys(pair.names[k] for pair in shown)) for k in (0, 1))
    places = {(down.index(pair.names[1]), across.index(pair.names[0])): pair for pair in shown}
    single = len(shown) == 1
    width = 6.0 if single else max(5.6, 0.8 + 2.5 * len(across))
    figure = new_figure(width, 1.3 + (3.7 if single else 2.1) * len(down))
    panels = figure.subplots(len(down), len(across), squeeze=False, sharex="col", sharey="row")
    named = units or {}
    ellipses = False
    for (row, column), axes in np.ndenumerate(panels):
        pair = places.get((row, column))
        if pair is None:
            axes.remove()
            continue
        ellipses |= _draw(axes, pair, _inner(names, covariance, pair.names))
        lowest = not any(other[0] > row and other[1] == column for other in places)
        leftmost = not any(other[0] == row and other[1] < column for other in places)
        axes.tick_params(labelbottom=lowest, labelleft=leftmost)
        if lowest:
            axes.set_xlabel(with_unit(pair.names[0], named.get(pair.names[0])))
        if leftmost:
            axes.set_ylabel(with_unit(pair.names[1], named.get(pair.names[1])))
    cut = "" if len(shown) == len(pairs) else f": {len(shown)} of {len(pairs)} pairs"
    figure.suptitle(drawn_text(f"{title}{cut}"), fontsize="medium")
    handles, columns = _legend(sorted(shown[0].levels), ellipses), 2 if len(across) <= 2 else 3
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, frameon=False, fontsize="small")
    return figure


def _draw(axes: Axes, pair: PairProfile, covariance: Tensor | None) -> bool:
    """One pair; whether there are ellipses."""
    deviance = np.asarray(pair.deviance, dtype=np.float64)
    first, second = np.asarray(pair.first), np.asarray(pair.second)
    heights = [pair.levels[level] for level in sorted(pair.levels)]
    across, up, surface = _smooth(first, second, deviance, heights[-1])
    for height, style in zip(heights, _STYLES, strict=False):
        if surface.count() and surface.min() < height < surface.max():  # a flat likelihood may never be so low
            axes.contour(across, up, surface.T, levels=[height], colors=_LIKELIHOOD, linestyles=style)
    for trace in (_trace(first, second, deviance), _trace(second, first, deviance.T)[:, ::-1]):
        axes.plot(trace[:, 0], trace[:, 1], "-.", color=_TRACE, linewidth=0.9)
    axes.plot([pair.estimates[0]], [pair.estimates[1]], "D", color="0.15", markersize=4)
    edges = [] if covariance is None else [_ellipse(pair.estimates, covariance, height) for height in heights]
    points = np.concatenate([np.stack([first[[0, -1]], second[[0, -1]]], axis=1), *edges])
    for edge, style in zip(edges, _STYLES, strict=False):
        axes.plot(edge[:, 0], edge[:, 1], style, color=_PLAIN, linewidth=1.2)
    margin = 0.03 * np.ptp(points, axis=0)
    low, high = points.min(0) - margin, points.max(0) + margin
    before = axes.dataLim  # panels of one row share an axis
    axes.set_xlim(min(low[0], before.x0), max(high[0], before.x1))
    axes.set_ylim(min(low[1], before.y0), max(high[1], before.y1))
    axes.locator_params(nbins=4)
    return bool(edges)


def _smooth(
    first: NDArray[np.float64], second: NDArray[np.float64], deviance: NDArray[np.float64], highest: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], Any]:
    """The deviance on a finer grid, by a spline of its logarithm, which is calm where a corner is steep.

    As it is where it is not finite everywhere: what is infinite lies outside every contour, and NaN stays a hole.
    """
    if len(first) <= _DEGREE or len(second) <= _DEGREE or not np.isfinite(deviance).all():
        return first, second, np.ma.masked_invalid(np.where(np.isinf(deviance), 100 * highest, deviance))
    fine = [np.linspace(axis[0], axis[-1], _POINTS) for axis in (first, second)]
    spline = RectBivariateSpline(first, second, np.log1p(deviance.clip(0.0)), kx=_DEGREE, ky=_DEGREE)
    return fine[0], fine[1], np.ma.asarray(np.expm1(spline(*fine)))


def _trace(
    along: NDArray[np.float64], across: NDArray[np.float64], deviance: NDArray[np.float64]
) -> NDArray[np.float64]:
    """For each value along, the value across where the deviance is lowest, ``(m, 2)``, by a parabola through three."""
    minima = []
    for value, row in zip(along, deviance, strict=True):
        if not np.isfinite(row).any():
            continue
        k = int(np.nanargmin(row))
        if not 0 < k < len(row) - 1 or not np.isfinite(row[k - 1 : k + 2]).all():
            continue  # the lowest place lies beyond the grid
        bend, slope, _ = np.polyfit(across[k - 1 : k + 2] - across[k], row[k - 1 : k + 2], 2)
        minima.append((value, across[k] - slope / (2 * bend) if bend > 0 else across[k]))
    return np.asarray(minima, dtype=np.float64).reshape(-1, 2)


def _inner(names: Sequence[str], covariance: Tensor | None, pair: tuple[str, str]) -> Tensor | None:
    """The covariance of two parameters, ``(2, 2)``, where it is known and positive definite."""
    if covariance is None:
        return None
    at = torch.tensor([list(names).index(name) for name in pair])
    inner = covariance.detach().double()[at][:, at]
    if not bool(inner.isfinite().all()) or bool(torch.linalg.cholesky_ex(inner).info):
        return None
    return inner


def _ellipse(center: tuple[float, float], covariance: Tensor, height: float) -> NDArray[np.float64]:
    """Where the quadratic form has the given height, ``(181, 2)``."""
    angle = np.linspace(0, 2 * np.pi, 181)
    factor = torch.linalg.cholesky(covariance).numpy()
    circle = np.stack([np.cos(angle), np.sin(angle)], 1)
    edge: NDArray[np.float64] = np.asarray(center) + height**0.5 * circle @ factor.T
    return edge


def _legend(levels: Sequence[float], ellipses: bool) -> list[Line2D]:
    """One line for each thing that is drawn."""
    kinds = [("profiled deviance", _LIKELIHOOD, 1.5)] + [("plain ellipse", _PLAIN, 1.2)] * ellipses
    handles = [
        Line2D([], [], color=color, linestyle=style, linewidth=width, label=f"{kind}, {100 * level:.4g} %")
        for kind, color, width in kinds
        for style, level in zip(_STYLES, levels, strict=False)
    ]
    return [
        *handles,
        Line2D([], [], color=_TRACE, linewidth=0.9, linestyle="-.", label="profile traces"),
        Line2D([], [], color="0.15", marker="D", markersize=4, linestyle="", label="estimate"),
    ]
