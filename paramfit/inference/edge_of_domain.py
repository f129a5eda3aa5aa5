"""The rows in which an argument of the fitted distribution is on the edge of what it may be."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.distributions import Distribution

from paramfit.distributions import support_of
from paramfit.distributions.domain import Room, outside_fact, refused_fact
from paramfit.facts import Fact, FactKind
from paramfit.inference.loss_function import LossFunction
from paramfit.linalg.lapack import Array
from paramfit.passes.barrier import bend_of_rooms, movable_rooms, slopes_of_rooms

__all__ = ["DomainEdge", "domain_edge", "endless_edge", "outside_domain"]

_NEAR = 1e-4  # of the largest room of an argument: what has more is not looked at
_AT_EDGE = 1e-5  # of a standard error: no room at all
_BEYOND = 1e-6  # of a standard error: a little further
_HELD = 1e-8  # of a standard error: so little freedom is none
_VANISHING = 1e-8  # of the middle room of an argument: rounding of its formula is about to end it
_POWER = 0.5  # of one over the room, with which a density grows: a spread's has 1, what stays finite 0


@dataclass(frozen=True)
class UsedRooms:
    """The rooms of one argument at one of its ends, some of which are used up."""

    at: Callable[[Tensor], Sequence[Room]]  # theta
    slopes: Array  # by theta, (m, p)
    active: NDArray[np.bool_]  # which are used up, (m,)
    n: int  # rows


@dataclass(frozen=True)
class DomainEdge:
    """What holds the estimates on the edge, and what freedom is left."""

    facts: tuple[Fact, ...]  # one for each argument and end, with the rows
    normals: Array  # slopes of the rooms that are used up, over one standard error of each parameter, (m, p)
    scale: Array  # that error, all others being known, (p,)
    rooms: tuple["UsedRooms", ...]  # what is used up, one for each fact

    def directions(self, held: tuple[int, ...] = ()) -> Array:
        """Directions along the edge, ``(p, f)``; ``held`` parameters do not move either."""
        rows = np.concatenate([self.normals, np.eye(len(self.scale))[list(held)]])
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        _, singular, vectors = np.linalg.svd(rows / np.where(lengths > 0, lengths, 1.0))
        rank = int((singular > _HELD * singular.max(initial=0.0)).sum())
        along: Array = self.scale[:, None] * vectors[rank:].T
        return along

    def bend(self, gradient: Array, theta: Tensor, held: Sequence[int] = ()) -> Array:
        r"""What the edge's own bend adds to the Hessian along it, ``(p, p)``.

        .. math:: -\sum_i \lambda_i \nabla^2 s_i, \qquad \nabla L = \sum_i \lambda_i \nabla s_i

        with s the rooms that are used up, and L the negative log-likelihood, whose derivative is the ``gradient``
        ``(p,)``; ``held`` parameters are pushed back by their bounds.

        References:
            Jorge Nocedal, Stephen Wright: Numerical Optimization (2006), section 12.5.
        """
        free = np.setdiff1d(np.arange(len(gradient)), held)
        slopes = np.concatenate([rooms.slopes[rooms.active] for rooms in self.rooms])[:, free] * self.scale[free]
        pushes, *_ = np.linalg.lstsq(slopes.T, gradient[free] * self.scale[free])
        bent = np.zeros((len(gradient), len(gradient)))
        for rooms in self.rooms:
            weights = np.zeros(len(rooms.active))
            weights[rooms.active], pushes = np.split(pushes, [int(rooms.active.sum())])
            bent -= bend_of_rooms(rooms.at, theta, rooms.n, weights)
        return bent

    def has_freedom(self, along: Array) -> Array:
        """Which parameters move along the edge, ``(p,)``."""
        moves: Array = np.linalg.norm(along / self.scale[:, None], axis=1) > _HELD
        return moves


def domain_edge(loss: LossFunction, theta: Tensor, information: Array, held: Sequence[int] = ()) -> DomainEdge | None:
    """The edge that theta is on, if it is on one; the ``information`` ``(p, p)`` says what is near.

    Rooms that only parameters use up which are ``held`` by their own bounds hold nothing else.
    """
    with torch.no_grad():
        prediction: Any = loss.prediction(theta)
    if not isinstance(prediction, Distribution):
        return None
    near = [(room.argument, room.below) for room in movable_rooms(loss.model, prediction) if _is_near(room)]
    if not near:
        return None
    diagonal = information.diagonal()
    scale = 1 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    facts, normals, used = [], [], []
    for key in dict.fromkeys(near):

        def rooms_at(point: Tensor, key: tuple[str, bool] = key) -> list[Room]:
            made: Any = loss.prediction(point)
            return [room for room in movable_rooms(loss.model, made) if (room.argument, room.below) == key]

        slack, slopes, _, _ = slopes_of_rooms(rooms_at, theta, loss.n)
        sizes = np.linalg.norm(slopes * scale, axis=1)
        free = np.delete(slopes, list(held), axis=1)
        active = (sizes > 0) & (slack <= _AT_EDGE * sizes) & free.any(axis=1)
        if active.any() and _is_crossed(rooms_at, theta, slack, slopes, scale):
            facts.append(_fact(next(iter(rooms_at(theta))), active, loss))
            normals.append(np.unique(slopes[active] * scale, axis=0))
            used.append(UsedRooms(rooms_at, slopes, active, loss.n))
    return DomainEdge(tuple(facts), np.concatenate(normals), scale, tuple(used)) if facts else None


def endless_edge(loss: LossFunction, theta: Tensor) -> Fact | None:
    r"""That a density grows without end as an argument goes to its edge; None where none does.

    .. math:: \log p_i - \log p_m \ge \tfrac{1}{2} \log(s_m / s_i)

    with s the room of a row i that has hardly any left and of the middle row m: a spread that vanishes where the model
    meets an observation exactly. Of a discrete distribution no probability grows without end.
    """
    with torch.no_grad():
        prediction: Any = loss.prediction(theta)
        if not isinstance(prediction, Distribution) or support_of(prediction).discrete:
            return None
        losses = loss.objective.losses(prediction, *loss.observations.measured).expand(loss.n)
        for room in movable_rooms(loss.model, prediction):
            slack = room.slack
            if room.trailing or slack.ndim != 1 or len(slack) != loss.n or not bool((slack > 0).any()):
                continue
            narrow = slack.clamp(min=torch.finfo(slack.dtype).tiny) / slack.median()
            grows = losses.median() - losses >= -_POWER * narrow.log()
            vanishing = (narrow > 0) & (narrow <= _VANISHING) & grows & torch.isfinite(losses)
            if bool(vanishing.any()):
                edge = _fact(room, vanishing.cpu().numpy(), loss)
                return Fact(FactKind.ENDLESS_AT_EDGE, numbers=edge.numbers)
    return None


def _is_crossed(
    rooms_at: Callable[[Tensor], list[Room]], theta: Tensor, slack: Array, slopes: Array, scale: Array
) -> bool:
    """Whether a little further on the nearest row is beyond the edge: that of an exponential only ever draws nearer."""
    sizes = np.linalg.norm(slopes * scale, axis=1)
    row = int(np.where(sizes > 0, slack / np.where(sizes > 0, sizes, 1.0), np.inf).argmin())
    beyond = max(2 * slack[row], _BEYOND * sizes[row])
    step = -beyond * slopes[row] * scale**2 / sizes[row] ** 2
    try:
        with torch.no_grad():
            moved = rooms_at(theta + torch.from_numpy(step))
    except ValueError:  # a distribution that checks its arguments is not made outside
        return True
    return any(bool((room.slack < 0).any()) for room in moved)


def outside_domain(loss: LossFunction) -> Fact | None:
    """Which argument is outside what its distribution allows at the parameters as they are."""
    with torch.no_grad():
        try:
            prediction: Any = loss.prediction(loss.theta)
        except ValueError as error:
            return refused_fact(error, loss.observations.inputs)
    if not isinstance(prediction, Distribution):
        return None
    return outside_fact(prediction, inputs=loss.observations.inputs)


def _is_near(room: Room) -> bool:
    """Whether there may be rows without room."""
    slack = room.slack
    largest = slack.max().item() if slack.numel() > 1 else 1.0
    return slack.min().item() <= _NEAR * largest


def _fact(room: Room, active: Array, loss: LossFunction) -> Fact:
    rows = active.reshape(loss.n, -1).any(axis=1)
    first = int(np.flatnonzero(rows)[0])
    end = room.end if room.end.numel() == 1 else room.value.detach().reshape(-1)[int(np.flatnonzero(active)[0])]
    same = bool(rows.all())
    return Fact(
        FactKind.ARGUMENT_AT_EDGE,
        numbers={
            "argument": room.argument,
            "distribution": room.distribution,
            "below": room.below,
            "end": float(end),
            "rows": int(rows.sum()),
            "row": None if same else first,
            "inputs": () if same else tuple(column[first].item() for column in loss.observations.inputs),
        },
        cure=Fact(FactKind.FORMULA_THAT_STAYS_INSIDE),
    )
