"""The loss as a landscape, and the way down."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatterSciNotation, LogLocator
from torch import Tensor, nn
from torch.func import functional_call

from paramfit.models import ParametricModel
from paramfit.models.base import natural_values
from paramfit.objectives import Objective
from paramfit.observations import Observations
from paramfit.parameters import ParameterSpec
from paramfit.plotting.image import new_figure

__all__ = ["loss_on_grid", "loss_surface_figure"]

_MOST_ELEMENTS = 4_000_000
_MOST_GROWTH = 1e4
_NEAREST = 0.1  # of the path's own distance from a bound: so near the surface comes to it
_CLOSEST = 1e-3  # of the axis, where the path itself ends at its bound
_FEWEST_POINTS = 2  # even the worst explosion shows its first step


def loss_on_grid(model: nn.Module, objective: Objective, observations: Observations, grid: dict[str, Tensor]) -> Tensor:
    """The loss at every point of a grid of parameters.

    A ``ParametricModel`` broadcasts: the whole grid is one call (or as few as memory allows). Any other model is
    called point by point.

    Args:
        model: gives the prediction.
        objective: gives the loss; its penalty is taken over the parameters of the grid.
        observations: all observations.
        grid: for each parameter its values, of shapes that broadcast with each other.

    Returns:
        The loss in the grid's broadcast shape.
    """
    with torch.no_grad():
        if not isinstance(model, ParametricModel):
            names, columns = list(grid), _broadcast(grid.values())
            points = torch.stack([column.reshape(-1) for column in columns], dim=1)
            losses = [
                _loss_at(model, objective, observations, dict(zip(names, point, strict=True))) for point in points
            ]
            return torch.stack(losses).view(columns[0].shape) + _penalty(objective, grid)
        size = _broadcast(grid.values())[0].numel()
        rows = max(1, _MOST_ELEMENTS // size)
        total = torch.zeros(())
        for start in range(0, observations.n, rows):
            part = observations.rows(slice(start, start + rows))
            total = total + objective.total(functional_call(model, grid, part.inputs), *part.measured)
        return objective.finish(total, observations.n) + _penalty(objective, grid)


def _penalty(objective: Objective, grid: dict[str, Tensor]) -> Tensor:
    """The penalty at every point; ``Objective.penalty`` itself adds up the whole grid."""
    parts = [objective.l1 * values.abs() + objective.l2 * values.square() for values in grid.values()]
    return torch.stack(_broadcast(parts)).sum(0)


def _broadcast(tensors: Iterable[Tensor]) -> list[Tensor]:
    return list(torch.broadcast_tensors(*tensors))  # type: ignore[no-untyped-call]  # torch leaves it untyped


def _loss_at(model: nn.Module, objective: Objective, observations: Observations, point: dict[str, Tensor]) -> Tensor:
    """The loss at one point; NaN where a distribution refuses its parameters."""
    try:
        return objective(functional_call(model, point, observations.inputs), *observations.measured)
    except ValueError:
        return torch.tensor(float("nan"), dtype=observations.target.dtype)


def loss_surface_figure(
    model: nn.Module, objective: Objective, observations: Observations, path: Tensor, title: str
) -> Figure | None:
    """The loss around the path of descent, with the path drawn in.

    A path that explodes is drawn up to where its loss has left the first one far behind; the title says so. A bounded
    parameter is drawn by its value, not by its unconstrained number, and the surface ends before the bound.

    Args:
        model: a model of one or two scalar parameters; others give None.
        objective: gives the loss.
        observations: all training observations, as the model sees them.
        path: the trainable ``nn.Parameter``s after each recorded update, the start first, ``(k, p)``.
        title: what was fitted.

    Returns:
        The figure; None where there is nothing to draw, as from a start whose loss is not finite.
    """
    names = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    scalars = all(parameter.ndim == 0 for parameter in model.parameters() if parameter.requires_grad)
    if len(names) not in {1, 2} or not scalars:
        return None
    path = path.to(observations.target.dtype)
    along = loss_on_grid(model, objective, observations, {name: path[:, k] for k, name in enumerate(names)})
    shown = _before_explosion(along)
    if shown == 0:
        return None
    whole = shown == len(path)
    path, along = path[:shown], along[:shown]
    path = torch.stack(natural_values(model, names, [*path.unbind(1)]), dim=1)
    ranges = [_range(path[:, k], _specification(model, name)) for k, name in enumerate(names)]
    axis = {name: _unconstrained(model, name, values) for name, values in zip(names, ranges, strict=True)}
    figure = new_figure()
    axes = figure.add_subplot()
    if len(names) == 1:
        losses = loss_on_grid(model, objective, observations, axis)
        axes.plot(ranges[0].numpy(), losses.numpy(), color="0.6", label="loss")
        axes.set_ylabel("loss")
        _draw_path(axes, path[:, 0], along, whole)
    else:
        grid = {names[0]: axis[names[0]].unsqueeze(0), names[1]: axis[names[1]].unsqueeze(1)}
        heights = _above_minimum(loss_on_grid(model, objective, observations, grid), along)
        if not heights.count():
            return None
        levels = np.geomspace(heights.min(), max(heights.max(), heights.min() * 1.01), 30)
        filled = axes.contourf(
            ranges[0].numpy(), ranges[1].numpy(), heights, levels=levels, norm=LogNorm(), cmap="Blues_r"
        )
        figure.colorbar(
            filled,
            ax=axes,
            label="loss above the lowest shown",
            ticks=LogLocator(),
            format=LogFormatterSciNotation(),
        )
        axes.set_ylabel(_label(model, names[1]), parse_math=False)
        _draw_path(axes, path[:, 0], path[:, 1], whole)
        # Without a margin: beyond a bound there is nothing.
        ends = [torch.cat(both).aminmax() for both in zip(ranges, path.unbind(1), strict=True)]
        axes.set_xlim(ends[0].min.item(), ends[0].max.item())
        axes.set_ylim(ends[1].min.item(), ends[1].max.item())
    axes.set_xlabel(_label(model, names[0]), parse_math=False)
    axes.set_title(title if whole else f"{title}: the first {shown} points")
    figure.legend(loc="outside lower center", ncols=4, frameon=False)  # outside: the path may go anywhere
    return figure


def _draw_path(axes: Axes, x: Tensor, y: Tensor, whole: bool) -> None:
    """The path with its two ends."""
    axes.plot(x.numpy(), y.numpy(), ".-", color="tab:red", linewidth=1, markersize=3, label="path of descent")
    ends = (("o", "white", 7, "start", 0), ("*", "gold", 13, "end" if whole else "last point shown", -1))
    for marker, color, size, label, at in ends:
        axes.plot(
            [x[at].item()], [y[at].item()], marker, color=color, markeredgecolor="0.15", markersize=size, label=label
        )


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
    found = marked.nonzero().flatten()
    return int(found[0]) if len(found) else len(marked)


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


def _specification(model: nn.Module, name: str) -> ParameterSpec:
    specifications = model.specifications if isinstance(model, ParametricModel) else {}
    return specifications.get(name, ParameterSpec())


def _unconstrained(model: nn.Module, name: str, values: Tensor) -> Tensor:
    """What the ``nn.Parameter`` is at these values of the parameter."""
    transform = model.transforms.get(name) if isinstance(model, ParametricModel) else None
    if transform is None:
        return values
    found: Tensor = transform.inv(values)
    return found


def _label(model: nn.Module, name: str) -> str:
    """Name with unit."""
    unit = _specification(model, name).unit
    return name if unit is None else f"{name} ({unit})"


def _above_minimum(losses: Tensor, along: Tensor) -> Any:
    """Heights above the lowest loss shown, kept above 0 for a logarithmic scale; masked where there is no loss."""
    heights = np.ma.masked_invalid(losses.double().numpy())
    lowest = np.ma.minimum(heights.min(), float(along.min()))
    spread = heights.max() - lowest
    return np.ma.maximum(heights - lowest, 1e-4 * spread if spread > 0 else 1e-12)
