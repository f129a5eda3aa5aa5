"""Held-out metrics against numpy and scipy."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch.loggers import TensorBoardLogger
from scipy import stats
from torch import Tensor
from torchmetrics import CatMetric, Metric, R2Score
from torchmetrics.classification import BinaryAccuracy

from paramfit import (
    AnalyticGradient,
    FitReport,
    FixedScale,
    GaussianDataModule,
    GaussianLocation,
    GaussianModel,
    HandWrittenDescent,
    InputError,
    LeastSquares,
    LinearModel,
    MaximumLikelihood,
    Record,
    Regression,
    ThermometerDataModule,
    ThermometerRegression,
    tasks,
)
from paramfit.callbacks import FitHistory
from paramfit.data.base import EstimationDataModule
from paramfit.objectives import AbsoluteError, NegativeLogLikelihood, SquaredError
from paramfit.tasks import EstimationTask
from paramfit.tasks.metrics import HeldOutMetrics
from tests.callbacks.conftest import events_of


def held_out(**options: Any) -> ThermometerDataModule:
    data = ThermometerDataModule(
        validation_fraction=0.4, normalization=FixedScale(0.1), **{"dtype": "float64", **options}
    )
    data.setup()
    return data


@pytest.mark.parametrize("command", ["validate", "test"])
def test_regression_metrics_agree_with_numpy_in_float64(command, make_trainer):
    data = held_out()
    task = ThermometerRegression(5.1, -16.0, dtype="float64")
    (actual,) = getattr(make_trainer(), command)(task, datamodule=data, verbose=False)
    residual = 5.1 * data.validation.inputs[0].numpy() - 16.0 - data.validation.target.numpy()
    prefix = "val" if command == "validate" else "test"
    assert actual == {
        f"{prefix}/loss": pytest.approx(np.mean(residual**2), rel=1e-14),
        f"{prefix}/mse": pytest.approx(np.mean(residual**2), rel=1e-14),
        f"{prefix}/mae": pytest.approx(np.mean(np.abs(residual)), rel=1e-14),
    }


def test_metrics_during_a_fit_are_those_of_the_parameters_at_that_time(make_trainer):
    data = held_out()
    task = ThermometerRegression(dtype="float64")
    trainer = make_trainer(3)
    trainer.fit(task, datamodule=data)
    weight, bias = (parameter.item() for parameter in task.model.parameters())
    residual = weight * data.validation.inputs[0].numpy() + bias - data.validation.target.numpy()
    actual = trainer.callback_metrics["val/mse"]
    assert actual.dtype == torch.float64
    assert actual.item() == pytest.approx(np.mean(residual**2), rel=1e-14)


def test_likelihood_metric_is_the_mean_and_the_loss_the_objective(make_trainer):
    data = GaussianDataModule(n_obs=200, validation_fraction=0.3)
    (measured,) = make_trainer().validate(GaussianLocation(0.25, scale=2.0), datamodule=data, verbose=False)
    densities = -stats.norm(0.25, 2.0).logpdf(data.validation.target.numpy())
    assert measured == {
        "val/loss": pytest.approx(densities.sum(), rel=1e-13),
        "val/nll": pytest.approx(densities.mean(), rel=1e-13),
    }


def test_digits_that_float32_cannot_hold_are_kept():
    # Targets of 1e8 with errors of 1: in float32 neighbouring numbers are 8 apart there.
    target = torch.full((4,), 1e8, dtype=torch.float64)
    metrics = HeldOutMetrics(SquaredError())
    metrics.update(target + torch.tensor([1.0, -1.0, 2.0, 0.0]), target)
    measured = metrics.compute()
    assert (measured["mse"].item(), measured["mae"].item(), measured["loss"].item()) == (1.5, 1.0, 1.5)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_unequal_batches_give_what_all_rows_at_once_give(reduction):
    generator = np.random.default_rng(0)
    prediction, target = (torch.from_numpy(generator.normal(size=11)) for _ in range(2))
    metrics = HeldOutMetrics(AbsoluteError(reduction))  # type: ignore[arg-type]
    for rows in (slice(0, 4), slice(4, 8), slice(8, 11)):
        metrics.update(prediction[rows], target[rows])
    measured = metrics.compute()
    errors = np.abs(prediction.numpy() - target.numpy())
    assert measured["loss"].item() == pytest.approx(errors.mean() if reduction == "mean" else errors.sum(), rel=1e-14)
    assert measured["mae"].item() == pytest.approx(errors.mean(), rel=1e-14)
    assert measured["mse"].item() == pytest.approx(np.mean(errors**2), rel=1e-14)


def test_nothing_is_carried_over_to_the_next_evaluation():
    metrics = HeldOutMetrics(SquaredError())
    metrics.update(torch.tensor([100.0]), torch.tensor([0.0]))
    metrics.compute()
    metrics.update(torch.tensor([2.0]), torch.tensor([0.0]))
    assert {name: value.item() for name, value in metrics.compute().items()} == {"loss": 4.0, "mse": 4.0, "mae": 2.0}


def test_regression_nan_stays_nan():
    metrics = HeldOutMetrics(SquaredError())
    metrics.update(torch.tensor([1.0, float("nan")]), torch.tensor([1.0, 2.0]))
    metrics.update(torch.tensor([1.0]), torch.tensor([1.0]))
    assert all(bool(value.isnan()) for value in metrics.compute().values())


def test_likelihood_nan_stays_nan():
    location = torch.tensor([0.0, float("nan")])
    metrics = HeldOutMetrics(NegativeLogLikelihood())
    metrics.update(torch.distributions.Normal(location, 1.0, validate_args=False), torch.tensor([1.0, 2.0]))
    assert all(bool(value.isnan()) for value in metrics.compute().values())


def test_the_penalty_is_no_part_of_a_held_out_loss(make_trainer):
    (plain,) = make_trainer().validate(ThermometerRegression(2.0), datamodule=held_out(), verbose=False)
    (penalised,) = make_trainer().validate(
        ThermometerRegression(2.0, objective=SquaredError(l2=10.0)), datamodule=held_out(), verbose=False
    )
    assert plain == penalised


class Largest(Metric):
    """The largest error, in whatever batches it comes."""

    def __init__(self) -> None:
        super().__init__()
        self.add_state("largest", torch.tensor(0.0), dist_reduce_fx="max")

    def update(self, preds: Tensor, target: Tensor) -> None:
        self.largest = torch.maximum(self.largest, (preds - target).abs().max())

    def compute(self) -> Tensor:
        return self.largest


def test_own_metrics_are_in_validation_report_and_file(make_trainer):
    data, report = held_out(), FitReport(enabled=False)
    metrics = {"r2": R2Score(), "largest": Largest()}
    task = LeastSquares(LinearModel(), metrics=metrics)
    trainer = make_trainer(3, callbacks=[report])
    trainer.fit(task, datamodule=data)
    line = np.polynomial.Polynomial.fit(data.train.inputs[0].numpy(), data.train.target.numpy(), 1)
    for part, rows in (("train", data.train), ("val", data.validation)):
        target = rows.target.numpy()
        residual = target - line(rows.inputs[0].numpy())
        expected = {
            "r2": pytest.approx(1 - (residual**2).sum() / ((target - target.mean()) ** 2).sum(), rel=1e-9),
            "largest": pytest.approx(np.abs(residual).max(), rel=1e-9),
        }
        assert report.result.metrics[part] == expected
        assert f"metrics, {part}" in report.result.report()
    for name in metrics:
        assert trainer.callback_metrics[f"val/{name}"].item() == report.result.metrics["val"][name]
    assert Record.from_plain(json.loads(report.result.to_json())).metrics == report.result.metrics


def test_a_distribution_predicts_its_mean_to_a_metric(make_trainer):
    data = GaussianDataModule(n_obs=200, validation_fraction=0.3)
    task = Regression(GaussianModel(0.25, scale=2.0), NegativeLogLikelihood(), metrics={"largest": Largest()})
    (measured,) = make_trainer().validate(task, datamodule=data, verbose=False)
    assert measured["val/largest"] == pytest.approx((data.validation.target - 0.25).abs().max().item(), rel=1e-12)


#: A task of each kind with these metrics, and the data it is for.
TASKS: dict[str, tuple[Callable[..., EstimationTask], Callable[[], EstimationDataModule]]] = {
    "Regression": (partial(Regression, LinearModel()), partial(held_out, dtype="float32")),
    "HandWrittenDescent": (partial(HandWrittenDescent, LinearModel(), AnalyticGradient()), held_out),
    "ThermometerRegression": (ThermometerRegression, partial(held_out, dtype="float32")),
    "LeastSquares": (partial(LeastSquares, LinearModel()), held_out),
    "MaximumLikelihood": (
        partial(MaximumLikelihood, GaussianModel(1.0, 2.0)),
        partial(GaussianDataModule, n_obs=50, validation_fraction=0.3),
    ),
    "GaussianLocation": (
        partial(GaussianLocation, scale=2.0),
        partial(GaussianDataModule, n_obs=50, validation_fraction=0.3),
    ),
}


def test_every_task_is_here():
    exported = (getattr(tasks, name) for name in tasks.__all__)
    final = {task.__name__ for task in exported if isinstance(task, type) and issubclass(task, EstimationTask)}
    assert set(TASKS) == final - {"EstimationTask", "AutomaticTask"}


@pytest.mark.parametrize("kind", TASKS)
def test_every_task_writes_its_own_metrics_to_the_event_file_and_the_report(kind, make_trainer):
    make_task, make_data = TASKS[kind]
    data, report = make_data(), FitReport(enabled=False)
    task = make_task(metrics={"largest": Largest()})
    logger = TensorBoardLogger(".", name="", version="run", default_hp_metric=False)
    make_trainer(2, callbacks=[FitHistory(), report], logger=logger).fit(task, datamodule=data)
    with torch.no_grad():
        largest = {
            part: (task.predicted(task.in_precision(rows)) - rows.target).abs().max().item()
            for part, rows in (("train", data.train), ("val", data.validation))
        }
    last = events_of(Path("run")).Scalars("val/largest")[-1]
    assert last.step == task.updates
    assert last.value == pytest.approx(largest["val"], rel=1e-5)
    assert report.result is not None
    for part, rows in largest.items():
        assert report.result.metrics[part] == {"largest": pytest.approx(rows, rel=1e-5)}


@pytest.mark.parametrize(("metrics", "words"), [
    ({"r2": R2Score}, r"metrics.r2: expected a metric of torchmetrics, but got .*; give R2Score\(\)"),
    ({"r2": 3}, r"metrics.r2: expected a metric of torchmetrics, but got 3"),
    ({"loss": R2Score()}, r"metrics.loss: choose another name"),
    ({"a/b": R2Score()}, r"metrics.a/b: choose another name"),
])  # fmt: skip
def test_what_is_no_metric_is_refused(metrics, words):
    with pytest.raises(InputError, match=words):
        Regression(LinearModel(), metrics=metrics)


@pytest.mark.parametrize(("metric", "words"), [
    (BinaryAccuracy(), r"metrics.own: BinaryAccuracy does not take predictions and targets"),
    (R2Score(multioutput="raw_values"), None),
    (CatMetric(), r"metrics.own: CatMetric does not take predictions and targets"),
], ids=["classes", "one output", "another signature"])  # fmt: skip
def test_a_metric_that_does_not_fit_says_what_to_write(metric, words, make_trainer):
    task = Regression(LinearModel(), metrics={"own": metric})
    if words is None:
        make_trainer().validate(task, datamodule=held_out(), verbose=False)
        return
    with pytest.raises(InputError, match=words):
        make_trainer().validate(task, datamodule=held_out(), verbose=False)
