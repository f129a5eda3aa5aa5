"""The thermometer: a straight line through eleven readings."""

from typing import Any

from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch.optim import SGD

from paramfit.models import LinearModel
from paramfit.objectives import Objective, SquaredError
from paramfit.tasks.automatic import AutomaticTask

__all__ = ["ThermometerRegression"]


class ThermometerRegression(AutomaticTask):
    r"""Calibrate a thermometer of unknown units, ``t_c = weight * t_u + bias``, by least squares.

    On normalised readings the weight is that of the normalised reading; the report gives both.

    Args:
        weight: start of the slope, in °C per unit of the (normalised) reading.
        bias: start of the offset, in °C.
        objective: the loss; the mean squared error where it is not given.
        optimizer: a ``torch.optim`` optimizer; SGD with a learning rate of 0.01 where it is not given.
        scheduler: a learning-rate scheduler, stepped once per training step.
        updates_per_step: updates that a training step makes on its batch.
        dtype: precision of the parameters; the published digits are those of ``float32``.

    Raises:
        InputError: if a start is not finite or a block has no update.

    References:
        Eli Stevens, Luca Antiga, Thomas Viehmann: Deep Learning with PyTorch, chapter 5 (2020).
    """

    def __init__(
        self,
        weight: float | dict[str, Any] = 1.0,
        bias: float | dict[str, Any] = 0.0,
        objective: Objective | None = None,
        optimizer: OptimizerCallable = lambda parameters: SGD(parameters, lr=1e-2),
        scheduler: LRSchedulerCallable | None = None,
        updates_per_step: int = 1,
        dtype: str = "float32",
    ) -> None:
        super().__init__(
            LinearModel(weight, bias, dtype), objective or SquaredError(), optimizer, scheduler, updates_per_step
        )
        self.save_hyperparameters("weight", "bias", "updates_per_step", "dtype", logger=False)
