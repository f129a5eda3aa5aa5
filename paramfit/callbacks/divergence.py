"""Noticing that a descent goes up."""

import math
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from paramfit.callbacks.run import task_of
from paramfit.errors import InputError
from paramfit.facts import Fact, FactKind, Number, Status, Stop
from paramfit.results.json_form import from_plain, to_plain
from paramfit.tasks.updates import EstimationTaskLike, Update, all_finite

__all__ = ["DivergenceDetection"]

_SHORT_RUN = 1000
_STRIDE_OF_LONG_RUNS = 50
_ROUNDING = 1e-6  # of the first loss: by as much the loss of a float32 fit may be rounded


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
            raise InputError(f"divergence.growth_factor: expected a number above 1, or null, but got {growth_factor}")
        self.enabled = enabled
        self.growth_factor = growth_factor
        self._first: float | None = None
        self._reason: Fact | None = None  # why the fit was given up
        self._before: list[Tensor] = []
        self._names: tuple[str, ...] = ()
        self._stride = 1
        self._task: EstimationTaskLike | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Forget the last fit, before a checkpoint is read."""
        self._first = self._reason = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Listen to the updates; stop a resumed fit at once where it had diverged."""
        self._task = task = task_of(pl_module)
        self._names, self._before = task.names, []
        self._stride = 1 if 0 < task.planned_updates <= _SHORT_RUN else _STRIDE_OF_LONG_RUNS
        if self.enabled:
            task.listeners.append(self)
            if self._reason is not None and self._stands(self._reason):
                task.request_stop(Stop(Status.DIVERGED, self._reason))

    def next_update(self, after: int) -> int:
        """Every update of a short run, every fiftieth of a long one; what is not finite is told at once."""
        return 1 if after == 0 else (after // self._stride + 1) * self._stride

    def on_update(self, update: Update) -> None:
        """Stop the fit if there is a reason."""
        self._reason = self.reason(update)
        if self._reason is not None and self._task is not None:
            self._task.request_stop(Stop(Status.DIVERGED, self._reason))

    def reason(self, update: Update) -> Fact | None:
        """Why the fit should be given up after this update; None if it should not."""
        if self._first is None:
            self._first = update.loss
        numbers: dict[str, Number] = {"update": update.number, "value": update.loss, "first_loss": self._first}
        if update.left_domain is not None:  # and did not come back
            return Fact(FactKind.LEFT_DOMAIN, numbers=numbers, cause=update.left_domain)
        if not math.isfinite(update.loss):
            return Fact(FactKind.LOSS_NOT_FINITE, numbers=numbers)
        for name, parameter in zip(self._names, update.parameters, strict=True):
            if not all_finite([parameter.grad]):
                return Fact(FactKind.GRADIENT_NOT_FINITE, (name,), numbers)
            if not all_finite([parameter]):
                return Fact(FactKind.PARAMETER_NOT_FINITE, (name,), numbers)
        if self._has_grown(update.loss, self._first):
            return Fact(FactKind.LOSS_GREW, numbers={**numbers, "threshold": self.growth_factor})
        before, self._before = self._before, [parameter.detach().clone() for parameter in update.parameters]
        above = update.loss - self._first > _ROUNDING * abs(self._first)
        if before and all(map(torch.equal, before, self._before)) and above:
            return Fact(FactKind.FROZEN, numbers=numbers)
        return None

    def _has_grown(self, loss: float, first: float) -> bool:
        return self.growth_factor is not None and loss > self.growth_factor * abs(first) > 0

    def _stands(self, reason: Fact) -> bool:
        """Whether a fit is given up for a reason still: another growth factor may allow what the former did not."""
        loss, first = reason.numbers["value"], reason.numbers["first_loss"]
        if reason.kind is not FactKind.LOSS_GREW or not isinstance(loss, float) or not isinstance(first, float):
            return True
        return self._has_grown(loss, first)

    def state_dict(self) -> dict[str, Any]:
        """The first loss, which a resumed run compares with too, and why the fit was given up."""
        return {"first": self._first, "reason": to_plain(self._reason)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Compare with the first loss of the run that is resumed, and end where it did."""
        self._first = state_dict["first"]
        self._reason = from_plain(Fact | None, state_dict["reason"])
