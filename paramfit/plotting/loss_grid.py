"""The loss at many values of the parameters."""

import warnings
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.func import functional_call

from paramfit.distributions.domain import unchecked
from paramfit.models import FunctionModel, ParametricModel
from paramfit.objectives import Objective
from paramfit.observations import Observations

__all__ = ["loss_on_grid"]

_MOST_ELEMENTS = 4_000_000
# What torch, Python's arithmetic and a distribution's checks raise; InputError is a ValueError.
_REFUSALS = (ArithmeticError, RuntimeError, TypeError, ValueError)


def loss_on_grid(model: nn.Module, objective: Objective, observations: Observations, grid: dict[str, Tensor]) -> Tensor:
    """The loss at every point of a grid of parameters: its broadcast shape; NaN where model or objective refuse.

    A ``ParametricModel`` broadcasts: the whole grid is one call (or as few as memory allows). A ``FunctionModel``
    promises that only of elementwise functions, and any other model promises nothing: they are mapped over the points
    (``torch.vmap``), or called point by point where torch cannot map them, as those that decide by a parameter's value.

    The grid has for each parameter its values, of shapes that broadcast with each other; the objective's penalty is
    taken over these.
    """
    broadcasts = isinstance(model, ParametricModel) and not isinstance(model, FunctionModel)
    with torch.no_grad(), unchecked():
        for way in (_together, _mapped) if broadcasts else (_mapped,):
            try:
                return way(model, objective, observations, grid) + _penalty(objective, grid)
            except _REFUSALS:
                continue  # one point that is refused spoils the others
        return _one_by_one(model, objective, observations, grid) + _penalty(objective, grid)


def _together(model: nn.Module, objective: Objective, observations: Observations, grid: dict[str, Tensor]) -> Tensor:
    """The grid leads the observations, which are taken in parts."""
    shape = _broadcast(grid.values())[0].shape
    rows = max(1, _MOST_ELEMENTS // shape.numel())
    total = torch.zeros(())
    for start in range(0, observations.n, rows):
        part = observations.rows(slice(start, start + rows))
        prediction = functional_call(model, grid, part.inputs)
        if isinstance(prediction, Tensor):
            prediction = prediction.expand(*shape, part.n)  # without inputs it is one number for all observations
        total = total + objective.total(prediction, *part.measured)
    return objective.finish(total, observations.n)


def _mapped(model: nn.Module, objective: Objective, observations: Observations, grid: dict[str, Tensor]) -> Tensor:
    """Each point by itself, for the model; the operations are those of all points at once."""
    columns = _broadcast(grid.values())
    points = {name: column.reshape(-1) for name, column in zip(grid, columns, strict=True)}

    def loss(point: dict[str, Tensor]) -> Tensor:
        return objective(functional_call(model, point, observations.inputs), *observations.measured)

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "There is a performance drop")  # still quicker than one by one
        losses: Tensor = torch.vmap(loss, chunk_size=max(1, _MOST_ELEMENTS // observations.n))(points)
    return losses.view(columns[0].shape)


def _one_by_one(model: nn.Module, objective: Objective, observations: Observations, grid: dict[str, Tensor]) -> Tensor:
    columns = _broadcast(grid.values())
    points = torch.stack([column.reshape(-1) for column in columns], dim=1)
    losses = [_loss_at(model, objective, observations, dict(zip(grid, point, strict=True))) for point in points]
    return torch.stack(losses).view(columns[0].shape)


def _loss_at(model: nn.Module, objective: Objective, observations: Observations, point: dict[str, Tensor]) -> Tensor:
    """The loss at one point; NaN where it is refused."""
    try:
        return objective(functional_call(model, point, observations.inputs), *observations.measured)
    except _REFUSALS:
        return torch.tensor(float("nan"), dtype=observations.target.dtype)


def _penalty(objective: Objective, grid: dict[str, Tensor]) -> Tensor:
    """The penalty at every point; ``Objective.penalty`` itself adds up the whole grid."""
    parts = [objective.l1 * values.abs() + objective.l2 * values.square() for values in grid.values()]
    return torch.stack(_broadcast(parts)).sum(0)


def _broadcast(tensors: Iterable[Tensor]) -> list[Tensor]:
    return list(torch.broadcast_tensors(*tensors))  # type: ignore[no-untyped-call]  # torch leaves it untyped
