"""The best and the last state of a fit."""

import math
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint, StochasticWeightAveraging

from paramfit.callbacks.run import FileWriting, data_of, mean_loss, refuse_below_one, run_directory, run_of, task_of
from paramfit.tasks.updates import Update

__all__ = ["FitCheckpoint"]

_SAVES_PER_RUN = 4
_UNLIMITED = 40_000  # a run without a limit is saved like one of this length


class FitCheckpoint(FileWriting, Checkpoint):
    """``checkpoints/best.ckpt`` and ``checkpoints/last.ckpt`` of a run.

    The best follows ``val/loss`` after each validation, or, where no row is held out, the training loss: after the
    first epoch and a few times in a run. A loss that is not finite is never the best. The last is written a few times,
    at the end, and where the fit is interrupted: in the middle of an epoch too, so that a resumed run goes on with the
    next batch. A resumed fit that has no update left to make writes both at its end.

    Args:
        every_n_updates: write at least once in so many updates; a quarter of the run where it is not given.

    Raises:
        InputError: for a distance below 1.
    """

    def __init__(self, every_n_updates: int | None = None) -> None:
        super().__init__()
        refuse_below_one("checkpoint.every_n_updates", every_n_updates)
        self.every_n_updates = every_n_updates
        self.best_loss: float | None = None
        self._folder: Path | None = None
        self._stride = 0
        self._sealed = False
        self._is_due = False
        self._follows_training = False
        self._has_saved = False  # the last state

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Find the run's folder."""
        folder = run_directory(trainer)
        self._folder = None if folder is None else folder / "checkpoints"
        self._sealed = self._is_due = self._has_saved = False
        self.best_loss = None  # of this run directory: what a resumed run had before stays in its own
        data = data_of(trainer)
        self._follows_training = data is not None and not data.validation.n

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Listen to the updates."""
        task = task_of(pl_module)
        self._stride = self.every_n_updates or max(1, (task.planned_updates or _UNLIMITED) // _SAVES_PER_RUN)
        if self._folder is not None:
            task.listeners.append(self)

    def next_update(self, after: int) -> int:
        """Every so many updates."""
        return (after // self._stride + 1) * self._stride

    def on_update(self, update: Update) -> None:
        """A checkpoint is due; it is written between blocks, where the state is whole."""
        self._is_due = True

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """In the middle of an epoch: write what is due, and whatever makes the fit leave here."""
        leaves = trainer.should_stop or trainer.global_step == trainer.max_steps
        if trainer.is_last_batch or not (leaves or self._is_due) or self._folder is None:
            return
        if (batch_idx + 1) % trainer.accumulate_grad_batches:
            return  # the gradients of an unfinished accumulation are not part of a checkpoint
        self._save_last(trainer)
        # What Lightning does after the last batch of an epoch it leaves early would make another state of it.
        self._sealed = leaves

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep the best."""
        if trainer.state.fn == "fit" and not trainer.sanity_checking and "val/loss" in trainer.callback_metrics:
            self._keep_if_best(trainer, trainer.callback_metrics["val/loss"].item())

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write what is due, and the last state of a fit that ends here."""
        limit = trainer.fit_loop.max_epochs
        ends = (
            trainer.should_stop
            or trainer.global_step == trainer.max_steps
            or (limit is not None and 0 <= limit <= trainer.current_epoch + 1)
        )
        looks = ends or self._is_due or self.best_loss is None
        data = data_of(trainer)
        if looks and self._follows_training and data is not None:
            self._keep_if_best(trainer, mean_loss(pl_module, data.train))
        if ends or self._is_due:
            self._save_last(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the last state once more where its parameters are by now the average over the last epochs."""
        callbacks = trainer.callbacks  # type: ignore[attr-defined]  # Lightning sets it without declaring it
        if self._has_saved and any(isinstance(callback, StochasticWeightAveraging) for callback in callbacks):
            self._save_last(trainer)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep the state of a resumed fit that had no update left to make."""
        data = data_of(trainer)
        if self._has_saved or not task_of(pl_module).updates:
            return
        if self.best_loss is None and data is not None:
            self._keep_if_best(trainer, mean_loss(pl_module, data.train if self._follows_training else data.validation))
        self._save_last(trainer)

    def _keep_if_best(self, trainer: Trainer, loss: float) -> None:
        if self._folder is None or not math.isfinite(loss) or (self.best_loss is not None and loss >= self.best_loss):
            return
        with run_of(trainer).writing():
            trainer.save_checkpoint(self._folder / "best.ckpt")
            self.best_loss = loss

    def _save_last(self, trainer: Trainer) -> None:
        self._is_due = False
        if not self._sealed and self._folder is not None:
            self._has_saved = True
            with run_of(trainer).writing():
                trainer.save_checkpoint(self._folder / "last.ckpt")
