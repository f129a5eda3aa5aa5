"""Columns of CSV text, against Python's own float() and csv."""

import csv
import io
import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paramfit.data.files.checks import CensoredColumns, ColumnRequest
from paramfit.data.files.csv import columns_of_csv
from paramfit.errors import InputError


def read(text: str | bytes, *names: str, drop: bool = False, separators: str = ",;\t") -> list[list[float]]:
    content = text.encode() if isinstance(text, str) else text
    table = columns_of_csv("f.csv", content, ColumnRequest(names or ("x", "y"), drop_missing=drop), separators)
    return table.values.tolist()


NUMBERS = [
    "1", " 1.5 ", "1e3", "+2", "-0.0", ".5", "5.", "1E+5", "007", '"2.25"', "\t3", "0.1", "1e-400",
    "1.7976931348623157e308",
]  # fmt: skip
LONG_NUMBERS = ["9007199254740993", "-18446744073709551617", "0.30000000000000004", "2.2250738585072011e-308", "5e-324"]


@pytest.mark.parametrize("cell", NUMBERS + LONG_NUMBERS)
def test_a_number_is_the_float_that_python_makes_of_it(cell):
    ((value,),) = read(f"x\n{cell}\n", "x")
    assert value.hex() == float(cell.strip('"')).hex()


@pytest.mark.parametrize("cell", NUMBERS + LONG_NUMBERS)
def test_the_careful_reader_makes_the_same_of_it(cell):
    # Only this reader takes a space for a missing value, so that it is the one that reads the first row too.
    ((value,), _) = read(f"x,y\n{cell},1\n1, \n", drop=True)
    assert value.hex() == float(cell.strip('"')).hex()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_what_is_written_to_all_digits_is_read_to_the_last_bit(numbers):
    text = "x\n" + "".join(f"{number!r}\n" for number in numbers)
    (values,) = read(text, "x")
    assert [value.hex() for value in values] == [number.hex() for number in numbers]


@pytest.mark.parametrize("text", [
    pytest.param("x,y\n1,2\n3,4\n", id="plain"),
    pytest.param("x,y\r\n1,2\r\n3,4\r\n", id="CRLF"),
    pytest.param("\ufeffx,y\n1,2\n3,4\n", id="byte order mark"),
    pytest.param('\ufeff"x","y"\n"1","2"\n"3","4"\n', id="quoted, byte order mark"),
    pytest.param("\n\nx,y\n\n1,2\n\n3,4\n\n", id="blank lines"),
    pytest.param("y,note,x\n2,a,1\n4,b,3\n", id="other order, other columns"),
    pytest.param('x,note,y\n1,"two\nlines, and a comma",2\n3,5" pipe,4\n', id="quotes and newlines in a note"),
    pytest.param('"x";"y";"a, b"\n1;2;0\n3;4;0\n', id="semicolons, comma in a name"),
    pytest.param("x\ty\n1\t2\n3\t4\n", id="tabs"),
    pytest.param("x,note,y\n1,caf\xe9,2\n3,,4\n".encode("latin-1"), id="Latin-1 where nobody looks"),
])  # fmt: skip
def test_columns_are_found_whatever_the_form_of_the_text(text):
    assert read(text) == [[1.0, 3.0], [2.0, 4.0]]


@pytest.mark.parametrize("cell", ["", " ", '""', "NA", "NaN", "nan", "N/A", "null", "inf", "-Infinity", "1e999"])
def test_a_missing_or_infinite_value_is_refused_or_dropped_with_its_row(cell):
    text = f"x,y\n1,2\n3,{cell}\n5,6\n"
    assert read(text, drop=True) == [[1.0, 5.0], [2.0, 6.0]]
    with pytest.raises(InputError, match=r"^f\.csv: line 3, column 'y': the value is (missing|-?inf).*; mend the row"):
        read(text)


@pytest.mark.parametrize(
    "cell", ["abc", "1_0", "0x10", "1d5", "1e", "- 5", "True", "2020-01-01", "１", "1.2.3", "1 2", "#REF!", "--1"]
)
@pytest.mark.parametrize("drop", [False, True], ids=["error", "drop"])
def test_a_cell_that_is_no_number_is_refused_with_line_and_column(cell, drop):
    with pytest.raises(InputError) as caught:
        read(f"x,y\n1,2\n3,{cell}\n5,6\n", drop=drop)
    assert str(caught.value) == f"f.csv: line 3, column 'y': expected a number, but got {cell!r}"


@pytest.mark.parametrize(("cell", "hint"), [
    ("1,000", "write '1000' if the comma separates thousands, or '1.000' if it is the decimal point"),
    ("1,234,567.5", "write '1234567.5' if the comma separates thousands"),
    ("1,2345", "write the decimal point as '.'"),
])  # fmt: skip
def test_a_comma_before_three_digits_may_separate_thousands(cell, hint):
    with pytest.raises(InputError) as caught:
        read(f'x,y\n"{cell}",2\n')
    assert str(caught.value).endswith(f"got '{cell}'; {hint}")


def test_a_long_cell_of_digits_and_a_letter_takes_no_time():
    with pytest.raises(InputError, match="expected a number"):
        read(f"x\n{'1' * 100_000}z\n", "x")


@pytest.mark.parametrize(("text", "line"), [
    pytest.param("x,y\n1,2\n3,oops\n", 3, id="plain"),
    pytest.param("x,y\r\n1,2\r\n3,oops\r\n", 3, id="CRLF"),
    pytest.param("\n\nx,y\n\n\n1,2\n\n3,oops\n", 8, id="blank lines count"),
    pytest.param('x,y,note\n1,2,"a\nb\nc"\n3,oops,d\n', 5, id="lines in a cell count"),
    pytest.param("x,y\n1,2\n3,\n", 3, id="missing"),
    pytest.param('x,y,note\n1,2,"a\nb"\n3,,c\n', 4, id="missing after lines in a cell"),
])  # fmt: skip
def test_the_line_is_the_one_an_editor_shows(text, line):
    with pytest.raises(InputError, match=rf"line {line}, column 'y'"):
        read(text)


@pytest.mark.parametrize(("text", "message"), [
    pytest.param("x,y\n1,2\n3\n", "line 3 differs from the header in its number of cells: 1, not 2", id="too few"),
    pytest.param("x,y\n1,2,3\n", "line 2 differs from the header in its number of cells: 3, not 2", id="too many"),
    pytest.param('x,y\n1,2\n"3,4\n5,6\n', "line 3 cannot be read .*quote", id="open quote"),
    pytest.param('x,y,note\n1,2,"a\n3,4,b\n', "line 2 cannot be read .*quote", id="open quote that swallows rows"),
    pytest.param("", "the file is empty", id="empty"),
    pytest.param("x,y\n", "a header, but no row", id="header alone"),
    pytest.param("a,y\n1,2\n", "no column 'x' in the header; there are 'a', 'y'", id="no such column"),
    pytest.param("x,x,y\n1,2,3\n", "2 columns in the header are called 'x'", id="two of that name"),
    pytest.param("x,y\n1,2\n".encode("utf-16"), "UTF-16; save it as UTF-8", id="UTF-16"),
    pytest.param("\xe9,y\n1,2\n".encode("latin-1"), "not UTF-8: save the file as UTF-8", id="Latin-1 header"),
    pytest.param(b"x,y\n1,2\n3,\xff\n", r"line 3, column 'y': expected a number", id="stray byte"),
])  # fmt: skip
def test_what_is_no_table_is_refused(text, message):
    with pytest.raises(InputError, match=message):
        read(text)


PIECES = [
    ",", "\n", "\r\n", "\r", '"', '""', " ", "1", "-2.5", "3e4", "x", ";", "\t", "nan", "inf", "\0", "1,5", "é",
    "1,2\n",
]  # fmt: skip


def columns_or_complaint(text: str | bytes, drop: bool) -> list[list[float]] | str:
    try:
        return read(text, drop=drop)
    except InputError as error:
        return str(error)


def is_finite(cell: str) -> bool:
    return re.search("[0-9]", cell) is not None and math.isfinite(float(cell))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=12), st.booleans())
def test_any_text_ends_in_finite_columns_or_in_one_line(pieces, drop):
    text = "x,y\n1,2\n" + "".join(pieces)
    actual = columns_or_complaint(text, drop)
    if isinstance(actual, str):
        assert len(actual.splitlines()) == 1
    else:
        # Python's csv module is the judge of what the cells are.
        rows = [cells for cells in csv.reader(io.StringIO(text, newline=""), strict=True) if cells][1:]
        expected = [[float(cell) for cell in cells] for cells in rows if all(map(is_finite, cells))]
        assert [list(pair) for pair in zip(*actual, strict=True)] == expected


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=60), st.sampled_from([b"", b"x,y\n", b"\xef\xbb\xbfx,y\r\n1,2\r\n"]))
def test_any_bytes_end_in_columns_or_in_one_line(content, before):
    actual = columns_or_complaint(before + content, drop=True)
    assert len(actual.splitlines()) == 1 if isinstance(actual, str) else len(actual) == 2


SPELLINGS = [
    *"0123456789012345678901234567890+-.eE_xX' \t\0", "inf", "nan", "NaN", "Infinity", "NA", "٣", "１", "½", "−",
    "\u00a0", "\u2009", "\ufeff", "\x0b", "\u2028", "nan(1)", "0x1p3", "1e5", "d3", "f", "L", "%", "€", "0" * 400,
    "9" * 400, ".5",
]  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.sampled_from(SPELLINGS), min_size=1, max_size=6).map("".join), st.booleans(), st.sampled_from([0, 1])
)
def test_no_cell_is_read_as_another_number_than_it_spells(cell, is_quoted, place):
    cells = [f'"{cell}"' if is_quoted else cell]
    cells.insert(place, "2")
    actual = columns_or_complaint(f"x,y\n7,8\n{','.join(cells)}\n9,10\n", drop=True)
    if isinstance(actual, str):
        assert re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", cell.strip()) is None
        assert actual.startswith("f.csv: line 3, column") or "\0" in cell or "number of cells" in actual
    else:
        read_numbers = actual[1 - place]
        expected = float(cell) if cell.strip() not in ("", "NA") else math.nan
        assert [number.hex() for number in read_numbers[1:-1]] == [expected.hex()] * math.isfinite(expected)


LIFETIMES = "t,seen,until\n1,observed,\n2, Right ,x\n3,interval,4.5\n4,,\n5,LEFT,7\n"


def lifetimes(text: str, upper: str | None = "until", drop: bool = False) -> list[list[float]]:
    names = ("t", "seen", *([] if upper is None else [upper]))
    request = ColumnRequest(names, censoring=CensoredColumns("seen", "t", upper), drop_missing=drop)
    return columns_of_csv("f.csv", text.encode(), request).values.tolist()


def test_words_become_statuses_and_idle_ends_are_not_read():
    expected = [[1, 2, 3, 4, 5], [0, 2, 3, 0, 1], [0, 0, 4.5, 0, 0]]
    assert lifetimes(LIFETIMES.replace("x", "")) == expected
    quoted = LIFETIMES.replace("x", "").replace(",,", ',"",')  # which the slower reader takes as well
    assert lifetimes(quoted + "6,none, \n") == [[*row, last] for row, last in zip(expected, (6, 0, 0), strict=True)]


@pytest.mark.parametrize(("text", "words"), [
    ("t,seen,until\n1,,\n\n2,1,\n", r"f\.csv: line 4, column 'seen': expected a word .* but got '1'"),
    ("t,seen,until\n1,,\n2,NA,\n", r"line 3, column 'seen': expected a word .* but got 'NA'"),
    ("t,seen,until\n1,interval,\n", r"line 2, column 'until': the value is missing"),
    ("t,seen,until\n1,,\n2,interval,2\n", r"line 3, column 'until': the upper end of an interval is above .* got 2"),
    (LIFETIMES, r"line 3, column 'until': expected a number, but got 'x'"),
], ids=["a number", "a missing word", "an endless interval", "an empty interval", "no number"])  # fmt: skip
def test_what_cannot_be_read_of_bounds_is_named_by_line(text, words):
    with pytest.raises(InputError, match=words):
        lifetimes(text)


def test_interval_needs_a_column_of_upper_ends():
    with pytest.raises(InputError, match=r"line 4, column 'seen': it is an interval, but no column holds the upper"):
        lifetimes(LIFETIMES, upper=None)


@pytest.mark.parametrize("cell", ['""1', '"7"1', '" "1'])
def test_text_behind_a_closing_quote_is_refused(cell):
    assert "line 3" in columns_or_complaint(f"x,y\n1,2\n{cell},5\n", drop=False)
    assert columns_or_complaint('x,y\n1,2\n"","3"\n', drop=True) == [[1.0], [2.0]]
