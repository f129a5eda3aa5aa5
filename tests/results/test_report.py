"""The fit report, as people read it."""

import dataclasses
import io
import re

import pytest
from rich.console import Console

from paramfit.results.record import Estimate, FitResult
from paramfit.results.report import print_report

RESULT = FitResult(
    task="ThermometerRegression",
    status="limit_reached",
    reason="All 5000 updates were made.",
    updates=5000,
    loss={"train": 2.92764, "val": None},
    n_observations={"train": 11, "val": 0},
    parameters={
        "weight": Estimate(5.3671, 0.355386, (4.5631, 6.1710), -2.5e-4, 5.36772, None),
        "bias": Estimate(-17.3012, 1.92723, (-21.661, -12.941), 1.4e-3, -17.3048, None),
    },
    normalized_input={"shift": 0.0, "scale": 0.1},
    original_units={
        "weight": Estimate(0.53671, 0.0355386, (0.45631, 0.61710), None, 0.536772, 0.55556),
        "bias": Estimate(-17.3012, 1.92723, (-21.661, -12.941), None, -17.3048, -17.7778),
    },
    distance_to_optimum_in_standard_errors=0.0021,
    uncertainty="s^2 (J^T J)^-1",
)


def printed(result: FitResult) -> str:
    out = io.StringIO()
    print_report(result, Console(file=out))
    return out.getvalue()


def row(text: str, name: str) -> str:
    return next(line for line in text.splitlines() if line.split()[:1] == [name])


def test_headline_says_what_ended_how_and_why() -> None:
    headline = printed(RESULT).splitlines()[0]
    assert "ThermometerRegression: limit reached after 5000 updates. All 5000 updates were made." in headline


def test_estimate_stands_beside_error_interval_closed_form_and_truth() -> None:
    numbers = [float(number) for number in re.findall(r"-?\d+\.\d+", row(printed(RESULT), "weight"))]
    assert numbers == pytest.approx([0.53671, 0.0355386, 0.45631, 0.61710, 0.536772, 0.55556], abs=1e-5)


SAMPLE = dataclasses.replace(
    RESULT,
    task="GaussianLocation",
    normalized_input=None,
    original_units=None,
    parameters={"location": Estimate(-0.0199, 0.01, (-0.0395, -0.0003), 0.46, -0.01994, 0.0, unit="mm")},
    likelihood={"log_likelihood": -14262.1, "n_parameters": 1, "aic": 28526.2, "aicc": 28526.3, "bic": 28533.4},
    warnings=["be careful"],
)


def test_descended_likelihood_has_its_criteria_beside_what_the_descent_tells() -> None:
    text = printed(SAMPLE)
    for each in ("-14262.1", "28526.2, AICc 28526.3, BIC 28533.4", "closed form", "dL/dθ", "mm", "warning: be careful"):
        assert each in text
    assert "0.0021 standard errors (converged)" in text
