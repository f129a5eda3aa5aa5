"""What the doctor says before, after and about a fit."""

import re
from functools import partial
from typing import Any

import numpy as np
import pytest
from torch.optim import SGD, Adam

from paramfit.callbacks import DivergenceDetection, Doctor, FitReport
from paramfit.data import FixedScale, GaussianDataModule, ThermometerDataModule
from paramfit.tasks import GaussianLocation, ThermometerRegression
from tests.callbacks.conftest import MakeTrainer


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
    (found,) = [match[1] for line in lines if (match := re.search(re.escape(words) + r" ([-+.\de]+)", line))]
    return float(found.rstrip("."))


@pytest.mark.parametrize(
    ("scale", "limit", "condition"),
    [pytest.param(1.0, 3.3994e-4, 33_599.0, id="raw"), pytest.param(0.1, 0.032978, 357.0, id="scaled")],
)
def test_limit_and_condition_number_are_the_known_ones(
    scale: float, limit: float, condition: float, make_trainer: MakeTrainer, capsys: pytest.CaptureFixture[str]
) -> None:
    doctor = Doctor()
    make_trainer(1, doctor).fit(sgd(1e-5), datamodule=thermometer(scale))

    smallest, largest = curvatures(scale)
    lines = said(capsys.readouterr().out)
    assert number_after("largest stable learning rate", lines) == pytest.approx(limit, rel=1e-4)
    assert number_after("condition number", lines) == pytest.approx(condition, rel=2e-3)
    assert doctor.stability is not None
    assert doctor.stability.learning_rate_limit == pytest.approx(2 / largest, rel=1e-6)
    assert doctor.stability.condition_number == pytest.approx(largest / smallest, rel=1e-4)


def test_weight_to_bias_is_about_55_on_raw_input(
    golden_descent: dict[str, Any], make_trainer: MakeTrainer, capsys: pytest.CaptureFixture[str]
) -> None:
    make_trainer(1, Doctor()).fit(sgd(1e-5), datamodule=thermometer())

    weight, bias = (float(digits) for digits in golden_descent["runs"][0]["gradient"]["1"])
    lines = said(capsys.readouterr().out)
    assert number_after("weight to bias", lines) == pytest.approx(weight / bias, rel=2e-3)
    assert number_after("first gradients: weight", lines) == pytest.approx(weight, rel=1e-4)


def test_a_rate_above_the_limit_is_announced_with_the_cure(
    make_trainer: MakeTrainer, capsys: pytest.CaptureFixture[str]
) -> None:
    make_trainer(1, Doctor()).fit(sgd(1e-2), datamodule=thermometer())

    (warning,) = [line for line in said(capsys.readouterr().out) if "WARNING" in line]
    assert "learning rate 0.01 is 29 times the largest stable rate 3.4e-4" in warning
    assert "scaling the input by 0.1 raises the limit to 0.033" in warning


@pytest.mark.parametrize(("share", "warns"), [(0.99, False), (1.01, True)], ids=["just-below", "just-above"])
def test_the_warning_starts_at_the_limit(
    share: float, warns: bool, make_trainer: MakeTrainer, capsys: pytest.CaptureFixture[str]
) -> None:
    make_trainer(1, Doctor()).fit(sgd(share * 2 / curvatures(1.0)[1]), datamodule=thermometer())

    assert any("WARNING" in line for line in said(capsys.readouterr().out)) is warns


def test_momentum_raises_the_limit(make_trainer: MakeTrainer) -> None:
    doctor = Doctor()
    make_trainer(1, doctor).fit(sgd(1e-5, momentum=0.9), datamodule=thermometer())

    assert doctor.stability is not None
    assert doctor.stability.learning_rate_limit == pytest.approx(2 * 1.9 / curvatures(1.0)[1], rel=1e-6)


def test_adam_has_no_limit_and_no_warning(make_trainer: MakeTrainer, capsys: pytest.CaptureFixture[str]) -> None:
    task = ThermometerRegression(optimizer=partial(Adam, lr=0.1))
    make_trainer(1, Doctor()).fit(task, datamodule=thermometer())

    lines = said(capsys.readouterr().out)
    assert any("largest stable learning rate: none" in line and "Adam" in line for line in lines)
    assert not any("WARNING" in line for line in lines)


def test_the_limit_of_a_summed_likelihood_is_two_over_n(make_trainer: MakeTrainer) -> None:
    doctor = Doctor()
    make_trainer(1, doctor).fit(GaussianLocation(scale=2.0), datamodule=GaussianDataModule(n_obs=400, scale=2.0))

    assert doctor.stability is not None
    assert doctor.stability.learning_rate_limit == pytest.approx(2 * 2.0**2 / 400, rel=1e-12)


def test_after_a_divergence_the_report_says_why_and_what_cures(
    make_trainer: MakeTrainer, capsys: pytest.CaptureFixture[str]
) -> None:
    report = FitReport()
    make_trainer(20, Doctor(), DivergenceDetection(), report).fit(sgd(1e-2), datamodule=thermometer())

    assert report.result is not None
    assert report.result.status == "diverged"
    printed = " ".join(capsys.readouterr().out.split())
    for text in (report.result.reason, printed):
        assert "Learning rate 0.01 is 29 times the largest stable rate 3.4e-4" in text
        assert "scaling the input by 0.1 raises the limit to 0.033" in text


def test_the_curves_start_before_the_first_update_and_follow_every_validation(make_trainer: MakeTrainer) -> None:
    doctor = Doctor()
    data = thermometer(0.1, validation_fraction=0.2)
    make_trainer(6, doctor, check_val_every_n_epoch=2).fit(sgd(1e-2), datamodule=data)

    first = doctor.curve[0]
    x, y = data.train.inputs[0].double().numpy(), data.train.target.double().numpy()
    assert [point.update for point in doctor.curve] == [0, 2, 4, 6]
    assert first.train == pytest.approx(np.mean((x - y) ** 2), rel=1e-6)


def test_the_doctor_can_be_sent_away(make_trainer: MakeTrainer, capsys: pytest.CaptureFixture[str]) -> None:
    doctor = Doctor(enabled=False)
    make_trainer(1, doctor).fit(sgd(1e-2), datamodule=thermometer(0.1))

    assert capsys.readouterr().out == ""
    assert (doctor.stability, doctor.findings(), doctor.cure()) == (None, [], None)
