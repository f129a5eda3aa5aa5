"""What is to be said of observations for which a likelihood has no maximum: which they are, and what they share."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from paramfit.distributions import Censoring
from paramfit.facts import Fact, FactKind, Number
from paramfit.inference.loss_function import LossFunction
from paramfit.inference.sandwich import observation_gradients
from paramfit.linalg.lapack import Array
from paramfit.models import DistributionModel

__all__ = ["separation"]

_NOT_MOVED = 1e-7  # of the sum of what its parts move it


def separation(loss: LossFunction, direction: Array, start: Array) -> Fact:
    """The fact that goes with a direction ``(p,)`` in which the likelihood rises without end.

    ``start`` ``(p,)`` is a point from which the observations still move: far out nothing does any more.
    """
    slopes = -observation_gradients(loss, torch.from_numpy(start)).numpy()
    along = slopes @ direction
    moved = np.abs(along) > _NOT_MOVED * np.abs(slopes * direction).sum(axis=1)
    places = np.flatnonzero(direction)
    numbers: dict[str, Number] = {
        "shares": tuple(float(direction[k]) for k in places),
        "rows": int(moved.sum()),
        "observations": loss.n,
    }
    names = tuple(loss.names[k] for k in places)
    outcome = _common_outcome(loss, moved)
    columns = _columns(loss)
    if outcome is not None:
        place = next((_Place(name, at) for name, x in columns if (at := _own_value(x, moved)) is not None), None)
        column, value = (None, None) if place is None else place
        return Fact(FactKind.GROUP_WITHOUT_MAXIMUM, names, {**numbers, **outcome, "column": column, "at": value})
    target = loss.observations.target.numpy()
    threshold = next((limit for name, x in columns if (limit := _threshold(name, x, target, moved)) is not None), None)
    by = {"column": None} if threshold is None else threshold._asdict()
    together = ", ".join(name for name, x in columns if np.ptp(x[moved]) > 0)
    return Fact(
        FactKind.SEPARATED, names, {**numbers, **by, "columns": together, "outcomes": len(np.unique(target[moved]))}
    )


class _Place(NamedTuple):
    """Where a column has one value."""

    column: str
    value: float


class _Threshold(NamedTuple):
    """A value of a column that no row with one outcome exceeds and no row with another falls below."""

    column: str
    lower: float  # the outcome up to ``low``
    low: float
    upper: float  # the outcome from ``high`` on
    high: float


def _columns(loss: LossFunction) -> list[tuple[str, Array]]:
    """The inputs by name."""
    inputs = loss.observations.inputs
    named = loss.model.variables if isinstance(loss.model, DistributionModel) else ()
    names = named if len(named) == len(inputs) else [f"input {place}" for place in range(len(inputs))]
    return [(name, column.numpy()) for name, column in zip(names, inputs, strict=True)]


def _common_outcome(loss: LossFunction, moved: NDArray[np.bool_]) -> dict[str, Number] | None:
    """What all observations that are moved have in common: a value, or a censoring; None where they differ."""
    censoring = loss.observations.censoring
    statuses = np.zeros(loss.n) if censoring is None else censoring.status.numpy()
    kinds = np.unique(statuses[moved])
    if len(kinds) != 1:
        return None
    if kinds[0] != Censoring.OBSERVED:
        return {"censoring": Censoring(int(kinds[0])).name.lower()}
    values = np.unique(loss.observations.target.numpy()[moved])
    return {"value": float(values[0])} if len(values) == 1 else None


def _own_value(x: Array, moved: NDArray[np.bool_]) -> float | None:
    """The value that a column has in all rows that are moved, and in no other."""
    value = x[moved][0]
    return float(value) if (x[moved] == value).all() and not (x[~moved] == value).any() else None


def _threshold(name: str, x: Array, target: Array, moved: NDArray[np.bool_]) -> _Threshold | None:
    """By which value a column tells two outcomes apart; None where it does not."""
    outcomes = np.unique(target[moved])
    if len(outcomes) != 2:
        return None
    for lower, upper in (outcomes, outcomes[::-1]):
        low, high = x[target == lower].max(), x[target == upper].min()
        if low <= high and x.min() < x.max():
            return _Threshold(name, float(lower), float(low), float(upper), float(high))
    return None
