"""Held-out metrics against numpy and scipy."""

from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from paramfit import FixedScale, GaussianDataModule, GaussianLocation, ThermometerDataModule, ThermometerRegression
from paramfit.objectives import AbsoluteError, NegativeLogLikelihood, SquaredError
from paramfit.tasks.metrics import HeldOutMetrics


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
