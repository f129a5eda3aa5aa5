"""The words in which tasks tell callbacks about updates, and callbacks tell tasks to stop."""

import math
from collections.abc import Sequence
from itertools import product
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from lightning.pytorch import Trainer
from torch import Tensor, nn

from paramfit.errors import InputError
from paramfit.facts import Fact, Stop
from paramfit.objectives import Objective

__all__ = [
    "PRECISIONS",
    "EstimationTaskLike",
    "Update",
    "UpdateListener",
    "UpdateLog",
    "all_finite",
    "parameter_values",
    "refuse_automatic_options",
    "refuse_half_precision",
]


PRECISIONS = ("32-true", "64-true")
"""Those of Lightning's in which estimates mean something."""


class Update(NamedTuple):
    """One change of the parameters, told right after it."""

    number: int  # 1 for the first
    loss: float  # before the update
    #: The live parameters after it; their ``grad`` is the gradient used in it. Clone what you keep.
    parameters: Sequence[nn.Parameter]
    left_domain: Fact | None = None  # which argument left what its distribution allows, where that was the end


class UpdateListener(Protocol):
    """Whoever wants to hear of updates while a block runs. Lightning's hooks are called only between blocks."""

    def next_update(self, after: int) -> int:
        """The first update later than ``after`` to be told of. Updates that are not finite are told to everyone."""

    def on_update(self, update: Update) -> None:
        """Hear of one update."""


@runtime_checkable
class EstimationTaskLike(Protocol):
    """What callbacks rely on in a task; none of the attributes is theirs to set."""

    model: nn.Module
    objective: Objective
    updates: int  # made so far
    stop: Stop | None  # why the fit ended before its last update, if it did
    listeners: list[UpdateListener]  # who is told of updates
    planned_updates: int  # how many the run makes if nothing stops it; 0 where that is not known
    names: tuple[str, ...]  # of the trainable parameters, in the order of ``Update.parameters``

    def request_stop(self, stop: Stop) -> None:
        """End the fit after this update, whatever ``min_epochs`` says."""


def all_finite(tensors: Sequence[Tensor | None]) -> bool:
    """Whether every element of every tensor is a finite number."""
    present = (tensor for tensor in tensors if tensor is not None)
    return all(math.isfinite(t.item()) if t.ndim == 0 else bool(t.isfinite().all()) for t in present)


def parameter_values(names: Sequence[str], tensors: Sequence[Tensor | None], most: int = 32) -> dict[str, float]:
    """Every element of the tensors as a float: ``weight`` for a scalar, ``weight[2]`` or ``weight[0,1]`` otherwise.

    A tensor of more than ``most`` elements is told by its Euclidean norm, ``norm(weight)``; None is left out.
    """
    values: dict[str, float] = {}
    for name, tensor in zip(names, tensors, strict=True):
        if tensor is None:
            continue
        if tensor.ndim == 0:
            values[name] = tensor.item()
        elif tensor.numel() > most:
            values[f"norm({name})"] = tensor.norm().item()
        else:
            places = product(*map(range, tensor.shape))
            for place, value in zip(places, tensor.reshape(-1).tolist(), strict=True):
                values[f"{name}[{','.join(map(str, place))}]"] = value
    return values


class UpdateLog:
    """What happens after each update: it is counted, looked at, and told to the listeners that want it.

    Not part of the task itself, since setting an attribute of an ``nn.Module`` costs as much as the arithmetic of a
    small update.
    """

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        self.parameters = parameters
        self.count = 0
        self.loss = math.nan  # before the last update
        self.stop: Stop | None = None
        self.left_domain: Fact | None = None
        self.listeners: list[UpdateListener] = []
        self._next_heard = 0
        self._start: list[Tensor] = []

    @property
    def has_moved(self) -> bool:
        """Whether the parameters have left their start: a line search moves them before its update counts."""
        return self.count > 0 or not all(map(torch.equal, self.parameters, self._start))

    def begin(self) -> None:
        """Ask the listeners what they want to hear."""
        self._start = [parameter.detach().clone() for parameter in self.parameters]
        self._next_heard = min((listener.next_update(self.count) for listener in self.listeners), default=0)

    def after_update(self, loss: Tensor) -> bool:
        """Take in one update, given the loss before it; whether the block ends here."""
        self.count += 1
        self.loss = value = loss.item()
        finite = math.isfinite(value) and all_finite([parameter.grad for parameter in self.parameters])
        if self.left_domain is not None:
            finite = finite and all_finite(self.parameters)
            if finite:  # a line search was outside, and came back
                self.left_domain = None
        if (self.count == self._next_heard or not finite) and self.listeners:
            update = Update(self.count, value, self.parameters, self.left_domain)
            for listener in self.listeners:
                if not finite or listener.next_update(self.count - 1) == self.count:
                    listener.on_update(update)
            self._next_heard = min(listener.next_update(self.count) for listener in self.listeners)
        return not finite or self.stop is not None


def refuse_half_precision(precision: object) -> None:
    """Refuse 16-bit precision, as it was given.

    Raises:
        InputError: naming it.
    """
    if "16" in str(precision):
        raise InputError(
            f"trainer.precision: estimates in half precision ({precision}) would mean nothing; leave it out, or give"
            " 64-true"
        )


def refuse_automatic_options(trainer: Trainer, knows_nothing: str, instead: dict[str, str]) -> None:
    """Refuse accumulation, clipping and 16-bit precision in a task that computes its updates itself.

    The message begins with who ``knows_nothing`` of the option, and ends with what to do ``instead``.
    """
    for option, is_on in (
        ("accumulate_grad_batches", trainer.accumulate_grad_batches > 1),
        ("gradient_clip_val", bool(trainer.gradient_clip_val)),
        ("precision", "16" in str(trainer.precision)),
    ):
        if is_on:
            raise InputError(f"trainer.{option}: {knows_nothing} nothing of it; {instead[option]}")
