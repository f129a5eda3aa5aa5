"""The fit report, as people read it."""

import dataclasses
import io
import re

import pytest
from rich.console import Console

from paramfit.results.likelihood_summary import SOLVED
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


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        ("mu and s are where no prediction depends on them", "mu and s are where"),
        ("mu: it has run off", "mu: it has run off"),
        ("muon counts are few", "Muon counts are few"),
        ("", ""),
    ],
)
def test_a_reason_is_a_sentence_that_leaves_a_parameters_name_as_it_is(reason: str, shown: str) -> None:
    result = dataclasses.replace(RESULT, reason=reason, parameters={"mu": Estimate(1.0), "s": Estimate(2.0)})
    result = dataclasses.replace(result, normalized_input=None, original_units=None)
    assert f"after 5000 updates. {shown}" in printed(result)


def test_datas_own_units_come_first_and_scaled_ones_follow() -> None:
    text = printed(RESULT)
    assert text.index("data's own units") < text.index("z = 0.1 x")


def test_estimate_stands_beside_error_interval_closed_form_and_truth() -> None:
    numbers = [float(found) for found in re.findall(r"-?\d+\.\d+", row(printed(RESULT), "weight"))]
    expected = [0.53671, 0.0355386, 0.45631, 0.61710, 0.536772, 0.55556]
    assert numbers == pytest.approx(expected, abs=1e-5)


def test_digits_follow_the_error() -> None:
    assert "-17.301 " in row(printed(RESULT), "bias")


def test_gradient_belongs_to_the_scaled_table() -> None:
    own, scaled = printed(RESULT).split("z = ")
    assert "dL/dθ" not in own
    assert "dL/dθ" in scaled
    assert "-2.5e-04" in scaled


def test_without_normalisation_there_is_one_table() -> None:
    plain = dataclasses.replace(RESULT, normalized_input=None, original_units=None)
    text = printed(plain)
    assert "own units" not in text
    assert len([line for line in text.splitlines() if line.split()[:1] == ["weight"]]) == 1
    assert "-2.5e-04" in row(text, "weight")


def test_columns_without_content_are_left_out() -> None:
    bare = dataclasses.replace(RESULT, normalized_input=None, original_units=None, parameters={"weight": Estimate(1.5)})
    text = printed(bare)
    assert "closed form" not in text
    assert "truth" not in text
    assert "1.5" in row(text, "weight")


@pytest.mark.parametrize(
    ("distance", "judged"), [(0.0099, "(converged)"), (0.0101, "(not converged)")], ids=["below 0.01", "above 0.01"]
)
def test_distance_is_judged(distance: float, judged: str) -> None:
    assert judged in printed(dataclasses.replace(RESULT, distance_to_optimum_in_standard_errors=distance))


def test_updates_that_are_missing_are_told() -> None:
    early = dataclasses.replace(RESULT, distance_to_optimum_in_standard_errors=1.2, updates_to_converge=1234)
    assert "1234 more updates" in printed(early)


def test_missing_distance_has_its_reason() -> None:
    key = "distance_to_optimum_in_standard_errors"
    penalised = dataclasses.replace(RESULT, distance_to_optimum_in_standard_errors=None, notes={key: "a penalty is on"})
    assert "not known: a penalty is on" in printed(penalised)


def test_verdict_is_told_with_its_numbers() -> None:
    judged = dataclasses.replace(RESULT, verdict="overfitting", notes={"verdict": "the validation loss rose"})
    assert "overfitting: the validation loss rose" in printed(judged)


def test_many_parameters_are_cut_and_the_rest_is_counted() -> None:
    many = {f"coefficient_{k}": Estimate(float(k)) for k in range(45)}
    text = printed(dataclasses.replace(RESULT, parameters=many, original_units=None, normalized_input=None))
    assert "coefficient_39" in text
    assert "coefficient_40" not in text
    assert "and 5 more, in estimates.json" in text


def test_report_in_a_file_is_not_cut_at_80_columns() -> None:
    assert "…" not in printed(RESULT)
    assert max(len(line) for line in printed(RESULT).splitlines()) > 80


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
    for told in ("-14262.1", "28526.2, AICc 28526.3, BIC 28533.4", "closed form", "dL/dθ", "mm", "warning: be careful"):
        assert told in text
    assert "0.0021 standard errors (converged)" in text


def test_solved_likelihood_has_no_descent_to_tell_of() -> None:
    text = printed(dataclasses.replace(SAMPLE, notes={"updates_to_converge": SOLVED}))
    assert "-14262.1" in text
    assert "distance to optimum" not in text
