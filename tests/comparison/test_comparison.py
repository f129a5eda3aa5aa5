"""Fits side by side: criteria, weights, what is printed."""

import json
import math

import pytest

from paramfit.comparison.comparison import Comparison, ComparisonRow, NestedTest, akaike_weights
from paramfit.facts import Fact, FactKind


def row(run: str, delta: float, weight: float, aicc: float | None = 1.0) -> ComparisonRow:
    return ComparisonRow(
        run, "a*x", "converged", 2, -10.0, 24.0 + delta, aicc, 25.0, delta, aicc and delta, 0.0, weight
    )


AT_BOUND = Fact(FactKind.CONSERVATIVE_AT_BOUND, ("c",))
FOUND = Comparison(
    "AICc",
    20,
    (row("broad", 2.0, 0.25), row("narrow", 0.0, 0.75)),
    (
        NestedTest(
            "narrow", "broad", "c = 0", "F", 4.5, (1, 17), 0.049, None, (Fact(FactKind.CONSERVATIVE_AT_BOUND, ("c",)),)
        ),
        NestedTest("narrow", "other", refusal=Fact(FactKind.NOT_NESTED)),
        NestedTest("narrow", "third", "k = 1", "likelihood ratio", 3.25, (2,), 0.2),
    ),
    (Fact(FactKind.RUN_NOT_CONVERGED, numbers={"run": "broad", "ended": "stalled"}),),
)


def test_weights_are_those_of_burnham_and_anderson():
    # Differences 0, 2 and 10: exp(0), exp(-1), exp(-5) over their sum.
    total = 1 + math.exp(-1) + math.exp(-5)
    expected = [math.exp(-1) / total, 1 / total, math.exp(-5) / total]
    assert akaike_weights([-98.0, -100.0, -90.0]) == pytest.approx(expected, rel=1e-14)


def test_weights_of_distant_models_neither_overflow_nor_vanish_together():
    assert akaike_weights([1e6, 0.0]) == [0.0, 1.0]
    assert akaike_weights([-1e6, -1e6]) == [0.5, 0.5]


def test_plain_form_is_json():
    written = json.loads(json.dumps(FOUND.to_plain(), allow_nan=False))
    assert written["criterion"] == "AICc"
    assert [one["run"] for one in written["rows"]] == ["broad", "narrow"]
    assert written["tests"][0]["degrees_of_freedom"] == [1, 17]
    assert written["tests"][1]["probability"] is None
    assert written["warnings"] == ["broad has not converged (stalled): its likelihood is not the largest"]
