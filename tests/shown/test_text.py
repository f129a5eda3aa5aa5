"""Text from users on a terminal and in a page: to the letter, or visibly escaped."""

import html
import re
import unicodedata

import pytest
import torch
from hypothesis import given, settings
from rich.console import Group

from paramfit import FormulaModel, ParameterSpec, fit
from paramfit.shown.tables import as_html, as_text, table_of_facts, table_of_parameters
from paramfit.shown.text import say, warning_line
from paramfit.wording import visible
from tests.texts import HOSTILE, TEXTS

WIDE = 5_000  # so that nothing is broken into lines


@settings(max_examples=200, deadline=None)
@given(TEXTS)
def test_visible_text_is_one_line_without_commands_from_which_the_text_can_be_read(text):
    shown = visible(text)
    assert all(letter.isprintable() or unicodedata.category(letter) == "Zs" for letter in shown)
    assert len((shown + "|").splitlines()) == 1
    if "\\" not in text:
        assert re.sub(r"\\(x..|u....|U.{8}|[nrt])", lambda escape: eval(f"'{escape[0]}'"), shown) == text


def shown_with(text: str) -> Group:
    """A text at every place where one may stand."""
    table, facts = table_of_parameters(text), table_of_facts()
    table.add_column("unit")
    table.add_row(f"|{text}|", f"|{text}|")
    facts.add_row(f"|{text}|", f"|{text}|")
    return Group(table, facts, warning_line(f"|{text}|"))


@settings(max_examples=200, deadline=None)
@given(TEXTS)
def test_any_text_stands_to_the_letter_in_tables_and_warnings(text):
    printed = as_text(shown_with(text), WIDE)
    assert printed.count(f"|{visible(text)}|") == 5
    assert "\x1b" not in printed
    assert visible(text).strip() in printed.replace(f"|{visible(text)}|", "")  # the title


@settings(max_examples=200, deadline=None)
@given(TEXTS)
def test_any_text_is_text_in_a_page(text):
    page = as_html(shown_with(text), WIDE)
    assert set(re.findall(r"</?([^\s>]*)", page)) == {"pre", "span"}
    assert html.unescape(re.sub(r"<[^>]*>", "", page)).count(f"|{visible(text)}|") == 5


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_a_line_that_is_said_can_be_printed(text, capsys):
    say(f"data/{text}.csv: read")
    assert capsys.readouterr().out == f"data/{visible(text)}.csv: read\n"


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_units_and_columns_stand_in_report_ladder_and_page(text):
    model = FormulaModel("a + b * x", ["x"], {"a": ParameterSpec(1.0, unit=text), "b": ParameterSpec(1.0, unit=text)})
    x = torch.linspace(0, 1, 8, dtype=torch.float64)
    result = fit(model, (x, 1 + 2 * x + 0.1 * torch.cos(40 * x)))
    assert str(result) == result.report()
    assert result.report(WIDE).count(visible(text).strip()) >= 2
    assert str(result.ladder()).startswith("Can these errors be trusted?")
