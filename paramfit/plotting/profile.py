"""Is the parabola a fair picture of the likelihood? The profile of each parameter beside it."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from paramfit.inference.profile.profiles import Profile
from paramfit.plotting.image import drawn_text, new_figure, with_unit

__all__ = ["profile_figure"]

_MOST_PANELS = 16
_MOST_COLUMNS = 4
_HEADROOM = 2.0  # the curve is drawn up to this many times the threshold
_POINTS = 201

_Ends = tuple[float | None, float | None]


def profile_figure(
    profiles: Sequence[Profile],
    standard_errors: Mapping[str, float | None],
    title: str,
    units: Mapping[str, str | None] | None = None,
    quantity: str = "deviance, 2 (log L$_{max}$ − log L)",
) -> Figure:
    r"""A panel for each parameter: its profile beside the parabola of the plain error, with the interval of each.

    .. math:: D(\theta_k) = 2 \left[ \ell_{max} - \max_{\theta_{-k}} \ell(\theta) \right], \qquad
        \left( \frac{\theta_k - \hat\theta_k}{se_k} \right)^2

    Where the two part below the horizontal line, which is at 3.84 for 95 %, the plain interval is not that of the
    likelihood. Of more than 16 profiles the first are drawn, and the title says so. The standard errors are plain, in
    the natural space. For least squares the ``quantity`` on the vertical axis is ``(RSS − RSS_min) / s²``.

    References:
        Douglas M. Bates and Donald G. Watts: Nonlinear Regression Analysis and Its Applications (1988), chapter 6.
    """
    shown = profiles[:_MOST_PANELS]
    # 4 are drawn as 2 x 2 and 6 as 2 x 3, so that few places stay empty.
    columns = len(shown) if len(shown) <= 3 else min(_MOST_COLUMNS, math.ceil(math.sqrt(len(shown))))
    rows = math.ceil(len(shown) / columns)
    figure = new_figure(max(5.6, 3.1 * columns), 1.2 + (3.2 if rows == 1 else 2.5) * rows)
    panels = figure.subplots(rows, columns, squeeze=False).flatten().tolist()
    for unused in panels[len(shown) :]:
        unused.remove()
    for axes, profile in zip(panels, shown, strict=False):
        _draw(axes, profile, standard_errors.get(profile.name))
        axes.set_xlabel(with_unit(profile.name, None if units is None else units.get(profile.name)))
    cut = "" if len(shown) == len(profiles) else f": the first {len(shown)} of {len(profiles)} parameters"
    figure.suptitle(drawn_text(f"{title}{cut}"), fontsize="medium")
    figure.supylabel(quantity, fontsize="medium")
    handles: dict[str, Artist] = {}  # not every panel has every part
    for axes in figure.axes:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    abreast = 2 if columns == 1 else 3
    figure.legend(
        handles.values(), handles.keys(), loc="outside lower center", ncols=abreast, frameon=False, fontsize="small"
    )
    return figure


def _draw(axes: Axes, profile: Profile, error: float | None) -> None:
    """One parameter."""
    threshold = profile.limit**2
    values, deviance = _curve(profile)
    plain: _Ends = (None, None)
    if error is not None and 0 < error < math.inf:
        plain = (profile.estimate - profile.limit * error, profile.estimate + profile.limit * error)
    ends = (profile.lower, profile.upper)
    low, high = _limits(values[deviance <= _HEADROOM * threshold], profile.estimate, (*ends, *plain))
    label = f"{100 * profile.level:.4g} %: {threshold:.3g}"
    axes.axhline(threshold, color="0.4", linewidth=0.8, linestyle=":", label=label)
    if error is not None and plain[0] is not None:
        grid = np.linspace(low, high, _POINTS)
        parabola = ((grid - profile.estimate) / error) ** 2
        axes.plot(grid, parabola, "--", color="tab:orange", label="parabola of the plain error")
        _draw_ends(axes, plain, threshold, "tab:orange", "s", "plain interval")
    axes.plot(values, deviance, color="tab:blue", label="profile", zorder=3)
    _draw_ends(axes, ends, threshold, "tab:blue", "o", "profile interval")
    corner: dict[str, Any] = {"transform": axes.transAxes, "va": "top", "color": "tab:blue", "fontsize": 8}
    if not _finite([profile.lower]):
        axes.text(0.04, 0.96, "no lower end", ha="left", **corner)
    if not _finite([profile.upper]):
        axes.text(0.96, 0.96, "no upper end", ha="right", **corner)
    axes.plot([profile.estimate], [0.0], "D", color="0.15", markersize=4, label="estimate", zorder=5, clip_on=False)
    axes.set(xlim=(low, high), ylim=(0.0, _HEADROOM * threshold))
    axes.locator_params(axis="x", nbins=4)


def _curve(profile: Profile) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The profile between its few points: the signed root is nearly straight, and is interpolated before squaring."""
    values, roots = np.asarray(profile.values, dtype=np.float64), np.asarray(profile.tau, dtype=np.float64)
    kept = np.isfinite(values) & np.isfinite(roots)
    values, first = np.unique(values[kept], return_index=True)
    roots = roots[kept][first]
    if len(values) < 2:
        return values, roots**2
    grid = np.union1d(np.linspace(values[0], values[-1], _POINTS), values)
    return grid, PchipInterpolator(values, roots)(grid) ** 2


def _draw_ends(axes: Axes, ends: _Ends, height: float, color: str, marker: str, label: str) -> None:
    """Where an interval ends, with a stem down to the axis."""
    finite = _finite(ends)
    axes.vlines(finite, 0.0, height, color=color, linewidth=0.8, alpha=0.8)
    if finite:
        heights = [height] * len(finite)
        axes.plot(finite, heights, marker, color=color, markerfacecolor="white", markersize=5, label=label, zorder=4)


def _finite(ends: Sequence[float | None]) -> list[float]:
    return [end for end in ends if end is not None and math.isfinite(end)]


def _limits(shown: NDArray[np.float64], estimate: float, ends: Sequence[float | None]) -> tuple[float, float]:
    """What of the axis is shown: the profile below the top of the panel, and the ends of both intervals."""
    points = [estimate, *shown.tolist(), *_finite(ends)]
    margin = 0.06 * (max(points) - min(points)) or 1.0
    return min(points) - margin, max(points) + margin
