"""Each callback that Lightning exports, on each kind of task: it works, or one line refuses it."""

from collections.abc import Callable
from functools import partial
from inspect import isabstract
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, callbacks
from lightning.pytorch.callbacks import EarlyStopping, GradientAccumulationScheduler, LearningRateMonitor
from lightning.pytorch.cli import ReduceLROnPlateau
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.tuner import Tuner
from torch.optim import SGD

from paramfit import (
    AnalyticGradient,
    DistributionModel,
    FitReport,
    GradientDescent,
    HandWrittenDescent,
    InputError,
    LeastSquares,
    LinearModel,
    MaximumLikelihood,
    Regression,
    ThermometerDataModule,
)
from paramfit.callbacks import FitCheckpoint, FitEarlyStopping
from paramfit.data.base import EstimationDataModule
from paramfit.tasks import EstimationTask
from tests.callbacks.conftest import MakeTrainer, thermometer

RATE = 1e-2


def automatic(updates_per_step: int = 1) -> EstimationTask:
    return Regression(LinearModel(), optimizer=partial(SGD, lr=RATE), updates_per_step=updates_per_step)


def hand_written() -> EstimationTask:
    return HandWrittenDescent(LinearModel(), AnalyticGradient(), optimizer=partial(GradientDescent, lr=RATE))


def least_squares() -> EstimationTask:
    return LeastSquares(LinearModel())


def newton() -> EstimationTask:
    return MaximumLikelihood(
        DistributionModel(
            "torch.distributions.Normal", {"loc": "a + b*t_u", "scale": 2.0}, coefficients={"a": 0.0, "b": 0.0}
        )
    )


TASKS: dict[str, Callable[[], EstimationTask]] = {
    "automatic": automatic,
    "hand-written": hand_written,
    "least squares": least_squares,
    "Newton": newton,
}
SOLVED = {"least squares", "Newton"}


class ModelThaw(callbacks.BaseFinetuning):
    """What a user writes: all of the model from the second epoch on."""

    def freeze_before_training(self, pl_module: Any) -> None:
        self.freeze(pl_module.model)

    def finetune_function(self, pl_module: Any, epoch: int, optimizer: Any) -> None:
        if epoch == 1:
            self.unfreeze_and_add_param_group(pl_module.model, optimizer)


class PredictionList(callbacks.BasePredictionWriter):
    """Keeps predictions."""

    def write_on_batch_end(self, *batch: Any) -> None:
        self.batch = batch


class NoBar(callbacks.ProgressBar):
    """Draws nothing."""

    def disable(self) -> None:
        """Draw nothing."""

    def enable(self) -> None:
        """Draw nothing."""


class LossReader(Callback):
    """What a user writes: reads a metric after each block."""

    def __init__(self) -> None:
        self.losses: list[float] = []

    def on_train_batch_end(self, trainer: Any, *others: Any) -> None:
        if "train/loss" in trainer.callback_metrics:  # a solver's update takes all batches of an epoch
            self.losses.append(trainer.callback_metrics["train/loss"].item())


#: How each is made, and the tasks that refuse it.
CALLBACKS: dict[str, tuple[Callable[[], Callback], set[str]]] = {
    "BackboneFinetuning": (callbacks.BackboneFinetuning, set(TASKS)),
    "BaseFinetuning": (ModelThaw, set(TASKS)),
    "BasePredictionWriter": (PredictionList, set()),
    "BatchSizeFinder": (callbacks.BatchSizeFinder, set(TASKS)),
    "Callback": (LossReader, set()),
    "Checkpoint": (callbacks.Checkpoint, set()),
    "DeviceStatsMonitor": (lambda: callbacks.DeviceStatsMonitor(cpu_stats=False), set()),
    "EarlyStopping": (lambda: EarlyStopping("train/loss"), set()),
    "GradientAccumulationScheduler": (
        lambda: GradientAccumulationScheduler({1: 2}),
        {"hand-written", *SOLVED},
    ),
    "LambdaCallback": (lambda: callbacks.LambdaCallback(on_train_start=lambda *others: None), set()),
    "LearningRateFinder": (callbacks.LearningRateFinder, set(TASKS)),
    "LearningRateMonitor": (LearningRateMonitor, SOLVED),
    "ModelCheckpoint": (lambda: callbacks.ModelCheckpoint("checkpoints", monitor="train/loss"), set()),
    "ModelPruning": (lambda: callbacks.ModelPruning("l1_unstructured"), set(TASKS)),
    "ModelSummary": (callbacks.ModelSummary, set()),
    "OnExceptionCheckpoint": (lambda: callbacks.OnExceptionCheckpoint("checkpoints"), set()),
    "ProgressBar": (NoBar, set()),
    "RichModelSummary": (callbacks.RichModelSummary, set()),
    "RichProgressBar": (callbacks.RichProgressBar, set()),
    "StochasticWeightAveraging": (lambda: callbacks.StochasticWeightAveraging(RATE, swa_epoch_start=1), SOLVED),
    "SpikeDetection": (callbacks.SpikeDetection, {"hand-written", *SOLVED}),
    "ThroughputMonitor": (lambda: callbacks.ThroughputMonitor(lambda batch: batch.n), set()),
    "Timer": (lambda: callbacks.Timer("00:01:00:00"), set()),
    "TQDMProgressBar": (callbacks.TQDMProgressBar, set()),
    "EMAWeightAveraging": (callbacks.EMAWeightAveraging, SOLVED),
    "WeightAveraging": (callbacks.WeightAveraging, SOLVED),
}


def held_out(kind: str, batch_size: int | None = 4) -> EstimationDataModule:
    if kind in SOLVED:
        return ThermometerDataModule(validation_indices=[1, 9], batch_size=batch_size, dtype="float64")
    return thermometer(validation_indices=[1, 9], batch_size=batch_size)


@pytest.fixture
def options() -> dict[str, Any]:
    """What a trainer needs for any of them."""
    return {"enable_checkpointing": True, "logger": CSVLogger(".", name="", version="csv"), "log_every_n_steps": 1}


def test_every_callback_of_lightnings_is_here():
    assert set(CALLBACKS) == set(callbacks.__all__)
    assert not any(isabstract(type(make())) for make, _ in CALLBACKS.values())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CALLBACKS)
def test_a_callback_works_or_is_refused_by_one_line(name, make_trainer: MakeTrainer, options):
    make, refusing = CALLBACKS[name]
    for kind, make_task in TASKS.items():
        callback, task, report = make(), make_task(), FitReport(enabled=False)
        bar = {"enable_progress_bar": isinstance(callback, callbacks.ProgressBar)}
        trainer = make_trainer(3, report, callback, FitCheckpoint(), **options, **bar)
        if kind in refusing:
            with pytest.raises(InputError, match=r"^trainer\.callbacks: .*; leave ") as refusal:
                trainer.fit(task, held_out(kind))
            assert type(callback).__name__ in str(refusal.value)
            assert "\n" not in str(refusal.value)
            assert task.updates == 0
        else:
            trainer.fit(task, held_out(kind))
            assert task.updates > 0
            assert report.result is not None
            # What validate says of the last checkpoint is what the fit ended with.
            reloaded = torch.load("csv/checkpoints/last.ckpt", weights_only=True)["state_dict"]
            for key, value in task.state_dict().items():
                assert torch.equal(reloaded[key], value), (kind, key)


@pytest.mark.parametrize("kind", TASKS)
def test_losses_and_rates_are_metrics_where_they_are_read(kind, make_trainer: MakeTrainer):
    reader, task = LossReader(), TASKS[kind]()
    losses: list[float] = []

    class Listener:
        def next_update(self, after: int) -> int:
            return after + 1

        def on_update(self, update: Any) -> None:
            losses.append(update.loss)

    class Start(Callback):
        def on_train_start(self, trainer: Any, pl_module: Any) -> None:
            pl_module.listeners.append(Listener())

    trainer = make_trainer(3, Start(), reader)
    trainer.fit(task, held_out(kind, batch_size=None))
    assert reader.losses[: len(losses)] == losses
    assert {"train/loss", "val/loss"} <= trainer.callback_metrics.keys()
    if kind in SOLVED:
        assert "lr" not in trainer.callback_metrics
    else:
        assert trainer.callback_metrics["lr"].item() == RATE


def test_nothing_is_logged_where_nobody_reads(make_trainer: MakeTrainer):
    for kind, make_task in TASKS.items():
        trainer = make_trainer(2, FitReport(enabled=False), FitEarlyStopping(patience=5), callbacks.Timer())
        trainer.fit(make_task(), held_out(kind))
        assert not {"train/loss", "lr"} & trainer.callback_metrics.keys()


def test_our_early_stopping_reads_the_training_loss(make_trainer: MakeTrainer):
    stopping = FitEarlyStopping("train/loss", patience=2, min_delta=1e9)
    task = automatic()
    make_trainer(50, stopping).fit(task, held_out("automatic"))
    assert task.updates == 3 * 3  # the first validation is the best; three batches an epoch


@pytest.mark.parametrize(("make_task", "name"), [(automatic, "lr-SGD"), (hand_written, "lr-GradientDescent")])
def test_learning_rates_have_the_name_of_the_optimizer(make_task, name, make_trainer: MakeTrainer, options):
    monitor = LearningRateMonitor()
    trainer = make_trainer(1, monitor, **options)
    trainer.fit(make_task(), held_out("automatic"))
    assert list(monitor.lrs) == [name]
    assert trainer.callback_metrics[name].item() == pytest.approx(RATE)


def test_a_plateau_in_the_loss_of_blocks_lowers_the_rate(make_trainer: MakeTrainer):
    """Lightning reads the loss before a block's last update."""
    scheduler = partial(ReduceLROnPlateau, monitor="train/loss", patience=0, threshold=1e9, threshold_mode="abs")
    task = Regression(LinearModel(), optimizer=partial(SGD, lr=RATE), scheduler=scheduler, updates_per_step=5)
    trainer = make_trainer(3)
    trainer.fit(task, thermometer())
    assert trainer.optimizers[0].param_groups[0]["lr"] == pytest.approx(RATE / 100)


@pytest.mark.filterwarnings("ignore:When using .Trainer.accumulate")
def test_a_schedule_of_accumulation_gives_the_gradient_of_all_rows(make_trainer: MakeTrainer):
    """From the second epoch on four and one row make one update: that of a batch of five."""
    plain = Regression(LinearModel(dtype="float64"), optimizer=partial(SGD, lr=RATE))
    trainer = make_trainer(2)
    trainer.fit(plain, thermometer(dtype="float64"))
    scheduled = Regression(LinearModel(dtype="float64"), optimizer=partial(SGD, lr=RATE))
    report = FitReport(enabled=False)
    trainer = make_trainer(2, GradientAccumulationScheduler({0: 2}), report)
    trainer.fit(scheduled, thermometer(batch_size=8, dtype="float64"))  # 8 and 3 rows
    assert scheduled.updates == plain.updates == 2
    for one, other in zip(plain.parameters(), scheduled.parameters(), strict=True):
        assert one.item() == pytest.approx(other.item(), rel=1e-12)
    assert report.result is not None
    assert report.result.status == "limit_reached"


@pytest.mark.filterwarnings("ignore:When using .Trainer.accumulate")
def test_updates_of_a_schedule_of_accumulation_are_counted_before(make_trainer: MakeTrainer):
    task, report = automatic(), FitReport(enabled=False)
    make_trainer(3, GradientAccumulationScheduler({1: 3}), report).fit(task, held_out("automatic"))
    assert task.updates == task.planned_updates == 3 + 1 + 1  # of three batches
    assert report.result is not None
    assert report.result.status == "limit_reached"


def test_blocks_and_a_schedule_of_accumulation_exclude_each_other(make_trainer: MakeTrainer):
    with pytest.raises(InputError, match="GradientAccumulationScheduler and updates_per_step exclude each other"):
        make_trainer(1, GradientAccumulationScheduler({0: 2})).fit(automatic(5), thermometer())


@pytest.mark.parametrize("kind", TASKS)
def test_tuning_points_to_the_report(kind, make_trainer: MakeTrainer):
    tuner = Tuner(make_trainer(1))
    words = "has no learning rate" if kind in SOLVED else "largest stable learning rate"
    with pytest.raises(InputError, match=words):
        tuner.lr_find(TASKS[kind](), datamodule=held_out(kind))
    tuner = Tuner(make_trainer(1))
    with pytest.raises(InputError, match=r"BatchSizeFinder looks for .* largest stable learning rate"):
        tuner.scale_batch_size(TASKS[kind](), datamodule=held_out(kind))
