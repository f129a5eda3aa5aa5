"""Fits that are stopped by a signal and resumed."""

import os
import signal
from pathlib import Path
from typing import Any, TypeVar

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger

from paramfit import EstimationDataModule, LeastSquares, MaximumLikelihood
from paramfit.callbacks import AtomicCheckpointIO, DivergenceDetection, FitCheckpoint, GracefulStop
from tests.quiet import QUIET

Task = TypeVar("Task", LeastSquares, MaximumLikelihood)


class SignalAt(Callback):
    """Send the process a signal while training batch number ``batch`` (from 1) of the whole fit is under way."""

    def __init__(self, batch: int) -> None:
        self.batch, self.count = batch, 0

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        self.count += 1
        if self.count == self.batch:
            os.kill(os.getpid(), signal.SIGTERM)


def fitted(
    task: Task, data: EstimationDataModule, folder: Path, *extra: Callback, resume: Path | None = None, **settings: Any
) -> tuple[Task, Path]:
    """The task after its fit, and its last checkpoint."""
    options: dict[str, Any] = {"max_epochs": 200, "num_sanity_val_steps": 0, **settings}
    callbacks = [GracefulStop(), DivergenceDetection(), *extra, FitCheckpoint()]
    logger = TensorBoardLogger(folder, name="", default_hp_metric=False)
    trainer = Trainer(
        **{**QUIET, "logger": logger, "enable_checkpointing": True, **options},
        callbacks=callbacks,
        plugins=[AtomicCheckpointIO()],
    )
    trainer.fit(task, data, ckpt_path=resume)
    assert trainer.log_dir is not None
    return task, Path(trainer.log_dir) / "checkpoints" / "last.ckpt"


def assert_same(one: Task, other: Task) -> None:
    """The same updates, the same end, and the same bits."""
    assert one.updates == other.updates
    assert one.stop == other.stop
    for mine, theirs in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(mine, theirs)
