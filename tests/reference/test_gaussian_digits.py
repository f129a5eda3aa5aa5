"""The published digits of the location lesson, through the real tasks and Lightning's Trainer."""

import contextlib
import io
import json
import math
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from torch.optim import SGD

from paramfit import EstimationTask, FitResult, GaussianDataModule, GaussianModel, GradientDescent, Observations
from paramfit.callbacks import EpochTable, EstimateRows, FitReport
from paramfit.callbacks.run import task_of
from paramfit.data.base import EstimationDataModule
from paramfit.gradients import AnalyticGradient, AutogradGradient
from paramfit.objectives import NegativeLogLikelihood
from paramfit.tasks import GaussianLocation, HandWrittenDescent
from paramfit.tasks.updates import Update
from tests.quiet import QUIET

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parent / "gaussian_location.json").read_text(encoding="utf-8"))
FIRST = GOLDEN["first_step"]
RATE: float = GOLDEN["learning_rate"]
N: int = GOLDEN["n_observations"]
MEAN: float = GOLDEN["matched_sample"]["mean"]
SQUARES: float = GOLDEN["matched_sample"]["sum_of_squared_deviations"]
ROW = GOLDEN["table_form"]["row"]


class MatchedSample(EstimationDataModule):
    """A sample with the published mean and sum of squared deviations, on which alone the likelihood depends."""

    def read(self) -> Observations:
        # Half of the observations one standard deviation below the mean, half above.
        deviation = math.sqrt(SQUARES / N)
        return Observations((), MEAN + deviation * torch.tensor([-1.0, 1.0], dtype=torch.float64).repeat(N // 2))


class FirstUpdate(Callback):
    """Keeps the first update."""

    loss: float
    gradient: float
    location: float

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        task_of(pl_module).listeners.append(self)

    def next_update(self, after: int) -> int:
        return 1 if after == 0 else 2**62

    def on_update(self, update: Update) -> None:
        (location,) = update.parameters
        assert isinstance(location.grad, Tensor)
        self.loss, self.gradient, self.location = update.loss, location.grad.item(), location.item()


def automatic(lr: float = RATE, updates_per_step: int = 1, start: float = 1.0, scale: float = 1.0) -> GaussianLocation:
    return GaussianLocation(
        location=start, scale=scale, optimizer=lambda p: SGD(p, lr=lr), updates_per_step=updates_per_step
    )


def by_hand(rule: type[AnalyticGradient] | type[AutogradGradient]) -> HandWrittenDescent:
    return HandWrittenDescent(
        GaussianModel(location=1.0, scale=1.0),
        rule(),
        NegativeLogLikelihood(),
        optimizer=lambda parameters: GradientDescent(parameters, lr=RATE),
    )


def fit(task: EstimationTask, data: EstimationDataModule, steps: int, *callbacks: Callback) -> FitResult:
    report = FitReport(enabled=False)
    Trainer(**QUIET, max_epochs=steps, callbacks=[*callbacks, report]).fit(task, datamodule=data)
    assert report.result is not None
    return report.result


@cache
def table() -> tuple[tuple[str, ...], FitResult]:
    """The lines that the published run prints, and its result."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        result = fit(automatic(updates_per_step=500), MatchedSample(), 20, EpochTable(EstimateRows(every=500)))
    return tuple(out.getvalue().splitlines()), result


def column(index: int) -> list[str]:
    return [line.split()[index] for line in table()[0][1:]]


def published(name: str) -> list[str]:
    return [row[GOLDEN["columns"].index(name)] for row in GOLDEN["table"]]


def test_sample_has_the_published_statistics():
    target = MatchedSample().read().target
    assert target.dtype == torch.float64
    assert len(target) == N
    assert target.mean().item() == pytest.approx(MEAN, rel=1e-12)
    assert (target - MEAN).square().sum().item() == pytest.approx(SQUARES, rel=1e-12)
    assert f"{target.mean().item():.5f}" == GOLDEN["empirical_mean_printed"]


@pytest.mark.parametrize("make", [
    pytest.param(automatic, id="automatic"),
    pytest.param(lambda: by_hand(AnalyticGradient), id="analytic"),
    pytest.param(lambda: by_hand(AutogradGradient), id="autograd"),
])  # fmt: skip
def test_first_step_is_the_published_one(make):
    first = FirstUpdate()
    fit(make(), MatchedSample(), 1, first)
    # The loss was printed from a float32.
    assert f"{torch.tensor(first.loss, dtype=torch.float32).item():.4f}" == FIRST["loss"]
    assert f"{first.gradient:.10f}" == FIRST["gradient"]
    assert f"{first.location:.15f}" == f"{float(FIRST['location_after']):.15f}"
    assert first.location == pytest.approx(float(FIRST["location_after"]), rel=3e-16)


def test_header_is_the_published_one():
    form = GOLDEN["table_form"]
    assert table()[0][0] == form["header"] % tuple(form["header_words"])


def test_rows_have_the_published_form():
    rows = table()[0][1:]
    assert len(rows) == len(GOLDEN["table"]) == 20
    for row in rows:
        step, *numbers = row.split()
        assert row == ROW % (int(step), *map(float, numbers))


@pytest.mark.parametrize(("index", "name"), [(0, "step"), (2, "estimate"), (3, "difference_to_empirical_mean")])
def test_column_is_the_published_one_to_the_last_digit(index, name):
    assert column(index) == published(name)


def test_losses_are_the_published_ones_as_far_as_float32_summed_them():
    differences = [float(ours) - float(theirs) for ours, theirs in zip(column(1), published("loss"), strict=True)]
    assert max(map(abs, differences)) <= 0.0031


def test_losses_never_rise_in_float64():
    losses = [float(loss) for loss in column(1)]
    assert losses == sorted(losses, reverse=True)


def test_estimate_after_the_published_run_is_that_of_the_closed_form():
    location = table()[1].parameters["location"]
    assert location.estimate - MEAN == pytest.approx((1.0 - MEAN) * (1 - RATE * N) ** 10_000, rel=1e-9)
    assert location.closed_form == pytest.approx(MEAN, rel=1e-12)
    assert location.standard_error == pytest.approx(1 / math.sqrt(N), rel=1e-12)


@pytest.mark.parametrize("lr", [1e-5, 5e-5])
def test_estimate_reaches_the_empirical_mean_at_a_larger_rate(lr):
    result = fit(automatic(lr, updates_per_step=100), MatchedSample(), 4)
    assert result.parameters["location"].estimate == pytest.approx(MEAN, abs=1e-12)
    assert result.status == "converged"


def test_estimate_reaches_the_empirical_mean_when_run_long_enough():
    # A sum over 100 observations at 1e-4 descends at a hundredth of its way an update.
    data = GaussianDataModule(n_obs=100, seed=3)
    result = fit(automatic(1e-4, updates_per_step=500), data, 6)
    assert result.parameters["location"].estimate == pytest.approx(data.read().target.mean().item(), abs=1e-12)
    assert result.status == "converged"


@pytest.mark.parametrize(
    ("n_obs", "scale"), [(10_000, 1.0), (100, 1.0), (400, 3.0)], ids=["lesson", "few_observations", "wide"]
)
def test_standard_error_is_scale_over_root_n(n_obs, scale):
    data = GaussianDataModule(n_obs=n_obs, scale=scale)
    location = fit(automatic(scale**2 / n_obs, scale=scale), data, 3).parameters["location"]
    assert location.standard_error == pytest.approx(scale / math.sqrt(n_obs), rel=1e-12)


EXERCISES = {exercise["name"]: exercise for exercise in GOLDEN["exercises"]}


@pytest.mark.parametrize("name", EXERCISES)
def test_exercise_follows_the_closed_form(name):
    exercise = EXERCISES[name]
    n_obs, start = exercise.get("n_observations", N), exercise.get("start", 1.0)
    data = GaussianDataModule(n_obs=n_obs, true_location=exercise.get("true_location", 0.0))
    location = fit(automatic(start=start, updates_per_step=100), data, 2).parameters["location"]
    mean = data.read().target.mean().item()
    assert location.estimate == pytest.approx(mean + (start - mean) * (1 - RATE * n_obs) ** 200, rel=1e-12)
