"""The loss as a landscape, and the way down."""

import numpy as np
import torch
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
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


def loss_on_grid(model: nn.Module, objective: Objective, observations: Observations, grid: dict[str, Tensor]) -> Tensor:
    """The loss at every point of a grid of parameters.

    A ``ParametricModel`` broadcasts: the whole grid is one call (or as few as memory allows). Any other model is
    called point by point.

    Args:
        model: gives the prediction.
        objective: gives the loss, without its penalty.
        observations: all observations.
        grid: for each parameter its values, of shapes that broadcast with each other.

    Returns:
        The loss in the grid's broadcast shape.
    """
    with torch.no_grad():
        if not isinstance(model, ParametricModel):
            names, columns = list(grid), torch.broadcast_tensors(*grid.values())
            points = torch.stack([column.reshape(-1) for column in columns], dim=1)
            losses = [
                objective(
                    functional_call(model, dict(zip(names, point, strict=True)), observations.inputs),
                    observations.target,
                )
                for point in points
            ]
            return torch.stack(losses).view(columns[0].shape)
        size = torch.broadcast_shapes(*(values.shape for values in grid.values())).numel()
        rows = max(1, _MOST_ELEMENTS // size)
        total = torch.zeros(())
        for start in range(0, observations.n, rows):
            part = observations.rows(slice(start, start + rows))
            total = total + objective.total(functional_call(model, grid, part.inputs), part.target)
        return objective.finish(total, observations.n)


def loss_surface_figure(
    model: nn.Module, objective: Objective, observations: Observations, path: Tensor, title: str
) -> Figure | None:
    """The loss around the path of descent, with the path drawn in.

    Args:
        model: a model of one or two scalar parameters; others give None.
        objective: gives the loss.
        observations: all training observations, as the model sees them.
        path: parameters after each recorded update, the start first, ``(k, p)``.
        title: what was fitted.
    """
    names = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    scalars = all(parameter.ndim == 0 for parameter in model.parameters() if parameter.requires_grad)
    if len(names) not in {1, 2} or not scalars:
        return None
    path = path.to(observations.target.dtype)
    along = loss_on_grid(model, objective, observations, {name: path[:, k] for k, name in enumerate(names)})
    shown = _before_explosion(along)
    path, along = path[:shown], along[:shown]
    axes_values = [_range(path[:, k]) for k in range(len(names))]
    figure = new_figure()
    axes = figure.add_subplot()
    if len(names) == 1:
        losses = loss_on_grid(model, objective, observations, {names[0]: axes_values[0]})
        axes.plot(axes_values[0].numpy(), losses.numpy(), color="0.6", label="loss")
        axes.plot(path[:, 0].numpy(), along.numpy(), "o-", color="tab:red", markersize=3, label="path of descent")
        axes.set_ylabel("loss")
    else:
        grid = {names[0]: axes_values[0].unsqueeze(0), names[1]: axes_values[1].unsqueeze(1)}
        heights = _above_minimum(loss_on_grid(model, objective, observations, grid), along)
        levels = np.geomspace(heights.min(), max(heights.max(), heights.min() * 1.01), 30)
        filled = axes.contourf(
            axes_values[0].numpy(), axes_values[1].numpy(), heights, levels=levels, norm=LogNorm(), cmap="viridis"
        )
        bar = figure.colorbar(filled, ax=axes, label="loss above the lowest shown", format="%.3g")
        bar.set_ticks(list(np.geomspace(levels[0], levels[-1], 6)))
        axes.plot(path[:, 0].numpy(), path[:, 1].numpy(), ".-", color="white", linewidth=1, markersize=3, label="path")
        axes.plot(*path[0].numpy(), "o", color="tab:orange", label="start")
        axes.plot(*path[-1].numpy(), "*", color="tab:red", markersize=12, label="end of path")
        axes.set_ylabel(names[1])
    axes.set_xlabel(names[0])
    axes.set_title(title if shown == len(path) else f"{title} (first {shown} points)")
    axes.legend()
    return figure


def _before_explosion(along: Tensor) -> int:
    """How many points of the path can be drawn to one scale: up to where the loss has left its first size far behind."""
    limit = _MOST_GROWTH * max(abs(along[0].item()), 1e-12)
    gone = (~torch.isfinite(along) | (along > limit)).nonzero().flatten()
    return max(2, int(gone[0])) if len(gone) else len(along)


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
