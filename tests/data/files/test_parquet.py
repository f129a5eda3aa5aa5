"""Columns of Parquet files, written by pyarrow and by pandas."""

import io
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from paramfit.data.files.checks import CensoredColumns, ColumnRequest
from paramfit.data.files.parquet import columns_of_parquet
from paramfit.errors import InputError


def content_of(table: pa.Table) -> bytes:
    file = io.BytesIO()
    parquet.write_table(table, file)
    return file.getvalue()


def read(content: bytes, *names: str, drop: bool = False) -> list[list[float]]:
    values: list[list[float]] = columns_of_parquet(
        "f.pq", content, ColumnRequest(names, drop_missing=drop)
    ).values.tolist()
    return values


@pytest.mark.parametrize(("column", "expected"), [
    pytest.param(pa.array([1, -2], pa.int8()), [1.0, -2.0], id="int8"),
    pytest.param(pa.array([2**53 + 1, -(2**63)], pa.int64()), [float(2**53 + 1), -(2.0**63)], id="int64"),
    pytest.param(pa.array([2**64 - 1, 0], pa.uint64()), [2.0**64, 0.0], id="uint64"),
    pytest.param(pa.array([0.5, 1.5], pa.float32()), [0.5, 1.5], id="float32"),
    pytest.param(pa.array(np.array([0.5, 1.5], np.float16)), [0.5, 1.5], id="float16"),
    pytest.param(pa.array([Decimal("0.1"), Decimal("2.675")]), [0.1, 2.675], id="decimal"),
    pytest.param(pa.array([Decimal("0.1234567890123456789"), Decimal("9.8765432109876543210")], pa.decimal128(38, 19)),
        [0.1234567890123456789, 9.8765432109876543210], id="decimal with more digits than a float"),
])  # fmt: skip
def test_every_kind_of_number_becomes_the_nearest_float(column, expected):
    assert read(content_of(pa.table({"x": column})), "x") == [expected]


def test_columns_come_in_the_order_asked_for_and_others_do_not_matter():
    frame = pd.DataFrame({"a": [1, 2], "note": ["p", "q"], "a.b": [0.5, 1.5]}, index=[7, 8])
    file = io.BytesIO()
    frame.to_parquet(file)
    assert read(file.getvalue(), "a.b", "a") == [[0.5, 1.5], [1.0, 2.0]]


@pytest.mark.parametrize(
    "column", [[1.0, None, 3.0], [1.0, float("nan"), 3.0], [1, None, 3]], ids=["null", "NaN", "null integer"]
)
def test_a_missing_value_is_refused_or_dropped_with_its_row(column):
    content = content_of(pa.table({"x": column, "y": [4, 5, 6]}))
    assert read(content, "x", "y", drop=True) == [[1.0, 3.0], [4.0, 6.0]]
    with pytest.raises(InputError, match=r"^f\.pq: row 1, column 'x': the value is missing"):
        read(content, "x", "y")


@pytest.mark.parametrize("column", [
    pytest.param(pa.array([True, False]), id="bool"),
    pytest.param(pa.array(["1", "2"]), id="string"),
    pytest.param(pa.array([1, 2], pa.timestamp("s")), id="timestamp"),
    pytest.param(pa.array([1, 2], pa.date32()), id="date"),
    pytest.param(pa.array([[1.0], [2.0]]), id="list"),
    pytest.param(pa.array(["a", "b"]).dictionary_encode(), id="dictionary"),
    pytest.param(pa.array([None, None]), id="null"),
])  # fmt: skip
def test_a_column_that_holds_no_numbers_is_refused_with_its_type(column):
    with pytest.raises(InputError, match=r"column 'x' holds .*, not numbers"):
        read(content_of(pa.table({"x": column})), "x")


@pytest.mark.parametrize(("table", "message"), [
    pytest.param(pa.table({"xx": [1.0]}), "no column 'x'; did you mean 'xx'", id="no such column"),
    pytest.param(pa.table([[1.0], [2.0]], names=["x", "x"]), "2 columns are called 'x'", id="two of that name"),
    pytest.param(pa.table({"x": pa.array([], pa.float64())}), "no row", id="no row"),
])  # fmt: skip
def test_a_column_that_cannot_be_meant_is_refused(table, message):
    with pytest.raises(InputError, match=message):
        read(content_of(table), "x")


@pytest.mark.parametrize("content", [b"", b"PAR1", b"x,y\n1,2\n", b"PAR1" * 100], ids=["empty", "4", "text", "magic"])
def test_what_is_no_parquet_file_is_refused(content):
    with pytest.raises(InputError, match=r"^f\.pq: this is not a readable Parquet file"):
        read(content, "x")


WHOLE = content_of(pa.table({"x": [1.0, 2.0, None] * 5, "y": [1, 2, 3] * 5, "note": ["a", "b", "c"] * 5}))


def columns_or_complaint(content: bytes) -> list[list[float]] | str:
    try:
        return read(content, "x", "y", drop=True)
    except InputError as error:
        return str(error)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), max_size=4), st.integers(0, len(WHOLE)))
def test_a_damaged_file_ends_in_columns_or_in_one_line(changes, length):
    content = bytearray(WHOLE)
    for place, byte in changes:
        content[place] = byte
    actual = columns_or_complaint(bytes(content if changes else content[:length]))
    assert actual.count("\n") == 0 if isinstance(actual, str) else len(actual) == 2


@pytest.mark.parametrize("compression", ["none", "snappy", "zstd"])
def test_a_flipped_bit_gives_no_other_number_where_the_pages_have_checksums(compression):
    values = np.random.default_rng(0).normal(size=50)
    file = io.BytesIO()
    parquet.write_table(pa.table({"x": values}), file, compression=compression, write_page_checksum=True)
    whole, refused = file.getvalue(), 0
    for place in range(0, 8 * len(whole), 53):
        damaged = bytearray(whole)
        damaged[place // 8] ^= 1 << place % 8
        try:
            actual = columns_of_parquet("f.pq", bytes(damaged), ColumnRequest(("x",)))
        except InputError:
            refused += 1
        else:
            assert actual.values[0].tolist() == values.tolist()
    assert refused > 0


def lifetimes(words: pa.Array) -> list[list[float]]:
    ends = pa.array([None, 4.5, None])
    content = content_of(pa.table({"t": [1.0, 2.0, 3.0], "seen": words, "until": ends}))
    request = ColumnRequest(("t", "seen", "until"), censoring=CensoredColumns("seen", "t", "until"))
    return columns_of_parquet("f.pq", content, request).values.tolist()


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int8(), pa.string())], ids=str)
def test_words_become_statuses(kind):
    assert lifetimes(pa.array([None, "interval", "right"]).cast(kind)) == [[1, 2, 3], [0, 3, 2], [0, 4.5, 0]]


def test_other_words_and_numbers_are_refused():
    with pytest.raises(InputError, match=r"f\.pq: row 2, column 'seen': expected a word .* but got 'dead'"):
        lifetimes(pa.array([None, "left", "dead"]))
    with pytest.raises(InputError, match=r"f\.pq: column 'seen' holds int64, not words: none or observed"):
        lifetimes(pa.array([0, 1, 1]))
