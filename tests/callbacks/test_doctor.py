"""What the doctor says before, after and about a fit."""

import math
import re
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch.optim import SGD

from paramfit import DistributionModel, EstimationDataModule, FactKind, FixedScale, GaussianDataModule, Observations
from paramfit.callbacks import DivergenceDetection, Doctor, FitReport
from paramfit.data.thermometer import ThermometerDataModule
from paramfit.objectives import NegativeLogLikelihood
from paramfit.tasks import GaussianLocation, MaximumLikelihood, ThermometerRegression


def thermometer(scale: float | None = None, **options: Any) -> ThermometerDataModule:
    return ThermometerDataModule(normalization="none" if scale is None else FixedScale(scale), **options)


def sgd(rate: float, **options: Any) -> ThermometerRegression:
    return ThermometerRegression(optimizer=partial(SGD, lr=rate, **options))


def curvatures(scale: float) -> tuple[float, float]:
    """Smallest and largest eigenvalue of the mean squared error's Hessian, by numpy."""
    data = thermometer()
    data.setup()
    design = np.column_stack([scale * data.raw.inputs[0].double().numpy(), np.ones(11)])
    smallest, largest = np.linalg.eigvalsh(2 * design.T @ design / 11)
    return float(smallest), float(largest)


def said(text: str) -> list[str]:
    return [line.removeprefix("doctor: ") for line in text.splitlines() if line.startswith("doctor: ")]


def number_after(words: str, lines: list[str]) -> float:
    (actual,) = [match[1] for line in lines if (match := re.search(re.escape(words) + r" ([-+.\de]+)", line))]
    return float(actual.rstrip("."))


@pytest.mark.parametrize(
    ("scale", "limit", "condition"),
    [pytest.param(1.0, 3.3994e-4, 33_599.0, id="raw"), pytest.param(0.1, 0.032978, 357.0, id="scaled")],
)
def test_limit_and_condition_number_are_the_known_ones(scale, limit, condition, make_trainer, capsys):
    doctor = Doctor()
    make_trainer(1, doctor).fit(sgd(1e-5), datamodule=thermometer(scale))
    smallest, largest = curvatures(scale)
    lines = said(capsys.readouterr().out)
    assert number_after("largest stable learning rate", lines) == pytest.approx(limit, rel=1e-4)
    assert number_after("condition number", lines) == pytest.approx(condition, rel=2e-3)
    assert doctor.examination.stability.learning_rate_limit == pytest.approx(2 / largest, rel=1e-6)
    assert doctor.examination.stability.condition_number == pytest.approx(largest / smallest, rel=1e-4)


def test_weight_to_bias_is_about_55_on_raw_input(golden_descent, make_trainer, capsys):
    make_trainer(1, Doctor()).fit(sgd(1e-5), datamodule=thermometer())
    weight, bias = (float(digits) for digits in golden_descent["runs"][0]["gradient"]["1"])
    lines = said(capsys.readouterr().out)
    assert number_after("weight to bias", lines) == pytest.approx(weight / bias, rel=2e-3)
    assert number_after("first gradients: weight", lines) == pytest.approx(weight, rel=1e-4)


def test_momentum_raises_the_limit(make_trainer):
    doctor = Doctor()
    make_trainer(1, doctor).fit(sgd(1e-5, momentum=0.9), datamodule=thermometer())
    assert doctor.examination.stability.learning_rate_limit == pytest.approx(2 * 1.9 / curvatures(1.0)[1], rel=1e-6)


def test_the_limit_of_a_summed_likelihood_is_two_over_n(make_trainer):
    doctor = Doctor()
    make_trainer(1, doctor).fit(GaussianLocation(scale=2.0), datamodule=GaussianDataModule(n_obs=400, scale=2.0))
    assert doctor.examination.stability.learning_rate_limit == pytest.approx(2 * 2.0**2 / 400, rel=1e-12)


SAMPLE = np.array([0.5, 1.0, 2.5, 4.0])


class Waiting(EstimationDataModule):
    """Four waiting times, 8 together."""

    def read(self) -> Observations:
        return Observations((), torch.from_numpy(SAMPLE))


def exponential(rate: float = 1.0) -> DistributionModel:
    """By u = log rate the negative log-likelihood is 8 exp(u) - 4 u, and its curvature 8 exp(u)."""
    return DistributionModel("torch.distributions.Exponential", {"rate": rate})


@pytest.mark.parametrize(("rate", "reduction"), [(1.0, "sum"), (3.0, "sum"), (3.0, "mean")])
def test_the_limit_of_an_exponential_is_that_of_its_logarithm(rate, reduction, make_trainer):
    doctor = Doctor()
    optimizer = partial(SGD, lr=1e-3)
    task = MaximumLikelihood(exponential(rate), NegativeLogLikelihood(reduction), optimizer)
    make_trainer(1, doctor).fit(task, datamodule=Waiting())
    curvature = 8 * rate / (4 if reduction == "mean" else 1)
    assert doctor.examination.stability.learning_rate_limit == pytest.approx(2 / curvature, rel=1e-12)
    assert doctor.examination.stability.condition_number == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize("updates", [1, 5, 60])
def test_the_distance_of_an_exponential_is_its_score_over_the_root_of_its_information(updates, reduction, make_trainer):
    report, model = FitReport(enabled=False), exponential()
    rate = 0.05 if reduction == "sum" else 0.2
    task = MaximumLikelihood(model, NegativeLogLikelihood(reduction), partial(SGD, lr=rate), updates_per_step=updates)
    make_trainer(1, Doctor(), report).fit(task, datamodule=Waiting())
    u = 0.0
    for _ in range(updates):
        u -= 0.05 * (8 * math.exp(u) - 4)
    score, information = 8 * math.exp(u) - 4, 8 * math.exp(u)
    assert model.rate.item() == pytest.approx(u, rel=1e-10)
    distance = abs(score) / math.sqrt(information)
    assert report.result.distance_to_optimum_in_standard_errors == pytest.approx(distance, rel=1e-6, abs=1e-9)
    estimate = report.result.parameters["rate"]
    assert estimate.estimate == pytest.approx(math.exp(u), rel=1e-10)
    assert estimate.standard_error == pytest.approx(math.exp(u) / math.sqrt(information), rel=1e-10)
    assert report.result.status == ("converged" if distance < 0.01 else "limit_reached")


def test_a_likelihood_that_is_solved_has_no_limit(make_trainer, capsys):
    doctor = Doctor()
    make_trainer(20, doctor).fit(MaximumLikelihood(exponential()), datamodule=Waiting())
    assert doctor.examination.stability is None
    assert doctor.examination.missing.kind is FactKind.NO_LEARNING_RATE
    assert said(capsys.readouterr().out) == []


def test_after_a_divergence_the_report_says_why_and_what_cures(make_trainer, capsys):
    report = FitReport()
    make_trainer(20, Doctor(), DivergenceDetection(), report).fit(sgd(1e-2), datamodule=thermometer())
    assert report.result.status == "diverged"
    printed = " ".join(capsys.readouterr().out.split())
    for text in (report.result.reason, printed):
        assert "Learning rate 0.01 is 29.4 times the largest stable rate 0.00033994" in text
        assert "scaling the input by 0.1 raises the limit to 0.032978" in text


def test_the_curves_start_before_the_first_update_and_follow_every_validation(make_trainer):
    doctor = Doctor()
    data = thermometer(0.1, validation_fraction=0.2)
    make_trainer(6, doctor, check_val_every_n_epoch=2).fit(sgd(1e-2), datamodule=data)
    first = doctor.examination.curve[0]
    x, y = data.train.inputs[0].double().numpy(), data.train.target.double().numpy()
    assert [point.update for point in doctor.examination.curve] == [0, 2, 4, 6]
    assert first.train == pytest.approx(np.mean((x - y) ** 2), rel=1e-6)
