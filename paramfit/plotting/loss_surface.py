"""The loss as a landscape, and the way down."""

from typing import Any

import numpy as np
import torch
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatterSciNotation, LogLocator
from torch import Tensor, nn

from paramfit.models.base import natural_values, specification_of, trainable_parameters, unconstrained_values
from paramfit.objectives import Objective
from paramfit.observations import Observations
from paramfit.parameters import ParameterSpec
from paramfit.plotting.descent_path import arrows_along, draw_optimum, draw_path, holds_optimum
from paramfit.plotting.image import drawn_text, new_figure, with_unit
from paramfit.plotting.loss_grid import loss_on_grid

__all__ = ["loss_surface_figure"]

_MOST_GROWTH = 1e4
_NEAREST = 0.1  # of the path's own distance from a bound: so near the surface comes to it
_CLOSEST = 1e-3  # of the axis, where the path itself ends at its bound
_NEAR_MINIMUM = 1e-3  # of the surface: of 121 by 121 points the 15 lowest
_ABOVE_PATH = 100.0  # in climbs of the path
_FEWEST_POINTS = 2  # even the worst explosion shows its first step


def loss_surface_figure(
    model: nn.Module,
    objective: Objective,
    observations: Observations,
    path: Tensor,
    title: str,
    *,
    optimum: Tensor | None = None,
    units: str | None = None,
    diverged: bool = False,
) -> Figure | None:
    """The loss around the path of descent, with the path drawn in; None without one or two scalar parameters.

    A path that explodes is drawn up to where its loss has left the first one far behind; the title says so. Of a fit
    that diverged each step is an arrow, so that it is seen to overshoot, and the last one leaves the window. A bounded
    parameter is drawn by its value, not by its unconstrained number, and the surface ends before the bound. None too
    where there is nothing to draw, as from a start whose loss is not finite.

    ``path`` ``(k, p)`` holds the trainable ``nn.Parameter``s after each recorded update, the start first; the
    observations are those that trained, as the model sees them. The ``optimum`` ``(p,)``, by values, is marked where
    it is in the window, which widens for it as long as the path can still be seen; otherwise an arrow points to it and
    says how far away it is. ``units`` says in which ones the axes are.
    """
    parameters = trainable_parameters(model)
    names, scalars = list(parameters), all(parameter.ndim == 0 for parameter in parameters.values())
    if len(names) not in {1, 2} or not scalars:
        return None
    path = path.to(observations.target.dtype)
    reached = along = loss_on_grid(model, objective, observations, {name: path[:, k] for k, name in enumerate(names)})
    shown = _before_explosion(along)
    if shown == 0:
        return None
    whole = shown == len(path)
    path = torch.stack(natural_values(model, names, [*path.unbind(1)]), dim=1)
    leaving = None if whole else path[shown]
    path, along = path[:shown], along[:shown]
    best = None if optimum is None else optimum.to(path.dtype)
    window = torch.cat([path, best.unsqueeze(0)]) if best is not None and holds_optimum(path, best) else path
    ranges = [_range(window[:, k], specification_of(model, name)) for k, name in enumerate(names)]
    axis = {name: unconstrained_values(model, name, values) for name, values in zip(names, ranges, strict=True)}
    figure = new_figure()
    axes = figure.add_subplot()
    if len(names) == 1:
        losses = loss_on_grid(model, objective, observations, axis)
        axes.plot(ranges[0].numpy(), losses.numpy(), color="0.6", label="loss")
        axes.set_ylabel("loss")
        draw_path(axes, path[:, 0], along, whole)
        drawn = torch.stack([path[:, 0], along], dim=1)
        axes.set(xlim=(ranges[0][0].item(), ranges[0][-1].item()), ylim=axes.get_ylim())
        if best is not None:
            at_best = loss_on_grid(
                model, objective, observations, {names[0]: unconstrained_values(model, names[0], best)}
            )
            best = torch.cat([best, at_best.reshape(1).to(best.dtype)])
        if leaving is not None:
            leaving = torch.stack([leaving[0], reached[shown]])
    else:
        grid = {names[0]: axis[names[0]].unsqueeze(0), names[1]: axis[names[1]].unsqueeze(1)}
        heights = _above_lowest(loss_on_grid(model, objective, observations, grid), along)
        if not heights.count():
            return None
        levels = _levels(heights, along)
        x, y = (values.numpy() for values in ranges)
        above = np.ma.maximum(heights, levels[0])  # the minimum itself has no logarithm
        extend = "max" if heights.max() > levels[-1] else "neither"
        filled = axes.contourf(x, y, above, levels=levels, norm=LogNorm(), cmap="Blues_r", extend=extend)
        figure.colorbar(
            filled, ax=axes, label="loss above the lowest shown", ticks=LogLocator(), format=LogFormatterSciNotation()
        )
        axes.set_ylabel(_label(model, names[1], units))
        draw_path(axes, path[:, 0], path[:, 1], whole)
        drawn = path
        # Without a margin: beyond a bound there is nothing.
        xlim, ylim = (torch.cat(both).aminmax() for both in zip(ranges, path.unbind(1), strict=True))
        axes.set(xlim=[end.item() for end in xlim], ylim=[end.item() for end in ylim])
    axes.set_xlabel(_label(model, names[0], units))
    if diverged:
        arrows_along(axes, drawn, leaving)
    if best is not None:
        words = ", ".join(f"{name} {value:.4g}" for name, value in zip(names, best.tolist(), strict=False))
        draw_optimum(axes, (best[0].item(), best[1].item()), (drawn[-1, 0].item(), drawn[-1, 1].item()), words)
    axes.set_title(drawn_text(title) if whole else f"{drawn_text(title)}:\nthe first {shown} points", fontsize="medium")
    # Outside: the path may go anywhere.
    figure.legend(loc="outside lower center", ncols=5, frameon=False, fontsize="small", columnspacing=1.2)
    return figure


def _before_explosion(along: Tensor) -> int:
    """How many points of the path can be drawn to one scale: up to where the loss has left its first size far behind.

    0 where even the first loss is not finite.
    """
    finite = _first(~torch.isfinite(along))
    if finite == 0:
        return 0
    grown = _first(along > _MOST_GROWTH * max(abs(along[0].item()), 1e-12))
    return min(finite, max(_FEWEST_POINTS, grown), len(along))


def _first(marked: Tensor) -> int:
    """Index of the first True; the length where there is none."""
    indices = marked.nonzero().flatten()
    return int(indices[0]) if len(indices) else len(marked)


def _range(values: Tensor, spec: ParameterSpec, points: int = 121) -> Tensor:
    """Around the values, but within the bounds."""
    finite = values[torch.isfinite(values)]
    low, high = finite.min().item(), finite.max().item()
    margin = 0.3 * (high - low) or max(1.0, 0.1 * abs(low))
    first, last = low - margin, high + margin
    if spec.bounded and spec.lower is not None:
        first = max(first, spec.lower + max(_NEAREST * (low - spec.lower), _CLOSEST * (last - spec.lower)))
    if spec.bounded and spec.upper is not None:
        last = min(last, spec.upper - max(_NEAREST * (spec.upper - high), _CLOSEST * (spec.upper - first)))
    return torch.linspace(first, last, points, dtype=values.dtype)


def _label(model: nn.Module, name: str, units: str | None) -> str:
    """Name with its unit, or with what all axes are in."""
    unit = specification_of(model, name).unit
    if unit is None and units is not None:
        return drawn_text(f"{name}, {units}")
    return with_unit(name, unit)


def _above_lowest(losses: Tensor, along: Tensor) -> Any:
    """Heights above the lowest loss shown; masked where there is no loss."""
    heights = np.ma.masked_invalid(losses.double().numpy())
    return heights - np.ma.minimum(heights.min(), float(along.min()))


def _levels(heights: Any, along: Tensor) -> Any:
    """Of colour, on a logarithmic scale: from a few cells around the minimum to well above the path.

    The lowest is what the grid can resolve, whatever the spread: on the way from a far start the loss may fall by many
    powers of ten, and the minimum would drown in a fixed share of it. The highest leaves out walls beyond the path.
    """
    drawn = heights.compressed()
    climbed = float(along.max() - along.min())
    highest = min(drawn.max(), max(_ABOVE_PATH * climbed, np.quantile(drawn, 0.5)))
    rounding = float(torch.finfo(along.dtype).eps) * max(abs(float(along.min())), highest)
    lowest = max(np.quantile(drawn, _NEAR_MINIMUM), rounding, 1e-300)
    return np.geomspace(lowest, max(highest, 1.01 * lowest), 30)
