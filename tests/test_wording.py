"""What messages suggest."""

import pytest

from paramfit.wording import nearest_names, printable, quoted


@pytest.mark.parametrize(("name", "theirs", "suggestion"), [
    pytest.param("curent", ["time", "current"], "did you mean 'current'?", id="typing error"),
    pytest.param("TIME", ["time", "current"], "did you mean 'time'?", id="other case"),
    pytest.param("q", ["time", "current"], "there are 'time', 'current'", id="nothing near"),
    pytest.param("q", [], "there is none", id="nothing at all"),
])  # fmt: skip
def test_the_nearest_names_are_suggested_or_all(name, theirs, suggestion):
    assert nearest_names(name, theirs) == suggestion


@pytest.mark.parametrize("text", ["two\nlines", "bell\a", "lone \udcff byte", "x" * 10_000])
def test_quoted_text_is_one_short_line_that_can_be_printed(text):
    shown = quoted(text)
    assert shown.isprintable()
    assert len(shown) < 60


def test_only_what_would_break_a_line_is_quoted():
    assert printable("my data/µ.csv") == "my data/µ.csv"
    assert printable("a\nb.csv") == r"'a\nb.csv'"
