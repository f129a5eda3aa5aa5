"""Noticing that a descent goes up."""

import math
from enum import Enum

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from paramfit.callbacks.run import task_of
from paramfit.errors import InputError
from paramfit.outcome import Status, Stop
from paramfit.tasks.updates import EstimationTaskLike, Update, all_finite

__all__ = ["DivergenceDetection", "DivergenceReason"]

_SHORT_RUN = 1000
_STRIDE_OF_LONG_RUNS = 50


class DivergenceReason(Enum):
    """Why a descent is given up. The values are the messages."""

    LOSS_NOT_FINITE = "the loss at update {update} is {value}: no later update can bring it back"
    GRADIENT_NOT_FINITE = "the gradient of {value} at update {update} is not finite: no later update can bring it back"
    PARAMETER_NOT_FINITE = "the parameter {value} is not finite after update {update}: it will never be again"
    GREW = (
        "the loss at update {update} is {value:.6g}, more than {threshold:g} times the first loss {first:.6g}:"
        " each update makes it worse (--divergence.growth_factor null would let it go on)"
    )
    FROZEN = (
        "the parameters did not change in update {update}, though the loss {value:.6g} is above the first loss"
        " {first:.6g}: the update is lost in rounding, and so will be every later one"
    )


class DivergenceDetection(Callback):
    """Stop a fit that has left the finite numbers, grows, or froze far from where it started.

    Args:
        enabled: whether to watch at all; a run that is not watched goes on to NaN and is called diverged at its end.
        growth_factor: how many times the first loss the loss may become; ``null`` for any.

    Raises:
        InputError: for a factor that is not above 1.
    """

    def __init__(self, enabled: bool = True, growth_factor: float | None = 1e6) -> None:
        if growth_factor is not None and not growth_factor > 1:
            msg = f"divergence.growth_factor: expected a number above 1, or null, but got {growth_factor}"
            raise InputError(msg)
        self.enabled = enabled
        self.growth_factor = growth_factor
        self._first: float | None = None
        self._before: list[Tensor] = []
        self._names: tuple[str, ...] = ()
        self._stride = 1
        self._task: EstimationTaskLike | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Listen to the updates."""
        del trainer
        self._task = task = task_of(pl_module)
        self._names, self._before = task.names, []
        self._stride = 1 if 0 < task.planned_updates <= _SHORT_RUN else _STRIDE_OF_LONG_RUNS
        if self.enabled:
            task.listeners.append(self)

    def next_update(self, after: int) -> int:
        """Every update of a short run, every fiftieth of a long one; what is not finite is told at once."""
        return 1 if after == 0 else (after // self._stride + 1) * self._stride

    def on_update(self, update: Update) -> None:
        """Stop the fit if there is a reason."""
        reason = self.reason(update)
        if reason is not None and self._task is not None:
            self._task.request_stop(Stop(Status.DIVERGED, reason[1]))

    def reason(self, update: Update) -> tuple[DivergenceReason, str] | None:
        """Why the fit should be given up after this update, with the message; None if it should not."""
        if self._first is None:
            self._first = update.loss
        if not math.isfinite(update.loss):
            return self._because(DivergenceReason.LOSS_NOT_FINITE, update, value=update.loss)
        for name, parameter in zip(self._names, update.parameters, strict=True):
            if not all_finite([parameter.grad]):
                return self._because(DivergenceReason.GRADIENT_NOT_FINITE, update, value=name)
            if not all_finite([parameter]):
                return self._because(DivergenceReason.PARAMETER_NOT_FINITE, update, value=name)
        if self.growth_factor is not None and update.loss > self.growth_factor * abs(self._first) > 0:
            return self._because(DivergenceReason.GREW, update, value=update.loss)
        before, self._before = self._before, [parameter.detach().clone() for parameter in update.parameters]
        unchanged = bool(before) and all(map(torch.equal, before, self._before))
        if unchanged and update.loss > self._first:
            return self._because(DivergenceReason.FROZEN, update, value=update.loss)
        return None

    def _because(self, reason: DivergenceReason, update: Update, value: float | str) -> tuple[DivergenceReason, str]:
        return reason, reason.value.format(
            update=update.number, value=value, threshold=self.growth_factor, first=self._first
        )

    def state_dict(self) -> dict[str, float | None]:
        """The first loss, which a resumed run compares with too."""
        return {"first": self._first}

    def load_state_dict(self, state_dict: dict[str, float | None]) -> None:
        """Compare with the first loss of the run that is resumed."""
        self._first = state_dict["first"]
