"""What waits for a metric that never comes is refused before the first update, and what does come can be waited for."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import EarlyStopping, LambdaCallback, LearningRateMonitor, ModelCheckpoint
from lightning.pytorch.cli import ReduceLROnPlateau
from torch.optim import SGD
from torchmetrics import R2Score

from paramfit import FitEarlyStopping, InputError, LinearModel, Regression
from paramfit.tasks.monitors import ComingMetrics, refuse_monitors
from tests.callbacks.conftest import MakeTrainer, thermometer
from tests.callbacks.test_lightnings_callbacks import SOLVED, TASKS, held_out


class Waiting(Callback):
    """As that of another package: waits for a metric, and logs none."""

    def __init__(self, monitor: str) -> None:
        self.monitor = monitor

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        self.value = trainer.callback_metrics[self.monitor]


#: What waits for the metric of a name.
WAITING: dict[str, Callable[[str], Callback]] = {
    "EarlyStopping": EarlyStopping,
    "ModelCheckpoint": lambda name: ModelCheckpoint("checkpoints", monitor=name),
    "FitEarlyStopping": partial(FitEarlyStopping, patience=2),
    "another's": Waiting,
}


@pytest.mark.parametrize("kind", TASKS)
def test_a_misspelt_metric_is_refused_before_the_first_update(kind, make_trainer: MakeTrainer):
    refused = r"monitors 'val_loss', but there is no such metric; did you mean 'val/loss'"
    for make in WAITING.values():
        task = TASKS[kind]()
        with pytest.raises(InputError, match=refused):
            make_trainer(1, make("val_loss"), enable_checkpointing=True).fit(task, held_out(kind))
        assert task.updates == 0


@pytest.mark.parametrize(("monitor", "words"), [
    ("val_loss", "did you mean 'val/loss'"),
    ("validation_loss", "did you mean 'val/loss'"),
    ("loss", "did you mean 'val/loss'"),
    ("train_loss", "did you mean 'train/loss'"),
    ("training/loss", "did you mean 'train/loss'"),
    ("val_mae", "did you mean 'val/mae'"),
    ("worst", "did you mean 'val/worst'"),
    ("val/worse", "did you mean 'val/worst'"),
    ("lr-SGD", "there are 'train/loss', 'val/loss', 'val/mae', 'val/worst', 'lr'"),
    ("epoch", "there are"),
])  # fmt: skip
def test_what_is_meant_is_suggested(monitor, words):
    metrics = ComingMetrics(("loss", "mae", "worst"), has_validation=True, has_rate=True)
    task = TASKS["automatic"]()
    with pytest.raises(InputError, match=words) as refusal:
        refuse_monitors(task, [EarlyStopping(monitor)], None, metrics)
    assert "\n" not in str(refusal.value)
    assert str(refusal.value).startswith("trainer.callbacks: EarlyStopping monitors ")


@pytest.mark.parametrize("kind", TASKS)
def test_every_metric_that_is_offered_comes(kind, make_trainer: MakeTrainer):
    task = TASKS[kind]()
    task.metrics = type(task.metrics)(task.objective, {"r2": R2Score()})
    names = ComingMetrics(task.metrics.names, has_validation=True, has_rate=kind not in SOLVED).names
    assert {"train/loss", "val/loss", "val/r2"} < {*names, *(["lr"] if kind in SOLVED else [])}
    trainer = make_trainer(2, *(EarlyStopping(name) for name in names))
    trainer.fit(task, held_out(kind))
    assert set(names) <= trainer.callback_metrics.keys()


def test_held_out_metrics_are_refused_where_no_row_is_held_out(make_trainer: MakeTrainer):
    for name in ("val/loss", "val/mae"):
        with pytest.raises(InputError, match=f"monitors {name}, but no row is held out"):
            make_trainer(1, EarlyStopping(name)).fit(TASKS["automatic"](), thermometer())


@pytest.mark.parametrize(("monitor", "words"), [
    ("val/los", "there is no such metric; did you mean 'val/loss'"), ("val/loss", "no row is held out")
])  # fmt: skip
def test_a_scheduler_does_not_wait_for_ever_either(monitor, words, make_trainer: MakeTrainer):
    task = Regression(
        LinearModel(), optimizer=partial(SGD, lr=0.01), scheduler=partial(ReduceLROnPlateau, monitor=monitor)
    )
    with pytest.raises(InputError, match=rf"^model\.scheduler: it monitors .*{words}"):
        make_trainer(1).fit(task, thermometer())


class Logging(Callback):
    """A user's, with a metric of its own."""

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        pl_module.log("own", 1.0)


class LoggingTask(Regression):
    """A user's task, with a metric of its own."""

    def on_validation_epoch_end(self) -> None:
        super().on_validation_epoch_end()
        self.log_dict({"own": 1.0})


@pytest.mark.parametrize("also", [
    Logging(),
    LambdaCallback(on_train_epoch_end=lambda trainer, pl_module: pl_module.log("own", 1.0)),
    None,
], ids=["callback", "function", "task"])  # fmt: skip
def test_a_metric_that_the_user_logs_may_have_any_name(also, make_trainer: MakeTrainer):
    task = (Regression if also else LoggingTask)(LinearModel(), optimizer=partial(SGD, lr=0.01))
    trainer = make_trainer(2, EarlyStopping("own"), *([also] if also else []))
    trainer.fit(task, held_out("automatic"))
    assert trainer.callback_metrics["own"].item() == 1.0
    assert task.updates > 0


def test_names_of_lightnings_own_may_be_waited_for(make_trainer: MakeTrainer):
    rates = LearningRateMonitor()
    callbacks = [ModelCheckpoint("checkpoints", monitor="step", mode="max"), EarlyStopping("lr-SGD"), rates]
    trainer = make_trainer(2, *callbacks, enable_checkpointing=True, log_every_n_steps=1)
    task = TASKS["automatic"]()
    trainer.fit(task, held_out("automatic"))
    assert task.updates > 0
