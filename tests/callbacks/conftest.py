"""What the tests of callbacks share."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn

from paramfit import AnalyticGradient, FixedScale, GradientDescent, HandWrittenDescent, LinearModel
from paramfit.callbacks import AtomicCheckpointIO
from paramfit.data.thermometer import ThermometerDataModule
from paramfit.facts import Stop
from paramfit.tasks.updates import Update, UpdateListener
from tests.quiet import QUIET

MakeTrainer = Callable[..., Trainer]


@pytest.fixture
def make_trainer(tmp_path: Path) -> MakeTrainer:
    """A trainer with the callbacks under test, whose run directory is ``run``."""

    def make(max_epochs: int = 1, *callbacks: Callback, **options: Any) -> Trainer:
        logger = TensorBoardLogger(tmp_path, name="", version="run", default_hp_metric=False)
        settings = {
            **QUIET,
            "logger": logger,
            "num_sanity_val_steps": 0,
            "plugins": [AtomicCheckpointIO()],
            **options,
        }
        return Trainer(max_epochs=max_epochs, callbacks=list(callbacks), **settings)

    return make


def descent(rate: float = 1e-2, updates_per_step: int = 1, dtype: str = "float32") -> HandWrittenDescent:
    """The lesson's hand-written descent."""
    optimizer = partial(GradientDescent, lr=rate)
    return HandWrittenDescent(
        LinearModel(dtype=dtype), AnalyticGradient(), optimizer=optimizer, updates_per_step=updates_per_step
    )


def thermometer(scale: float = 0.1, **options: Any) -> ThermometerDataModule:
    """The lesson's data, with the readings scaled."""
    return ThermometerDataModule(normalization=FixedScale(scale), **options)


def events_of(run: Path) -> EventAccumulator:
    """The run's event files, read back by TensorBoard itself."""
    events = EventAccumulator(str(run), size_guidance={"scalars": 0, "images": 0})
    events.Reload()
    return events


class ScriptedTask:
    """A task whose updates a test writes down: it only tells callbacks about them."""

    def __init__(self, names: Sequence[str] = ("weight", "bias"), planned_updates: int = 100) -> None:
        self.model: nn.Module = nn.Module()
        self.objective = None
        self.updates = 0
        self.stop: Stop | None = None
        self.listeners: list[UpdateListener] = []
        self.planned_updates = planned_updates
        self.names = tuple(names)

    def request_stop(self, stop: Stop) -> None:
        self.stop = self.stop or stop

    def tell(self, loss: float, parameters: Sequence[float], gradients: Sequence[float]) -> Stop | None:
        """Make one update, and return what the listeners made of it."""
        self.updates += 1
        tensors = []
        for value, slope in zip(parameters, gradients, strict=True):
            parameter = nn.Parameter(torch.tensor(value))
            parameter.grad = torch.tensor(slope)
            tensors.append(parameter)
        update = Update(self.updates, loss, tensors)
        for listener in self.listeners:
            if listener.next_update(self.updates - 1) == self.updates:
                listener.on_update(update)
        return self.stop


class ValidatedTrainer(SimpleNamespace):
    """A trainer as far as a callback sees of it after a validation; it can hold a run."""

    __hash__ = object.__hash__


def validation(**metrics: float) -> Any:
    """A trainer that has just validated, as far as a callback sees of it."""
    theirs = {name.replace("_", "/"): torch.tensor(value, dtype=torch.float64) for name, value in metrics.items()}
    return ValidatedTrainer(state=SimpleNamespace(fn="fit"), sanity_checking=False, callback_metrics=theirs, loggers=[])
