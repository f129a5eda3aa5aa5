"""The report of a least-squares fit, as people read it."""

import dataclasses
import io
from typing import Any

import pytest
from rich.console import Console

from paramfit.results.record import Estimate, FitResult
from paramfit.results.report import fit_report

STATISTICS: dict[str, Any] = {
    "degrees_of_freedom": 12, "residual_sum_of_squares": 1.2455138894e-01, "residual_standard_deviation": 0.10187876330,
    "chi_square": None, "chi_square_probability": None, "r_squared": 0.99998765, "log_likelihood": 13.1, "aic": -20.2,
    "aicc": -17.8, "bic": -18.3, "sigma_is": None,
}  # fmt: skip
RESULT = FitResult(
    task="LeastSquares",
    status="converged",
    reason="the relative offset is 1e-12.",
    updates=6,
    loss={"train": 0.0088965, "val": None},
    n_observations={"train": 14, "val": 0},
    parameters={
        "b1": Estimate(238.94212918, 2.7070075241, (233.044, 244.840), unit="kPa"),
        "b2": Estimate(5.5015643181e-4, 7.2668688436e-6, (5.3432e-4, 5.6599e-4)),
    },
    uncertainty="s^2 (J^T J)^-1, Student's t with 12 degrees of freedom",
    correlation={"parameters": ["b1", "b2"], "matrix": [[1.0, -0.9987], [-0.9987, 1.0]]},
    least_squares=STATISTICS,
)


def printed(result: FitResult, width: int = 100) -> str:
    out = io.StringIO()
    Console(file=out, width=width).print(fit_report(result))
    return out.getvalue()


def changed(**statistics: Any) -> FitResult:
    return dataclasses.replace(RESULT, least_squares={**STATISTICS, **statistics})


def row(text: str, name: str) -> str:
    return next(line for line in text.splitlines() if line.strip().startswith(name))


def test_each_parameter_stands_with_error_unit_and_interval() -> None:
    text = printed(RESULT)
    assert row(text, "b1").split() == ["b1", "238.9", "±", "2.7", "kPa", "233.0", "to", "244.8"]
    assert row(text, "b2").split() == ["b2", "(5.502", "±", "0.073)e-04", "5.343e-04", "to", "5.660e-04"]


@pytest.mark.parametrize(
    ("estimate", "words"),
    [
        (Estimate(3.0, fixed=True), "fixed"),
        (Estimate(0.0, at_bound="lower"), "at its lower bound"),
        (Estimate(3.0), "undetermined"),
    ],
    ids=["fixed", "at bound", "undetermined"],
)
def test_parameter_without_interval_says_why(estimate: Estimate, words: str) -> None:
    text = printed(dataclasses.replace(RESULT, parameters={**RESULT.parameters, "b3": estimate}))
    assert words in row(text, "b3")
    assert "±" not in row(text, "b3")


def test_statistics_are_told() -> None:
    text = printed(RESULT)
    assert "14 train; 12 degrees of freedom" in row(text, "observations")
    assert "0.101879" in row(text, "residual std. dev.")
    assert "0.999988" in row(text, "R²")
    assert row(text, "AIC").split() == ["AIC", "-20.2,", "AICc", "-17.8,", "BIC", "-18.3"]
    assert "Student's t with 12 degrees of freedom" in row(text, "errors from")


def test_chi_square_is_told_with_its_probability_where_sigma_is_absolute() -> None:
    assert "chi-square" not in printed(RESULT)
    theirs = changed(chi_square=11.25, chi_square_probability=0.5077, sigma_is="absolute")
    assert "11.25, probability 0.508" in row(printed(theirs), "chi-square")
    assert "(in sigma)" in row(printed(theirs), "residual std. dev.")


def test_correlations_above_nine_tenths_are_told_strongest_first() -> None:
    matrix = [[1.0, 0.91, -0.95], [0.91, 1.0, 0.89], [-0.95, 0.89, 1.0]]
    three = dataclasses.replace(RESULT, correlation={"parameters": ["b1", "b2", "b3"], "matrix": matrix})
    assert "b1 and b3 −0.9500, b1 and b2 +0.9100" in row(printed(three), "correlations")
    assert "b2 and b3" not in printed(three)


def test_datas_own_units_are_what_is_shown() -> None:
    own = {name: dataclasses.replace(estimate, unit="m") for name, estimate in RESULT.parameters.items()}
    scaled = {"shift": 1.0, "scale": 0.5}
    text = printed(dataclasses.replace(RESULT, original_units=own, normalized_input=scaled))
    assert "Estimates in the data's own units" in text
    assert len([line for line in text.splitlines() if line.split()[:1] == ["b1"]]) == 1
    lost = printed(dataclasses.replace(RESULT, normalized_input=scaled))
    assert "on the normalised input, which this model cannot undo" in lost
