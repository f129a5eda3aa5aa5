"""What is measured on held-out observations."""

from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution
from torchmetrics import MeanAbsoluteError, MeanMetric, MeanSquaredError, Metric, MetricCollection

from paramfit.errors import InputError
from paramfit.objectives import NegativeLogLikelihood, Objective
from paramfit.observations import Censored

__all__ = ["HeldOutMetrics"]


class HeldOutMetrics:
    """The objective and the usual metrics over all batches of one evaluation, in the data's precision.

    Regression gives ``mse`` and ``mae``, a likelihood ``nll``, the mean negative log-likelihood of an observation;
    both give ``loss``, the objective without its penalty. NaN stays NaN.
    """

    def __init__(self, objective: Objective) -> None:
        self.objective = objective
        metrics: dict[str, Metric | MetricCollection] = {"mse": MeanSquaredError(), "mae": MeanAbsoluteError()}
        if isinstance(objective, NegativeLogLikelihood):
            metrics = {"nll": MeanMetric(nan_strategy="disable")}
        self._metrics = MetricCollection(metrics, compute_groups=False)
        self._total: Tensor | None = None
        self._count = 0

    @torch.no_grad()
    def update(
        self, prediction: Any, target: Tensor, sigma: Tensor | None = None, censoring: Censored | None = None
    ) -> None:
        """Take in one batch."""
        if self._total is None:
            self._metrics.to(target.device)
            self._metrics.set_dtype(target.dtype)
            self._metrics.reset()
            self._count = 0
        values = self.objective.losses(prediction, target, sigma, censoring)
        if values.shape != target.shape:
            raise InputError(
                f"shapes do not match: the model gives {tuple(values.shape)} losses for a target of"
                f" {tuple(target.shape)}; the model must return one value for each observation"
            )
        total = self.objective.summation.add_up(values)
        self._total = total if self._total is None else self._total + total
        self._count += target.shape[-1]
        if isinstance(prediction, Distribution):
            self._metrics.update(values)
        else:
            self._metrics.update(prediction.expand(target.shape), target)

    def compute(self) -> dict[str, Tensor]:
        """The metrics over all batches since the last call, and start anew; empty if there was none."""
        if self._total is None:
            return {}
        values = {"loss": self.objective.finish(self._total, self._count), **self._metrics.compute()}
        self._total = None
        return values
