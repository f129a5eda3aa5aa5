"""Noticing that a descent goes up."""

import math

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from paramfit.callbacks.run import task_of
from paramfit.errors import InputError
from paramfit.facts import Fact, FactKind, Number, Status, Stop
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
        self._before: list[Tensor] = []
        self._names: tuple[str, ...] = ()
        self._stride = 1
        self._task: EstimationTaskLike | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Listen to the updates."""
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
            self._task.request_stop(Stop(Status.DIVERGED, reason))

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
        if self.growth_factor is not None and update.loss > self.growth_factor * abs(self._first) > 0:
            return Fact(FactKind.LOSS_GREW, numbers={**numbers, "threshold": self.growth_factor})
        before, self._before = self._before, [parameter.detach().clone() for parameter in update.parameters]
        above = update.loss - self._first > _ROUNDING * abs(self._first)
        if before and all(map(torch.equal, before, self._before)) and above:
            return Fact(FactKind.FROZEN, numbers=numbers)
        return None

    def state_dict(self) -> dict[str, float | None]:
        """The first loss, which a resumed run compares with too."""
        return {"first": self._first}

    def load_state_dict(self, state_dict: dict[str, float | None]) -> None:
        """Compare with the first loss of the run that is resumed."""
        self._first = state_dict["first"]
