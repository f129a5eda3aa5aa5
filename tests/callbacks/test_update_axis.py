"""Every curve of a fit counts updates, whoever draws it."""

import csv
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import DeviceStatsMonitor, LearningRateMonitor, ThroughputMonitor
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

from paramfit import FitHistory
from paramfit.tasks import EstimationTask
from tests.callbacks.conftest import MakeTrainer, descent, events_of, thermometer
from tests.callbacks.test_lightnings_callbacks import SOLVED, TASKS, automatic, held_out

BLOCK = 7
EPOCHS = 4


class OwnCurves(Callback):
    """A user's: one by each of Lightning's hooks, by ``log`` and at a logger itself."""

    def __init__(self) -> None:
        self.at: list[int] = []

    def on_train_batch_end(self, trainer: Any, pl_module: Any, *others: Any) -> None:
        self.at.append(pl_module.updates)
        pl_module.log("own/step", 1.0, on_step=True, on_epoch=False)
        for logger in trainer.loggers:
            logger.log_metrics({"own/global_step": 1.0}, step=trainer.global_step)
            logger.log_metrics({"own/far": 1.0}, step=10_000)

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        pl_module.log("own/epoch", 1.0)

    def on_validation_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        pl_module.log("own/validation", 1.0)


def blocks(kind: str) -> EstimationTask:
    """A task of each kind, in blocks where it has any."""
    if kind == "automatic":
        return automatic(BLOCK)
    return descent(updates_per_step=BLOCK) if kind == "hand-written" else TASKS[kind]()


def steps_by_tag(run: Path) -> dict[str, list[int]]:
    events = events_of(run)
    return {tag: [event.step for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


@pytest.mark.filterwarnings("ignore:When using the .ThroughputMonitor")
@pytest.mark.parametrize("kind", TASKS)
def test_curves_of_lightnings_callbacks_and_of_the_user_count_updates(kind, make_trainer: MakeTrainer, own_directory):
    own, task = OwnCurves(), blocks(kind)
    others: list[Callback] = [DeviceStatsMonitor(cpu_stats=True), ThroughputMonitor(lambda batch: batch.n)]
    rates = [] if kind in SOLVED else [LearningRateMonitor(logging_interval="step")]
    tensorboard = TensorBoardLogger(".", name="", version="run", default_hp_metric=False)
    table = CSVLogger(".", name="", version="csv", flush_logs_every_n_steps=1)
    trainer = make_trainer(EPOCHS, *rates, own, FitHistory(), *others, logger=[tensorboard, table], log_every_n_steps=1)
    trainer.fit(task, held_out(kind))
    steps = steps_by_tag(own_directory / "run")
    assert {"own/step", "own/global_step", "own/epoch", "own/validation", "train/loss", "val/loss"} < steps.keys()
    assert any(tag.startswith("DeviceStatsMonitor") for tag in steps)
    assert {"train/time", "validate/time"} <= steps.keys()
    assert steps.pop("own/far") == [10_000] * len(own.at)
    assert all(at[-1] <= task.updates for at in steps.values()), steps
    for tag in ("own/step", "own/global_step"):
        assert steps[tag] == own.at
    assert steps["own/epoch"][-1] == steps["own/validation"][-1] == steps["val/loss"][-1] == task.updates
    if rates:
        (rate,) = (tag for tag in steps if tag.startswith("lr-"))
        assert steps[rate] == [0, *own.at[:-1]]  # the rate of the block that begins there
        assert own.at[:2] == [BLOCK, 2 * BLOCK]
    with (own_directory / "csv" / "metrics.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["own/step"]]
    assert [int(row["step"]) for row in rows] == own.at
    assert not {"log_metrics"} & (vars(tensorboard).keys() | vars(table).keys())


def test_a_logger_is_left_as_it_was_where_a_fit_fails(make_trainer: MakeTrainer):
    class Failing(Callback):
        def on_train_epoch_end(self, *others: Any) -> None:
            raise RuntimeError("full")

    trainer = make_trainer(2, FitHistory(), Failing())
    with pytest.raises(RuntimeError, match="full"):
        trainer.fit(descent(), thermometer())
    assert "log_metrics" not in vars(trainer.logger)


def test_a_resumed_fit_goes_on_at_its_updates(make_trainer: MakeTrainer, own_directory):
    first = make_trainer(2)
    first.fit(automatic(BLOCK), thermometer())
    first.save_checkpoint("first.ckpt")
    assert torch.load("first.ckpt", weights_only=True)["paramfit"]["updates"] == 2 * BLOCK
    trainer = make_trainer(4, FitHistory(), LearningRateMonitor("step"), log_every_n_steps=1)
    trainer.fit(automatic(BLOCK), thermometer(), ckpt_path="first.ckpt")
    assert steps_by_tag(own_directory / "run")["lr-SGD"] == [2 * BLOCK, 3 * BLOCK]
