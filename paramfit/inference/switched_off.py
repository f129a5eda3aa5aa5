"""Parameters that a kink of the model keeps out of every prediction: ``b`` in ``max(a, b*x)`` where a is larger."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from paramfit.inference.loss_function import LossFunction

__all__ = ["are_switched_off"]

_MOST_PARAMETERS = 16  # for which is looked, each at the cost of some hundreds of Jacobians
_MOST_DIRECTIONS = 64  # in which several are moved together
_FIRST_LOOK = 2.0**-20  # of the parameter's size
_FARTHEST = 2.0**22
_ALONE = 1.3  # times the way from one look to the next: between two kinks the influence may end soon after it begins
_TOGETHER = 8.0
_AT_END = 1e-6  # of the way to where the influence begins
# Of the largest residual: what a parameter changes by its own size, a little further on. Behind a kink that begins with
# a jump, or in proportion to the way; what has vanished by rounding or underflow begins at 1e-16 (tanh), 1e-308 (exp).
_BEGINS_AT_ONCE = 1e-12


def are_switched_off(loss: LossFunction, theta: Tensor, places: Sequence[int]) -> bool:
    """Whether each of these parameters, on which no prediction depends, is so by a kink of the model, not by rounding.

    With one that is, the loss is flat all the way to the kink: where it is at its least by all others it is at a
    minimum. One whose term has underflowed has only got lost: the loss may fall without end in its direction. A formula
    knows its kinks; from a module without one they are looked for, unless there are very many: all count as lost then.
    """
    needed = loss.locally_needed(theta)
    if needed is not None:
        return not any(loss.names[place] in needed for place in places)
    if len(places) > _MOST_PARAMETERS:
        return False
    return all(_is_switched_off(loss, theta, place, places) for place in places)


def _is_switched_off(loss: LossFunction, theta: Tensor, place: int, places: Sequence[int]) -> bool:
    """Whether its influence begins at a kink wherever it begins; not where it begins nowhere.

    It may begin only where others of those without influence have moved as well: ``c`` in ``max(a, min(b, c))``.
    """
    size = torch.where(theta == 0, 1.0, theta.abs())
    alone = torch.zeros_like(theta)
    alone[place] = size[place]
    begins = [_begins_at_kink(loss, theta, place, way, _ALONE) for way in (-alone, alone)]
    if begins == [None, None] and len(places) > 1:
        random = np.random.default_rng(0)
        for _ in range(_MOST_DIRECTIONS):
            way, count = torch.zeros_like(theta), len(places)
            shares = random.choice((-1.0, 1.0), count) * 10.0 ** random.uniform(-3, 3, count)
            way[list(places)] = torch.from_numpy(shares) * size[list(places)]
            begins.append(_begins_at_kink(loss, theta, place, way, _TOGETHER))
            if begins[-1] is not None:
                break
    return False not in begins and True in begins


def _begins_at_kink(loss: LossFunction, theta: Tensor, place: int, way: Tensor, farther: float) -> bool | None:
    """Whether the influence begins at once where it begins along a way ``(p,)``; None where it does not begin."""

    def influence(share: float) -> float:
        largest = float(loss.jacobian(theta + share * way)[:, place].abs().max())
        return largest if math.isfinite(largest) else math.inf

    off, on = 0.0, _FIRST_LOOK
    while not (at_end := influence(on)) > 0:
        off, on = on, on * farther
        if on > _FARTHEST:
            return None
    while on - off > _AT_END * on:
        middle = (off + on) / 2
        here = influence(middle)
        if here > 0:
            on, at_end = middle, here
        else:
            off = middle
    residual = float((loss.observations.target - loss.prediction(theta)).abs().max())
    return math.isfinite(at_end) and at_end * float(way[place].abs()) > _BEGINS_AT_ONCE * residual
