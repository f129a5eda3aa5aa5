"""The report of a least-squares fit, as people read it."""

import dataclasses
import io
from typing import Any

import pytest
from rich.console import Console

from paramfit.results.record import Estimate, FitResult
from paramfit.results.report import fit_report

STATISTICS: dict[str, Any] = {
    "degrees_of_freedom": 12,
    "residual_sum_of_squares": 1.2455138894e-01,
    "residual_standard_deviation": 0.10187876330,
    "chi_square": None,
    "chi_square_probability": None,
    "r_squared": 0.99998765,
    "log_likelihood": 13.1,
    "aic": -20.2,
    "aicc": -17.8,
    "bic": -18.3,
    "sigma_is": None,
}
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


def test_without_units_there_is_no_column_for_them() -> None:
    bare = {name: dataclasses.replace(estimate, unit=None) for name, estimate in RESULT.parameters.items()}
    assert "unit" not in printed(dataclasses.replace(RESULT, parameters=bare))
    assert "unit" in printed(RESULT)


@pytest.mark.parametrize(
    ("estimate", "told"),
    [
        (Estimate(3.0, fixed=True), "fixed"),
        (Estimate(0.0, at_bound="lower"), "at its lower bound"),
        (Estimate(3.0), "undetermined"),
    ],
    ids=["fixed", "at bound", "undetermined"],
)
def test_parameter_without_interval_says_why(estimate: Estimate, told: str) -> None:
    text = printed(dataclasses.replace(RESULT, parameters={**RESULT.parameters, "b3": estimate}))
    assert told in row(text, "b3")
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
    known = changed(chi_square=11.25, chi_square_probability=0.5077, sigma_is="absolute")
    assert "11.25, probability 0.508" in row(printed(known), "chi-square")
    assert "(in sigma)" in row(printed(known), "residual std. dev.")


@pytest.mark.parametrize("name", ["r_squared", "residual_standard_deviation", "aic"])
def test_number_that_is_not_there_has_no_line(name: str) -> None:
    label = {"r_squared": "R²", "residual_standard_deviation": "residual std. dev.", "aic": "AIC"}[name]
    assert label in printed(RESULT)
    assert label not in printed(changed(**{name: None}))


def test_correlations_above_nine_tenths_are_told_strongest_first() -> None:
    matrix = [[1.0, 0.91, -0.95], [0.91, 1.0, 0.89], [-0.95, 0.89, 1.0]]
    three = dataclasses.replace(RESULT, correlation={"parameters": ["b1", "b2", "b3"], "matrix": matrix})
    assert "b1 and b3 −0.9500, b1 and b2 +0.9100" in row(printed(three), "correlations")
    assert "b2 and b3" not in printed(three)


def test_many_correlations_are_cut_and_counted() -> None:
    matrix = [[1.0 if i == j else 0.95 for j in range(5)] for i in range(5)]
    five = dataclasses.replace(RESULT, correlation={"parameters": list("abcde"), "matrix": matrix})
    text = " ".join(printed(five).split())
    assert text.count("+0.9500") == 6
    assert "4 more above 0.9" in text


def test_weak_correlations_need_no_line() -> None:
    weak = {"parameters": ["b1", "b2"], "matrix": [[1.0, 0.5], [0.5, 1.0]]}
    assert "correlations" not in printed(dataclasses.replace(RESULT, correlation=weak))


def test_every_warning_is_printed() -> None:
    text = printed(dataclasses.replace(RESULT, warnings=["sigma is too small", "b1 sits at its bound"]))
    assert "warning: sigma is too small" in text
    assert "warning: b1 sits at its bound" in text


def test_errors_that_are_missing_say_why() -> None:
    bare = dataclasses.replace(
        RESULT, uncertainty="none", notes={"standard_error": "2 observations cannot tell the errors of 2 parameters"}
    )
    assert "none: 2 observations cannot tell the errors" in row(printed(bare), "errors from")


def test_datas_own_units_are_what_is_shown() -> None:
    own = {name: dataclasses.replace(estimate, unit="m") for name, estimate in RESULT.parameters.items()}
    scaled = {"shift": 1.0, "scale": 0.5}
    text = printed(dataclasses.replace(RESULT, original_units=own, normalized_input=scaled))
    assert "Estimates in the data's own units" in text
    assert len([line for line in text.splitlines() if line.split()[:1] == ["b1"]]) == 1
    lost = printed(dataclasses.replace(RESULT, normalized_input=scaled))
    assert "on the normalised input, which this model cannot undo" in lost


def test_many_parameters_are_cut_and_the_rest_is_counted() -> None:
    many = {f"p{k}": Estimate(float(k), 0.5, (k - 1.0, k + 1.0)) for k in range(43)}
    text = printed(dataclasses.replace(RESULT, parameters=many, correlation=None))
    assert "p39" in text
    assert "p40" not in text
    assert "and 3 more, in estimates.json" in text


def test_truth_has_a_column_where_it_is_known() -> None:
    known = {name: dataclasses.replace(estimate, truth=240.0) for name, estimate in RESULT.parameters.items()}
    assert "truth" in printed(dataclasses.replace(RESULT, parameters=known))
    assert "truth" not in printed(RESULT)


def test_held_out_loss_is_told_where_there_is_one() -> None:
    held_out = dataclasses.replace(RESULT, loss={"train": 0.5, "val": 0.75}, n_observations={"train": 12, "val": 2})
    text = printed(held_out)
    assert "train 0.5, val 0.75" in row(text, "loss")
    assert "12 train, 2 val" in row(text, "observations")
    assert not any(line.strip().startswith("loss") for line in printed(RESULT).splitlines())


def test_report_fits_into_eighty_columns() -> None:
    text = printed(RESULT, width=80)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 80
