"""A fit that was stopped and resumed ends where the fit that was never stopped ends, bit for bit."""

import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from torch import Tensor, nn
from torch.distributions import Distribution, Normal
from torch.optim import SGD, Adam
from torch.optim.lr_scheduler import OneCycleLR, StepLR

from paramfit import EstimationDataModule, EstimationTask, FixedScale, GaussianDataModule, GradientDescent, InputError
from paramfit.callbacks import AtomicCheckpointIO, DivergenceDetection, FitCheckpoint, FitEarlyStopping, GracefulStop
from paramfit.data.thermometer import ThermometerDataModule
from paramfit.gradients import AnalyticGradient, AutogradGradient, NumericalGradient
from paramfit.models import GaussianModel, LinearModel
from paramfit.objectives import NegativeLogLikelihood
from paramfit.tasks import GaussianLocation, HandWrittenDescent, MaximumLikelihood, Regression, ThermometerRegression
from tests.own_module import OwnModule
from tests.quiet import QUIET

EPOCHS = 7
BATCHES = 3  # 11 rows in batches of 4, 4 and 3


# A user's own model.
TwoWeights = partial(OwnModule, lambda self, x: self.weights[0] * x + self.weights[1], weights=torch.ones(2))


class NoisyLine(nn.Module):
    """A user's own likelihood."""

    def __init__(self) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(1.0))
        self.log_scale = nn.Parameter(torch.tensor(0.0))

    def forward(self, x: Tensor) -> Distribution:
        return Normal(self.slope * x, self.log_scale.exp())


def thermometer(**options: Any) -> EstimationDataModule:
    settings: dict[str, Any] = {"batch_size": 4, "shuffle": True, "jitter": 0.5, "seed": 3, **options}
    return ThermometerDataModule(normalization=FixedScale(0.1), **settings)


def sample() -> EstimationDataModule:
    return GaussianDataModule(n_obs=11, batch_size=4, shuffle=True, seed=3)


TASKS: dict[str, tuple[Callable[[], EstimationTask], Callable[[], EstimationDataModule]]] = {
    "thermometer with momentum": (lambda: ThermometerRegression(optimizer=partial(SGD, lr=1e-3, momentum=0.9)),
        thermometer),
    "regression with Adam and a scheduler": (lambda: Regression(TwoWeights(), optimizer=partial(Adam, lr=1e-2),
        scheduler=partial(StepLR, step_size=2, gamma=0.5)), thermometer),
    "gaussian in blocks": (lambda: GaussianLocation(optimizer=partial(SGD, lr=1e-2), updates_per_step=5), sample),
    "likelihood": (lambda: MaximumLikelihood(NoisyLine(), optimizer=partial(Adam, lr=1e-2)), thermometer),
    "hand-written, analytic, in blocks with a scheduler": (lambda: HandWrittenDescent(LinearModel(), AnalyticGradient(),
        optimizer=partial(GradientDescent, lr=1e-2), scheduler=partial(StepLR, step_size=2, gamma=0.5),
        updates_per_step=5), thermometer),
    "hand-written, numerical": (lambda: HandWrittenDescent(LinearModel(), NumericalGradient()), thermometer),
    "hand-written, autograd": (lambda: HandWrittenDescent(GaussianModel(), AutogradGradient(), NegativeLogLikelihood(),
        partial(GradientDescent, lr=1e-2)), sample),
}  # fmt: skip


class SignalAt(Callback):
    """Send the process a signal while training step number ``step`` (from 1) is under way."""

    def __init__(self, number: signal.Signals, step: int) -> None:
        self.number = number
        self.step = step
        self.sent = False  # a second signal ends the process at once

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        if trainer.global_step == self.step - 1 and not self.sent:
            self.sent = True
            os.kill(os.getpid(), self.number)


def fit(
    task: EstimationTask,
    data: EstimationDataModule,
    folder: Path,
    *extra: Callback,
    resume: Path | None = None,
    **settings: Any,
) -> Trainer:
    options: dict[str, Any] = {"max_epochs": EPOCHS, "num_sanity_val_steps": 0, **settings}
    callbacks = [GracefulStop(), DivergenceDetection(), *extra, FitCheckpoint()]
    logger = TensorBoardLogger(folder, name="", default_hp_metric=False)
    trainer = Trainer(
        **{**QUIET, "logger": logger, "enable_checkpointing": True, **options},
        callbacks=callbacks,
        plugins=[AtomicCheckpointIO()],
    )
    trainer.fit(task, data, ckpt_path=resume)
    return trainer


def last(trainer: Trainer) -> Path:
    assert trainer.log_dir is not None
    return Path(trainer.log_dir) / "checkpoints" / "last.ckpt"


def same_bits(one: EstimationTask, other: EstimationTask) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize(("kind", "step", "accumulated"), [
    *((kind, step, 1) for kind in TASKS for step in (1, 2, 3, 4, 6, 8, 9)),
    *((kind, step, 2) for kind in ("thermometer with momentum", "likelihood") for step in (2, 4, 5)),
])  # fmt: skip
def test_a_signal_at_any_step_then_resumed_gives_the_same_bits(kind, step, accumulated, own_directory):
    make_task, make_data = TASKS[kind]
    uninterrupted, stopped, resumed = make_task(), make_task(), make_task()
    settings = {"accumulate_grad_batches": accumulated}
    fit(uninterrupted, make_data(), own_directory, **settings)
    first = fit(stopped, make_data(), own_directory, SignalAt(signal.SIGTERM, step), **settings)
    assert stopped.updates < uninterrupted.updates
    fit(resumed, make_data(), own_directory, resume=last(first), **settings)
    assert resumed.updates == uninterrupted.updates
    assert same_bits(resumed, uninterrupted)
    assert not same_bits(stopped, uninterrupted)


@pytest.mark.parametrize("kind", TASKS)
@pytest.mark.parametrize(
    ("short", "whole"),
    [
        ({"max_epochs": 3}, {"max_epochs": EPOCHS}),
        ({"max_epochs": -1, "max_steps": 8}, {"max_epochs": EPOCHS}),
        ({"max_epochs": -1, "max_steps": 9}, {"max_epochs": -1, "max_steps": EPOCHS * BATCHES}),
        ({"max_epochs": -1, "max_steps": 8}, {"max_epochs": -1, "max_steps": EPOCHS * BATCHES}),
    ],
    ids=["epochs", "steps within an epoch, then epochs", "steps at an epoch's end", "steps within an epoch"],
)
def test_a_shorter_run_prolonged_gives_the_same_bits(kind, short, whole, own_directory):
    make_task, make_data = TASKS[kind]
    uninterrupted, stopped, resumed = make_task(), make_task(), make_task()
    fit(uninterrupted, make_data(), own_directory)
    first = fit(stopped, make_data(), own_directory, **short)
    fit(resumed, make_data(), own_directory, resume=last(first), **whole)
    assert resumed.updates == uninterrupted.updates
    assert same_bits(resumed, uninterrupted)


def test_a_scheduler_that_rewrites_the_initial_rate_does_not_prevent_a_resume(own_directory):
    def task() -> EstimationTask:
        return ThermometerRegression(
            optimizer=partial(SGD, lr=1e-2, momentum=0.9),
            scheduler=partial(OneCycleLR, max_lr=1e-2, total_steps=EPOCHS * BATCHES + 1),
        )

    uninterrupted, resumed = task(), task()
    fit(uninterrupted, thermometer(), own_directory)
    first = fit(task(), thermometer(), own_directory, max_epochs=3)
    fit(resumed, thermometer(), own_directory, resume=last(first))
    assert same_bits(resumed, uninterrupted)


@pytest.mark.parametrize("step", [3, 4, 6, 7])
def test_early_stopping_counts_on_after_a_resume(step, own_directory):
    def make_task() -> EstimationTask:
        return ThermometerRegression(optimizer=partial(SGD, lr=2e-2))

    def make_data() -> EstimationDataModule:
        return thermometer(validation_fraction=0.2, batch_size=3)

    uninterrupted, resumed = make_task(), make_task()
    settings: dict[str, Any] = {"max_epochs": 60, "check_val_every_n_epoch": 2}
    fit(uninterrupted, make_data(), own_directory, FitEarlyStopping(patience=3), **settings)
    assert uninterrupted.updates < 60 * 3  # it did stop early
    first = fit(
        make_task(),
        make_data(),
        own_directory,
        FitEarlyStopping(patience=3),
        SignalAt(signal.SIGTERM, step),
        **settings,
    )
    fit(resumed, make_data(), own_directory, FitEarlyStopping(patience=3), resume=last(first), **settings)
    assert resumed.updates == uninterrupted.updates
    assert same_bits(resumed, uninterrupted)


def test_a_changed_learning_rate_is_refused_where_a_scheduler_has_moved_it(own_directory):
    def task(rate: float) -> EstimationTask:
        return ThermometerRegression(optimizer=partial(SGD, lr=rate), scheduler=partial(StepLR, step_size=1))

    first = fit(task(1e-2), thermometer(), own_directory, max_epochs=1)
    fit(task(1e-2), thermometer(), own_directory, resume=last(first), max_epochs=2)
    with pytest.raises(InputError, match=r"model\.optimizer\.lr"):
        fit(task(1e-3), thermometer(), own_directory, resume=last(first))
