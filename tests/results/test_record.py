"""The outcome of a fit as JSON."""

import json
import math

import pytest

from paramfit.results.record import Estimate, FitResult

# The keys that other programs rely on.
PROMISED = {
    "task", "status", "reason", "updates", "loss", "n_observations", "parameters", "normalized_input", "original_units",
    "distance_to_optimum_in_standard_errors", "learning_rate_limit", "condition_number",
}  # fmt: skip


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
    written = json.loads(result(Estimate(1.0)).to_json())
    assert written.keys() >= PROMISED
    assert written["parameters"]["weight"].keys() >= {"estimate", "standard_error", "interval_95", "gradient"}


def test_numbers_keep_their_full_precision() -> None:
    written = json.loads(result(Estimate(0.1 + 0.2, 1e-300, (-math.pi, math.pi))).to_json())
    assert written["loss"] == {"train": 1 / 3, "val": None}
    weight = written["parameters"]["weight"]
    assert (weight["estimate"], weight["standard_error"]) == (0.1 + 0.2, 1e-300)
    assert weight["interval_95"] == [-math.pi, math.pi]
    assert written["verdict_updates"] == [5, 10]


@pytest.mark.parametrize(
    ("value", "text"), [(math.nan, "nan"), (math.inf, "inf"), (-math.inf, "-inf")], ids=["nan", "inf", "-inf"]
)
def test_numbers_that_are_not_finite_are_strings(value: float, text: str) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    written = result(Estimate(value, interval_95=(value, 1.0))).to_json()
    actual = json.loads(written, parse_constant=refuse)["parameters"]["weight"]
    assert actual["estimate"] == text
    assert actual["interval_95"] == [text, 1.0]
    assert str(float(actual["estimate"])) == str(value)
