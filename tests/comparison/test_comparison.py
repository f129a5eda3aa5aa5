"""Fits side by side: criteria, weights, what is printed."""

import io
import json
import math

import pytest
from rich.console import Console

from paramfit.comparison.comparison import Comparison, ComparisonRow, NestedTest, akaike_weights


def row(run: str, delta: float, weight: float, aicc: float | None = 1.0) -> ComparisonRow:
    return ComparisonRow(
        run, "a*x", "converged", 2, -10.0, 24.0 + delta, aicc, 25.0, delta, aicc and delta, 0.0, weight
    )


FOUND = Comparison(
    "AICc",
    20,
    (row("broad", 2.0, 0.25), row("narrow", 0.0, 0.75)),
    (
        NestedTest("narrow", "broad", "c = 0", "F", 4.5, (1, 17), 0.049, None, ("mind the bound",)),
        NestedTest("narrow", "other", reason="not nested (not found)"),
        NestedTest("narrow", "third", "k = 1", "likelihood ratio", 3.25, (2,), 0.2),
    ),
    ("broad has not converged",),
)


def test_weights_are_those_of_burnham_and_anderson() -> None:
    # Differences 0, 2 and 10: exp(0), exp(-1), exp(-5) over their sum.
    total = 1 + math.exp(-1) + math.exp(-5)
    expected = [math.exp(-1) / total, 1 / total, math.exp(-5) / total]
    assert akaike_weights([-98.0, -100.0, -90.0]) == pytest.approx(expected, rel=1e-14)


def test_weights_of_distant_models_neither_overflow_nor_vanish_together() -> None:
    assert akaike_weights([1e6, 0.0]) == [0.0, 1.0]
    assert akaike_weights([-1e6, -1e6]) == [0.5, 0.5]


def test_best_is_that_with_the_largest_weight() -> None:
    assert FOUND.best.run == "narrow"


def test_plain_form_is_json() -> None:
    found = json.loads(json.dumps(FOUND.to_plain(), allow_nan=False))
    assert found["criterion"] == "AICc"
    assert [one["run"] for one in found["rows"]] == ["broad", "narrow"]
    assert found["tests"][0]["degrees_of_freedom"] == [1, 17]
    assert found["tests"][1]["probability"] is None
    assert found["warnings"] == ["broad has not converged"]


def test_tables_say_everything_with_the_best_first() -> None:
    out = io.StringIO()
    Console(file=out, width=140).print(FOUND)
    text = out.getvalue()
    assert text.index("narrow") < text.index("broad")
    for told in (
        "20 observations", "ΔAICc", "weights by AICc", "F(1, 17) = 4.5", "chi-square(2) = 3.25", "c = 0", "0.049",
        "not nested (not found)", "warning: broad has not converged", "warning: narrow in broad: mind the bound",
    ):  # fmt: skip
        assert told in text
    html = FOUND._repr_html_()
    assert html.startswith("<pre>")
    assert "F(1, 17) = 4.5" in html


def test_missing_aicc_is_a_dash() -> None:
    out = io.StringIO()
    bare = Comparison("AIC", 3, (row("one", 0.0, 0.5, None), row("two", 0.0, 0.5, None)))
    Console(file=out, width=140).print(bare)
    assert "ΔAIC " in out.getvalue()
    assert " - " in out.getvalue()
