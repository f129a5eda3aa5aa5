"""Ctrl-C and SIGTERM end a fit between two blocks, not within one."""

import signal
import threading
from types import FrameType
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from paramfit.callbacks.run import task_of
from paramfit.facts import Fact, FactKind, Status, Stop

__all__ = ["GracefulStop"]

_STOPS = {
    signal.SIGINT: Stop(Status.INTERRUPTED, Fact(FactKind.CTRL_C)),
    signal.SIGTERM: Stop(Status.TERMINATED, Fact(FactKind.SIGTERM)),
}


class GracefulStop(Callback):
    """Finish the block, save, stop. A second signal ends the process as it always would.

    Put it before the checkpoint callback: it asks for the stop that the checkpoint then saves.
    """

    def __init__(self) -> None:
        self._received: signal.Signals | None = None
        self._before: dict[signal.Signals, Any] = {}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take over both signals, from Lightning too."""
        self._received = None
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._receive) for number in _STOPS}

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self._received = signal.Signals(number)
        for each in _STOPS:
            signal.signal(each, signal.default_int_handler if each is signal.SIGINT else signal.SIG_DFL)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Stop in the middle of an epoch, unless gradients are still accumulating."""
        if self._received is None or trainer.is_last_batch or (batch_idx + 1) % trainer.accumulate_grad_batches:
            return
        task_of(pl_module).request_stop(_STOPS[self._received])

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop at the end of an epoch, after the validation that belongs to it."""
        if self._received is not None:
            task_of(pl_module).request_stop(_STOPS[self._received])

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Give the signals back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Give the signals back."""
        self.on_train_end(trainer, pl_module)
