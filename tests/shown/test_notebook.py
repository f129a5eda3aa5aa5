"""Results in a notebook."""

import pytest
from rich.console import RenderableType

from paramfit.comparison.comparison import Comparison, ComparisonRow
from paramfit.inference.ladder.rungs import Ladder, Rung
from paramfit.shown.tables import as_html

ROW = ComparisonRow("line", "a + b*x", "converged", 3, -1.0, 8.0, 8.5, 9.0, 0.0, 0.0, 0.0, 1.0)
RUNG = Rung("sandwich", {"rate": 0.25}, {"rate": (1.5, 2.5)}, "as it is <always>")


def test_html_holds_the_text_with_its_signs_escaped() -> None:
    assert as_html("a < b") == "<pre>a &lt; b\n</pre>"


@pytest.mark.parametrize(
    ("shown", "told"),
    [
        (Ladder({"rate": 2.0}, (RUNG,), "sandwich", ("mind it",)), ("1.50 to 2.50", "&lt;always&gt;", "mind it")),
        (Comparison("AICc", 20, (ROW,)), ("20 observations", "a + b*x", "weights by AICc")),
    ],
    ids=["ladder", "comparison"],
)
def test_result_is_shown_as_html(shown: RenderableType, told: tuple[str, ...]) -> None:
    html = shown._repr_html_()  # type: ignore[union-attr]  # what IPython asks for
    assert html.startswith("<pre>")
    for words in told:
        assert words in html
