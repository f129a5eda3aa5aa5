"""The outcome of a fit as JSON."""

import dataclasses
import json
import math

import pytest

from paramfit.results.record import Estimate, FitResult

# The keys that other programs rely on.
PROMISED = {
    "task",
    "status",
    "reason",
    "updates",
    "loss",
    "n_observations",
    "parameters",
    "normalized_input",
    "original_units",
    "distance_to_optimum_in_standard_errors",
    "learning_rate_limit",
    "condition_number",
}


def result(weight: Estimate) -> FitResult:
    return FitResult(
        task="Regression",
        status="limit_reached",
        reason="all 10 updates were made",
        updates=10,
        loss={"train": 1 / 3, "val": None},
        n_observations={"train": 9, "val": 2},
        parameters={"weight": weight},
        verdict_updates=(5, 10),
    )


def test_promised_keys_are_there() -> None:
    found = json.loads(result(Estimate(1.0)).to_json())
    assert found.keys() >= PROMISED
    assert found["parameters"]["weight"].keys() >= {"estimate", "standard_error", "interval_95", "gradient"}


def test_numbers_keep_their_full_precision() -> None:
    found = json.loads(result(Estimate(0.1 + 0.2, 1e-300, (-math.pi, math.pi))).to_json())
    assert found["loss"] == {"train": 1 / 3, "val": None}
    weight = found["parameters"]["weight"]
    assert (weight["estimate"], weight["standard_error"]) == (0.1 + 0.2, 1e-300)
    assert weight["interval_95"] == [-math.pi, math.pi]
    assert found["verdict_updates"] == [5, 10]


@pytest.mark.parametrize(
    ("value", "text"), [(math.nan, "nan"), (math.inf, "inf"), (-math.inf, "-inf")], ids=["nan", "inf", "-inf"]
)
def test_numbers_that_are_not_finite_are_strings(value: float, text: str) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    written = result(Estimate(value, interval_95=(value, 1.0))).to_json()
    found = json.loads(written, parse_constant=refuse)["parameters"]["weight"]
    assert found["estimate"] == text
    assert found["interval_95"] == [text, 1.0]
    assert str(float(found["estimate"])) == str(value)


def test_what_is_missing_is_null() -> None:
    found = json.loads(result(Estimate(1.0)).to_json())
    assert found["distance_to_optimum_in_standard_errors"] is None
    assert found["parameters"]["weight"]["standard_error"] is None


def test_units_stay_readable() -> None:
    written = dataclasses.replace(result(Estimate(1.0)), reason="at 40 °Fahrenheit").to_json()
    assert "at 40 °Fahrenheit" in written


def test_file_ends_with_a_line() -> None:
    assert result(Estimate(1.0)).to_json().endswith("}\n")
