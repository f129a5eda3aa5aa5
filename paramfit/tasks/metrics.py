"""What is measured on held-out observations."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution
from torchmetrics import MeanAbsoluteError, MeanMetric, MeanSquaredError, Metric, MetricCollection

from paramfit.distributions.center import predicted_mean
from paramfit.errors import InputError
from paramfit.objectives import NegativeLogLikelihood, Objective
from paramfit.observations import Censored

__all__ = ["HeldOutMetrics"]

_RESERVED = ("loss", "mse", "mae", "nll", "band_coverage")


class HeldOutMetrics:
    """The objective and the usual metrics over all batches of one evaluation, in the data's precision.

    Regression gives ``mse`` and ``mae``, a likelihood ``nll``, the mean negative log-likelihood of an observation;
    both give ``loss``, the objective without its penalty. NaN stays NaN.

    Args:
        objective: what is minimised.
        own: further metrics by their names, each of predictions and targets ``(n,)``; a distribution predicts its mean.

    Raises:
        InputError: for what is no metric, or has the name of one that is there already.
    """

    def __init__(self, objective: Objective, own: Mapping[str, Metric] | None = None) -> None:
        self.objective = objective
        self._own = {name: _checked(name, metric) for name, metric in _by_name(own).items()}
        metrics: dict[str, Metric | MetricCollection] = {"mse": MeanSquaredError(), "mae": MeanAbsoluteError()}
        if isinstance(objective, NegativeLogLikelihood):
            metrics = {"nll": MeanMetric(nan_strategy="disable")}
        self._metrics = MetricCollection(metrics, compute_groups=False)
        self._total: Tensor | None = None
        self._count = 0

    @property
    def names(self) -> tuple[str, ...]:
        """What each is called."""
        return ("loss", *map(str, self._metrics), *self._own)

    @property
    def has_own(self) -> bool:
        """Whether any were given."""
        return bool(self._own)

    @torch.no_grad()
    def update(
        self, prediction: Any, target: Tensor, sigma: Tensor | None = None, censoring: Censored | None = None
    ) -> None:
        """Take in one batch."""
        if self._total is None:
            for metric in self._own.values():
                metric.to(target.device).set_dtype(target.dtype).reset()
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
        if self._own:
            mean = predicted_mean(prediction) if isinstance(prediction, Distribution) else prediction
            for name, metric in self._own.items():
                _updated(name, metric, mean.expand(target.shape), target)
        if isinstance(prediction, Distribution):
            self._metrics.update(values)
        else:
            self._metrics.update(prediction.expand(target.shape), target)

    def compute(self) -> dict[str, Tensor]:
        """The metrics over all batches since the last call, and start anew; empty if there was none."""
        if self._total is None:
            return {}
        values = {"loss": self.objective.finish(self._total, self._count), **self._metrics.compute()}
        values |= {name: _value(name, metric) for name, metric in self._own.items()}
        self._total = None
        return values

    @torch.no_grad()
    def own_values(self, prediction: Tensor, target: Tensor) -> dict[str, float]:
        """The metrics that were given, over some rows alone; what they have taken in so far stays."""
        values = {}
        for name, metric in self._own.items():
            fresh = metric.clone().to(target.device).set_dtype(target.dtype)
            fresh.reset()
            _updated(name, fresh, prediction, target)
            values[name] = _value(name, fresh).item()
        return values


def _by_name(given: Any) -> Mapping[str, Any]:
    if given is None or isinstance(given, Mapping):
        return given or {}
    kind = given if isinstance(given, type) else type(given)
    made = f"{kind.__name__}()" if issubclass(kind, Metric) else "torchmetrics.R2Score()"
    raise InputError(
        f"metrics: expected metrics by the names they are to have, such as {{'own': {made}}}, but got {kind.__name__}"
    )


def _checked(name: str, metric: Any) -> Metric:
    if not isinstance(metric, Metric):
        made = f"{metric.__name__}()" if isinstance(metric, type) else "torchmetrics.R2Score()"
        raise InputError(f"metrics.{name}: expected a metric of torchmetrics, but got {metric!r:.60}; give {made}")
    if name in _RESERVED or not name.isidentifier():
        raise InputError(
            f"metrics.{name}: choose another name, of letters, digits and underscores, and none of"
            f" {', '.join(_RESERVED)}, which are there already"
        )
    return metric


def _updated(name: str, metric: Metric, prediction: Tensor, target: Tensor) -> None:
    """Take in some rows."""
    try:
        metric.update(prediction, target)
    except (ValueError, TypeError, RuntimeError) as refused:
        raise InputError(
            f"metrics.{name}: {type(metric).__name__} does not take predictions and targets (n,) ({refused});"
            " give a metric of regression, or write update(self, preds, target)"
        ) from refused


def _value(name: str, metric: Metric) -> Tensor:
    """One number; NaN where there are too few rows for one."""
    try:
        value = metric.compute()
    except ValueError:
        return torch.tensor(torch.nan)
    if not isinstance(value, Tensor) or value.numel() != 1:
        raise InputError(
            f"metrics.{name}: {type(metric).__name__} gives {type(value).__name__} of more than one number; write a"
            " compute(self) that gives one"
        )
    return value.reshape(())
