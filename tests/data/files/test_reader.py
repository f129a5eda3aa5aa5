"""Which reader a file gets."""

import gzip
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from paramfit.data.files.checks import ColumnRequest
from paramfit.data.files.reader import read_table
from paramfit.errors import InputError

X_AND_Y = ColumnRequest(("x", "y"))


def written(path: str, content: bytes) -> str:
    Path(path).write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("path", "content"),
    [
        pytest.param("a.csv", b"x,y\n1,2\n3,4\n", id="csv"),
        pytest.param("a.CSV", b"x;y\n1;2\n3;4\n", id="CSV with semicolons"),
        pytest.param("a.tsv", b"x\ty\n1\t2\n3\t4\n", id="tsv"),
        pytest.param("a.txt", b"x\ty\n1\t2\n3\t4\n", id="txt with tabs"),
        pytest.param("a.txt", b"x,y\n1,2\n3,4\n", id="txt with commas"),
        pytest.param("a.csv.gz", gzip.compress(b"x,y\n1,2\n3,4\n"), id="csv.gz"),
        pytest.param("with spaces and µ.csv", b"x,y\n1,2\n3,4\n", id="odd name"),
    ],
)
def test_text_is_read_by_its_suffix(path: str, content: bytes) -> None:
    assert read_table(written(path, content), X_AND_Y).values.tolist() == [[1.0, 3.0], [2.0, 4.0]]


@pytest.mark.parametrize("path", ["a.parquet", "a.pq"])
def test_parquet_is_read_by_its_suffix(path: str) -> None:
    parquet.write_table(pa.table({"y": [2, 4], "x": [1.0, 3.0]}), path)

    assert read_table(path, X_AND_Y).values.tolist() == [[1.0, 3.0], [2.0, 4.0]]


@pytest.mark.parametrize("path", ["a.xlsx", "a", "a.json.gz", "a.pq.gz", ".gz"])
def test_another_suffix_is_refused_with_those_that_are_read(path: str) -> None:
    with pytest.raises(InputError, match=r"\.csv, \.tsv, \.txt, \.parquet, \.pq"):
        read_table(written(path, b"x,y\n1,2\n"), X_AND_Y)


@pytest.mark.parametrize(
    ("path", "content"),
    [
        pytest.param("a.csv.gz", b"x,y\n1,2\n", id="no gzip file"),
        pytest.param("a.csv.gz", gzip.compress(b"x,y\n" + b"1,2\n" * 100)[:-12], id="cut off"),
        pytest.param("a.csv.gz", gzip.compress(b"x,y\n")[:12] + b"\xff" * 20, id="damaged"),
    ],
)
def test_a_damaged_compressed_file_is_refused(path: str, content: bytes) -> None:
    with pytest.raises(InputError, match=r"^a\.csv\.gz: the file cannot be read \(it is no gzip file, or a damaged"):
        read_table(written(path, content), X_AND_Y)


def test_a_file_that_the_system_does_not_give_is_refused_with_its_reason() -> None:
    Path("loop.csv").symlink_to("loop.csv")

    with pytest.raises(InputError, match=r"loop\.csv: the file cannot be read \(Too many levels of symbolic links\)"):
        read_table("loop.csv", X_AND_Y)


def columns_or_complaint(path: str) -> list[list[float]] | str:
    try:
        values: list[list[float]] = read_table(path, X_AND_Y).values.tolist()
    except InputError as error:
        return str(error)
    return values


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["f.csv", "f.tsv", "f.csv.gz", "f.parquet"]), st.binary(max_size=80))
def test_any_file_ends_in_columns_or_in_one_line(path: str, content: bytes) -> None:
    found = columns_or_complaint(written(path, content))

    assert len(found.splitlines()) == 1 if isinstance(found, str) else len(found) == 2
