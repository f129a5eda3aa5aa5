"""What callbacks ask of a run."""

import math
from pathlib import Path

import torch
from lightning.pytorch import LightningModule, Trainer

from paramfit.data.base import EstimationDataModule
from paramfit.errors import InputError
from paramfit.inference.loss_function import LossFunction
from paramfit.objectives import Objective
from paramfit.observations import Observations
from paramfit.tasks.updates import EstimationTaskLike

__all__ = ["data_of", "loss_function_of", "mean_loss", "run_directory", "task_of"]


def task_of(module: LightningModule) -> EstimationTaskLike:
    """The task, as callbacks know it.

    Raises:
        InputError: if the module tells nothing about its updates.
    """
    if not isinstance(module, EstimationTaskLike):
        msg = (
            f"model: {type(module).__name__} is not a task of paramfit; give it to Regression, MaximumLikelihood or"
            " HandWrittenDescent as their model, or derive it from paramfit.tasks.EstimationTask"
        )
        raise InputError(msg)
    return module


def data_of(trainer: Trainer) -> EstimationDataModule | None:
    """The run's data module, where it is one of ours: it knows all rows and what was done to them."""
    data = getattr(trainer, "datamodule", None)
    return data if isinstance(data, EstimationDataModule) else None


def run_directory(trainer: Trainer) -> Path | None:
    """Where the run's files go; None for a run without a logger."""
    if trainer.logger is None or getattr(trainer, "fast_dev_run", False) or trainer.log_dir is None:
        return None
    return Path(trainer.log_dir)


def loss_function_of(module: LightningModule, observations: Observations) -> LossFunction:
    """The task's objective over some observations as a function of its parameters."""
    task = task_of(module)
    return LossFunction(task.model, task.objective, observations)


def mean_loss(module: LightningModule, observations: Observations) -> float:
    """The objective over some observations at the present parameters, in the fit's own precision, without penalty."""
    task = task_of(module)
    there = observations.to(next(task.model.parameters()))
    objective: Objective = task.objective
    # Watching must not change the fit: dropout would draw from the global random state, batch norm would learn.
    training = [part for part in task.model.modules() if part.training]
    task.model.eval()
    try:
        with torch.no_grad():
            return objective(task.model(*there.inputs), *there.measured).item()
    except InputError:
        raise
    except ValueError:
        return math.nan  # the model has left its parameter space
    finally:
        for part in training:
            part.training = True
