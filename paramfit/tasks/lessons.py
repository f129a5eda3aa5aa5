"""The classic lessons as tasks, with their model and objective chosen."""

from typing import Any

from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch.optim import SGD
from torchmetrics import Metric

from paramfit.models import GaussianModel, LinearModel
from paramfit.objectives import NegativeLogLikelihood, Objective, SquaredError
from paramfit.tasks.automatic import AutomaticTask

__all__ = ["GaussianLocation", "ThermometerRegression"]


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
        metrics: of torchmetrics, by the names they are to have: of predictions and targets, in report and TensorBoard.

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
        metrics: dict[str, Metric] | None = None,
    ) -> None:
        model = LinearModel(weight, bias, dtype)
        super().__init__(model, objective or SquaredError(), optimizer, scheduler, updates_per_step, metrics)
        # By value: of a subclass, the command line hands on its own arguments alone.
        kept = {"weight": weight, "bias": bias, "updates_per_step": updates_per_step, "dtype": dtype}
        self.save_hyperparameters(kept, logger=False)


class GaussianLocation(AutomaticTask):
    r"""The location of a normal distribution of known scale, by maximum likelihood.

    .. math:: L(\mu) = \frac n2 \log 2\pi\sigma^2 + \frac 1{2\sigma^2} \sum_i (y_i - \mu)^2

    Its minimum is the empirical mean, its standard error ``scale / sqrt(n)``; location, scale and observations share
    one unit.

    Args:
        location: start of the location.
        scale: the known standard deviation, above 0.
        objective: the negative log-likelihood, summed where it is not given.
        optimizer: a ``torch.optim`` optimizer; SGD with a learning rate of 1e-7 where it is not given.
        scheduler: a learning-rate scheduler, stepped once per training step.
        updates_per_step: updates that a training step makes on its batch.
        dtype: precision of the location, ``float64`` by default.
        metrics: of torchmetrics, by the names they are to have: of predictions and targets, in report and TensorBoard.

    Raises:
        InputError: if the scale is not positive, the start not finite, or a block has no update.
    """

    def __init__(
        self,
        location: float | dict[str, Any] = 1.0,
        scale: float = 1.0,
        objective: NegativeLogLikelihood | None = None,
        optimizer: OptimizerCallable = lambda parameters: SGD(parameters, lr=1e-7),
        scheduler: LRSchedulerCallable | None = None,
        updates_per_step: int = 1,
        dtype: str = "float64",
        metrics: dict[str, Metric] | None = None,
    ) -> None:
        model = GaussianModel(location, scale, dtype)
        super().__init__(model, objective or NegativeLogLikelihood(), optimizer, scheduler, updates_per_step, metrics)
        # By value: of a subclass, the command line hands on its own arguments alone.
        kept = {"location": location, "scale": scale, "updates_per_step": updates_per_step, "dtype": dtype}
        self.save_hyperparameters(kept, logger=False)
