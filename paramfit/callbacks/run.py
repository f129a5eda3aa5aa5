"""What callbacks share of a run."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from weakref import WeakKeyDictionary

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from torch.optim import Optimizer

from paramfit.data.base import EstimationDataModule
from paramfit.distributions.domain import unchecked
from paramfit.errors import InputError
from paramfit.facts import Fact, FactKind
from paramfit.fits.result import FitResult
from paramfit.inference.descent_stability import Stability
from paramfit.inference.ladder.rungs import Ladder
from paramfit.inference.loss_function import LossFunction
from paramfit.inference.profile.profiles import PairProfile
from paramfit.observations import Observations
from paramfit.optimizers import BlockOptimizer
from paramfit.results.verdict import CurvePoint
from paramfit.tasks.updates import EstimationTaskLike
from paramfit.tasks.watching import evaluating

__all__ = [
    "Examination",
    "FileWriting",
    "Run",
    "data_of",
    "loss_function_of",
    "mean_loss",
    "optimizer_of",
    "refuse_below_one",
    "run_directory",
    "run_of",
    "task_of",
]


@dataclass
class Examination:
    """What the doctor knows of a descent."""

    start: LossFunction | None = None  # the objective before the first update; None where it was not examined
    stability: Stability | None = None  # of the start
    missing: Fact = field(default_factory=lambda: Fact(FactKind.NOT_EXAMINED))  # why there is no stability
    curve: list[CurvePoint] = field(default_factory=list)


@dataclass
class Run:
    """One fit: callbacks write what they find here, and read it here."""

    examination: Examination = field(default_factory=Examination)
    has_figures: bool = False  # whether there will be figures of it
    result: FitResult | None = None  # at the end of the fit
    ladder: Ladder | None = None  # errors by other ways, where they were asked for
    pairs: list[PairProfile] = field(default_factory=list)  # profiled deviances of pairs of parameters, for contours
    unwritten: OSError | None = None  # the first write that failed

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Go on where a file cannot be written: it must not cost the fit, and is told at its end."""
        try:
            yield
        except OSError as unwritten:
            self.unwritten = self.unwritten or unwritten


_RUNS: WeakKeyDictionary[Trainer, Run] = WeakKeyDictionary()


def run_of(trainer: Trainer) -> Run:
    """The run of a Trainer; a new one with its first fit."""
    return _RUNS.setdefault(trainer, Run())


class FileWriting:
    """A callback that writes files: what could not be written is raised when all else is done."""

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """End the fit.

        Raises:
            OSError: the first write that failed.
        """
        run = run_of(trainer)
        unwritten, run.unwritten = run.unwritten, None
        if unwritten is not None:
            raise unwritten


def task_of(module: LightningModule) -> EstimationTaskLike:
    """The task, as callbacks know it; a module that tells nothing about its updates is refused."""
    if not isinstance(module, EstimationTaskLike):
        raise InputError(
            f"model: {type(module).__name__} is not a task of paramfit; give it to Regression, MaximumLikelihood or"
            " HandWrittenDescent as their model, or derive it from paramfit.tasks.EstimationTask"
        )
    return module


def refuse_below_one(option: str, number: int | None) -> None:
    """Refuse a number that must be at least 1, where it is given."""
    if number is not None and number < 1:
        raise InputError(f"{option}: expected at least 1, but got {number}")


def data_of(trainer: Trainer) -> EstimationDataModule | None:
    """The run's data module, where it is one of ours: it knows all rows and what was done to them."""
    data = getattr(trainer, "datamodule", None)
    return data if isinstance(data, EstimationDataModule) else None


def optimizer_of(trainer: Trainer) -> Optimizer:
    """The optimizer that makes the updates, without the block around it."""
    optimizer = trainer.optimizers[0]
    return optimizer.inner if isinstance(optimizer, BlockOptimizer) else optimizer


def run_directory(trainer: Trainer) -> Path | None:
    """Where the run's files go; None for a run without a logger.

    For a logger that keeps no folder for each run it is named as that of Lightning's checkpoints.
    """
    if trainer.logger is None or getattr(trainer, "fast_dev_run", False) or trainer.log_dir is None:
        return None
    if isinstance(trainer.logger, TensorBoardLogger | CSVLogger):
        return Path(trainer.log_dir)
    version = trainer.logger.version
    return Path(
        trainer.log_dir, str(trainer.logger.name), version if isinstance(version, str) else f"version_{version}"
    )


def loss_function_of(module: LightningModule, observations: Observations) -> LossFunction:
    """The task's objective over some observations as a function of its parameters."""
    task = task_of(module)
    return LossFunction(task.model, task.objective, observations)


def mean_loss(module: LightningModule, observations: Observations) -> float:
    """The objective over some observations at the present parameters, in the fit's own precision, without penalty."""
    task = task_of(module)
    moved = observations.to(next(task.model.parameters()))
    try:
        with evaluating(task.model), unchecked():
            return task.objective(task.model(*moved.inputs), *moved.measured).item()
    except InputError:
        raise
    except ValueError:
        return math.nan  # the model has left its parameter space
