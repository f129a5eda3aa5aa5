"""Where a curve's formula is on the edge of where it is defined, and whether the loss is lowest there.

The arcsine of x / b ends at b = max x with an infinite slope, so that no derivative vanishes though no b is better.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from paramfit.facts import Fact, FactKind
from paramfit.formulas.rooms import FunctionRoom
from paramfit.inference.loss_function import LossFunction
from paramfit.linalg.lapack import Array
from paramfit.models import FormulaModel

__all__ = ["FormulaEdge", "edge_of_formula"]

_AT_EDGE = 1e-13  # of a parameter's size: so little more, and the formula has no value
_BEYOND = 1e-12  # the same, a little further
_NO_PART = 1e-8  # of the room's change by all parameters, each moved by its size
_INWARDS = np.logspace(-15, -1, 57)  # of a parameter's size: where a lower loss is looked for
_SAME = 1e-9  # of a loss: rounding


@dataclass(frozen=True)
class FormulaEdge:
    """What holds the estimates on the edge.

    Attributes:
        fact: the function, its end and the rows.
        held: numbers of the parameters that would move over the edge.
        main: the number of the one among them that is nearest to it.
        inwards: +1 or -1, as it moves away from the edge by growing or by falling.
    """

    fact: Fact
    held: tuple[int, ...]
    main: int
    inwards: float

    def is_lowest(self, loss: LossFunction, theta: Tensor) -> bool:
        """Whether no loss inside, with all others at their best, is lower; of one parameter that is held alone."""
        if len(self.held) != 1:
            return False  # they may move along the edge together
        others = [k for k in range(loss.p) if k != self.main]
        with torch.no_grad():
            least = float(loss(theta)) * (1 - _SAME)
            for part in (0.0, *_INWARDS):
                inside = theta.clone()
                inside[self.main] += self.inwards * part * abs(float(theta[self.main]))
                if float(loss(inside)) < least or float(loss(_others_moved(loss, inside, others))) < least:
                    return False
        return True


def edge_of_formula(loss: LossFunction, theta: Tensor) -> FormulaEdge | None:
    """The edge that theta is on, if it is on one that a parameter could move over."""
    model = loss.model
    if (
        not isinstance(model, FormulaModel)
        or not model.may_reach_edges
        or model.transforms
        or not set(loss.names) <= set(model.names)
    ):
        return None
    size = theta.abs().numpy()
    free = [model.names.index(name) for name in loss.names]
    for number, room in enumerate(loss.rooms(theta)):
        changes = np.abs(room.slopes[free]) * size[:, None]
        reach = changes.sum(axis=0)
        active = (reach > 0) & (np.abs(room.slack) <= _AT_EDGE * reach)
        if not active.any():
            continue
        row = int(np.where(active, np.abs(room.slack) / np.where(reach > 0, reach, 1.0), np.inf).argmin())
        main = int(changes[:, row].argmax())
        inwards = float(np.sign(room.slopes[free[main], row]))
        beyond = theta.clone()
        beyond[main] -= inwards * size[main] * (_BEYOND + 2 * abs(float(room.slack[row])) / float(changes[main, row]))
        if not loss.rooms(beyond)[number].slack[row] < 0:
            continue  # what is cut off, as by max(..., 0), goes no further
        held = tuple(np.flatnonzero((changes[:, active] > _NO_PART * reach[active]).any(axis=1)).tolist())
        return FormulaEdge(_fact(room, active, loss, held), held, main, inwards)
    return None


def _others_moved(loss: LossFunction, theta: Tensor, others: list[int]) -> Tensor:
    """By a Gauss-Newton step in all others, which is exact in those in which the prediction is linear."""
    rows = torch.cat([loss.jacobian(theta)[:, others], (loss.observations.target - loss.prediction(theta))[:, None]], 1)
    if loss.observations.sigma is not None:
        rows = rows / loss.observations.sigma[:, None]
    matrix: Array = rows.numpy()
    if not others or not np.isfinite(matrix).all():
        return theta
    length = np.linalg.norm(matrix[:, :-1], axis=0)
    length = np.where(length > 0, length, 1.0)
    step, *_ = np.linalg.lstsq(matrix[:, :-1] / length, matrix[:, -1])
    moved = theta.clone()
    moved[others] += torch.from_numpy(step / length)
    return moved


def _fact(room: FunctionRoom, active: NDArray[np.bool_], loss: LossFunction, held: tuple[int, ...]) -> Fact:
    first = int(np.flatnonzero(active)[0])
    return Fact(
        FactKind.FORMULA_AT_EDGE,
        tuple(loss.names[k] for k in held),
        {
            "operation": room.operation,
            "end": room.end,
            "below": room.above,
            "rows": int(active.sum()),
            "row": None if active.all() else first,
            "inputs": () if active.all() else tuple(column[first].item() for column in loss.observations.inputs),
        },
    )
