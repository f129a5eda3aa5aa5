"""The loss as a landscape, and the way down."""

from collections.abc import Iterable

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatterSciNotation, LogLocator
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call

from paramfit.models import ParametricModel
from paramfit.objectives import Objective
from paramfit.observations import Observations
from paramfit.plotting.image import new_figure

__all__ = ["loss_on_grid", "loss_surface_figure"]

_MOST_ELEMENTS = 4_000_000
_MOST_GROWTH = 1e4
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
            total = total + objective.total(functional_call(model, grid, part.inputs), part.target, part.sigma)
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
        return objective(functional_call(model, point, observations.inputs), observations.target, observations.sigma)
    except ValueError:
        return torch.tensor(float("nan"), dtype=observations.target.dtype)


def loss_surface_figure(
    model: nn.Module, objective: Objective, observations: Observations, path: Tensor, title: str
) -> Figure | None:
    """The loss around the path of descent, with the path drawn in.

    A path that explodes is drawn up to where its loss has left the first one far behind; the title says so.

    Args:
        model: a model of one or two scalar parameters; others give None.
        objective: gives the loss.
        observations: all training observations, as the model sees them.
        path: parameters after each recorded update, the start first, ``(k, p)``.
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
    ranges = [_range(path[:, k]) for k in range(len(names))]
    figure = new_figure()
    axes = figure.add_subplot()
    if len(names) == 1:
        losses = loss_on_grid(model, objective, observations, {names[0]: ranges[0]})
        axes.plot(ranges[0].numpy(), losses.numpy(), color="0.6", label="loss")
        axes.set_ylabel("loss")
        _draw_path(axes, path[:, 0], along, whole)
    else:
        grid = {names[0]: ranges[0].unsqueeze(0), names[1]: ranges[1].unsqueeze(1)}
        heights = _above_minimum(loss_on_grid(model, objective, observations, grid), along)
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
        axes.set_ylabel(names[1])
        _draw_path(axes, path[:, 0], path[:, 1], whole)
    axes.set_xlabel(names[0])
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


def _range(values: Tensor, points: int = 121) -> Tensor:
    finite = values[torch.isfinite(values)]
    low, high = finite.min().item(), finite.max().item()
    margin = 0.3 * (high - low) or max(1.0, 0.1 * abs(low))
    return torch.linspace(low - margin, high + margin, points, dtype=values.dtype)


def _above_minimum(losses: Tensor, along: Tensor) -> NDArray[np.float64]:
    """Heights above the lowest loss shown, kept above 0 for a logarithmic scale."""
    heights = losses.double().numpy()
    lowest = min(float(np.nanmin(heights)), float(along.min()))
    spread = float(np.nanmax(heights)) - lowest
    result: NDArray[np.float64] = np.maximum(heights - lowest, 1e-4 * spread if spread > 0 else 1e-12)
    return result
