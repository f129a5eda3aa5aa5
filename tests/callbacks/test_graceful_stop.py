"""Ctrl-C and SIGTERM between two blocks. That a resumed fit then repeats every bit is shown in test_resume.py."""

import os
import signal
from typing import Any

import pytest
from lightning.pytorch import Callback, LightningModule, Trainer

from paramfit import FixedScale, GracefulStop, ThermometerDataModule, ThermometerRegression
from paramfit.facts import Status


class SignalInStep(Callback):
    """Send the process a signal when a training step begins."""

    def __init__(self, number: signal.Signals, step: int) -> None:
        self.number = number
        self.step = step

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        if trainer.global_step == self.step:
            os.kill(os.getpid(), self.number)


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, Status.INTERRUPTED), (signal.SIGTERM, Status.TERMINATED)]
)
@pytest.mark.parametrize("batch_size", [None, 4], ids=["full batch", "mini-batches"])
def test_the_block_under_way_is_finished(number, status, batch_size, make_trainer):
    task = ThermometerRegression(updates_per_step=10)
    data = ThermometerDataModule(normalization=FixedScale(0.1), batch_size=batch_size)
    make_trainer(50, GracefulStop(), SignalInStep(number, step=4)).fit(task, datamodule=data)
    assert task.updates == 50
    assert task.stop.status is status


def test_the_signals_are_given_back(make_trainer):
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    data = ThermometerDataModule(normalization=FixedScale(0.1))
    make_trainer(3, GracefulStop(), SignalInStep(signal.SIGTERM, step=1)).fit(ThermometerRegression(), datamodule=data)
    assert {number: signal.getsignal(number) for number in before} == before


def test_a_second_signal_is_not_caught(make_trainer):
    stop = GracefulStop()
    caught: list[Any] = []

    class LookAfterSignal(Callback):
        def on_train_batch_end(self, *arguments: Any, **options: Any) -> None:
            caught.append((signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)))

    data = ThermometerDataModule(normalization=FixedScale(0.1))
    make_trainer(2, stop, SignalInStep(signal.SIGTERM, step=0), LookAfterSignal()).fit(
        ThermometerRegression(), datamodule=data
    )
    assert caught == [(signal.SIG_DFL, signal.default_int_handler)]
