"""Which files a path means, which reader a file gets, and what is checked of its columns."""

import gzip
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from pyarrow import parquet

from paramfit.data.files import reader
from paramfit.data.files.checks import ColumnRequest, complete_rows
from paramfit.data.files.patterns import table_file, table_files
from paramfit.data.files.reader import read_table
from paramfit.errors import InputError

X_AND_Y = ColumnRequest(("x", "y"))


def written(path: str, content: bytes) -> str:
    Path(path).write_bytes(content)
    return path


@pytest.mark.parametrize(("path", "content"), [
    pytest.param("a.csv", b"x,y\n1,2\n3,4\n", id="csv"),
    pytest.param("a.CSV", b"x;y\n1;2\n3;4\n", id="CSV with semicolons"),
    pytest.param("a.tsv", b"x\ty\n1\t2\n3\t4\n", id="tsv"),
    pytest.param("a.txt", b"x\ty\n1\t2\n3\t4\n", id="txt with tabs"),
    pytest.param("a.txt", b"x,y\n1,2\n3,4\n", id="txt with commas"),
    pytest.param("a.csv.gz", gzip.compress(b"x,y\n1,2\n3,4\n"), id="csv.gz"),
    pytest.param("with spaces and µ.csv", b"x,y\n1,2\n3,4\n", id="odd name"),
])  # fmt: skip
def test_text_is_read_by_its_suffix(path, content):
    assert read_table(written(path, content), X_AND_Y).values.tolist() == [[1.0, 3.0], [2.0, 4.0]]


@pytest.mark.parametrize("path", ["a.parquet", "a.pq"])
def test_parquet_is_read_by_its_suffix(path):
    parquet.write_table(pa.table({"y": [2, 4], "x": [1.0, 3.0]}), path)
    assert read_table(path, X_AND_Y).values.tolist() == [[1.0, 3.0], [2.0, 4.0]]


@pytest.mark.parametrize("path", ["a.xlsx", "a", "a.json.gz", "a.pq.gz", ".gz"])
def test_another_suffix_is_refused_with_those_that_are_read(path):
    with pytest.raises(InputError, match=r"\.csv, \.tsv, \.txt, \.parquet, \.pq"):
        read_table(written(path, b"x,y\n1,2\n"), X_AND_Y)


@pytest.mark.parametrize(("path", "content"), [
    pytest.param("a.csv.gz", b"x,y\n1,2\n", id="no gzip file"),
    pytest.param("a.csv.gz", gzip.compress(b"x,y\n" + b"1,2\n" * 100)[:-12], id="cut off"),
    pytest.param("a.csv.gz", gzip.compress(b"x,y\n")[:12] + b"\xff" * 20, id="damaged"),
])  # fmt: skip
def test_a_damaged_compressed_file_is_refused(path, content):
    with pytest.raises(InputError, match=r"^a\.csv\.gz: the file cannot be read \(it is no gzip file, or a damaged"):
        read_table(written(path, content), X_AND_Y)


@pytest.fixture
def folder(own_directory: Path) -> Path:
    for name in ("b.csv", "a.csv", "notes.txt", "deep/er/c.csv", "odd[1].csv", "model.py", "mode.csv.py"):
        (own_directory / name).parent.mkdir(parents=True, exist_ok=True)
        (own_directory / name).write_text("x,y\n1,2\n")
    return own_directory


FILLINGS = (b"\n", b"\r\n", b"\r", b" \n", b"1", b",", b" ", b"\0", b'"', b'"",', b"# comment\n", b",\n", b"1,2\n")


@pytest.mark.parametrize("filling", FILLINGS)
@pytest.mark.parametrize("head", [b"x,y\n1,2\n", b""], ids=["below a row", "from the beginning"])
def test_a_file_that_unpacks_without_end_is_refused_before_its_end(head, filling, monkeypatch):
    monkeypatch.setattr(reader, "_ALWAYS_UNPACKED", 1 << 16)
    monkeypatch.setattr(reader, "_AT_ONCE", 1 << 12)
    # What lies behind the limit is cut off: reading on would say that the file is damaged.
    content = gzip.compress(head + filling * ((1 << 22) // len(filling)))[:-100]
    with pytest.raises(InputError, match=r"^a\.csv\.gz: it unpacks to more than 100 times its size, as no table does"):
        read_table(written("a.csv.gz", content), X_AND_Y)


def test_a_table_that_packs_well_is_read():
    rows = b"".join(b"%d,%d\n" % (row, row * row) for row in range(20_000))
    assert read_table(written("a.csv.gz", gzip.compress(b"x,y\n" + rows)), X_AND_Y).n_read == 20_000


@pytest.mark.parametrize("filling", [b"1", b",", b" ", b"\0", b'"', b'"",'])
@pytest.mark.parametrize(
    ("head", "line"), [(b"x,y\n1,2\n", 3), (b"x,y\r1,2\r", 3), (b"\r\n\r\n", 3), (b"", 1)], ids=repr
)
def test_a_line_without_end_is_refused_by_its_number(head, line, filling, monkeypatch):
    monkeypatch.setattr("paramfit.data.files.csv._LONGEST_LINE", 1 << 12)
    content = head + filling * ((1 << 13) // len(filling)) + b"\n1,2\n"
    with pytest.raises(InputError, match=rf"^a\.csv: line {line} is longer than"):
        read_table(written("a.csv", content), X_AND_Y)


def test_lines_are_counted_from_the_blank_ones_before_the_header():
    table = written("a.csv", b"\xef\xbb\xbf\n\r\n\rx,y\n\n1,2\n3,a\n")
    with pytest.raises(InputError, match=r"^a\.csv: line 7, column 'y': expected a number, but got 'a'"):
        read_table(table, X_AND_Y)


@pytest.mark.parametrize(("patterns", "files"), [
    pytest.param("b.csv", ["b.csv"], id="one file"),
    pytest.param("[ab].csv", ["a.csv", "b.csv"], id="glob, sorted"),
    pytest.param("**/c.csv", ["deep/er/c.csv"], id="any depth"),
    pytest.param(["b.csv", "a.csv"], ["b.csv", "a.csv"], id="list, in its order"),
    pytest.param("odd[1].csv", ["odd[1].csv"], id="a name that looks like a pattern"),
])  # fmt: skip
@pytest.mark.usefixtures("folder")
def test_files_come_in_a_known_order(patterns, files):
    assert table_files(patterns) == files


def test_tilde_is_the_home_folder(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder / "deep"))
    assert table_files("~/er/*.csv") == [str(folder / "deep" / "er" / "c.csv")]


@pytest.mark.parametrize(("patterns", "message"), [
    pytest.param("notes.csv", "there is no file notes.csv; did you mean 'notes.txt'", id="nearest name"),
    pytest.param("*.parquet", r"no file matches \*\.parquet; there are", id="empty glob"),
    pytest.param("deep/*.csv", r"no file matches deep/\*\.csv; the folder holds no table", id="folder without files"),
    pytest.param("models.parquet", r"; there are 'a\.csv', 'b\.csv', 'notes\.txt', 'odd\[1\]\.csv'$", id="tables"),
    pytest.param("deep", r"deep is a folder; .*deep/\*\.csv", id="folder"),
    pytest.param("", "no file", id="empty name"),
    pytest.param(["a.csv", "[ab].csv"], "a.csv is meant twice", id="twice"),
    pytest.param("two\nlines.csv", r"'two\\nlines\.csv'", id="two lines"),
])  # fmt: skip
@pytest.mark.usefixtures("folder")
def test_what_is_not_there_is_refused_in_one_line(patterns, message):
    with pytest.raises(InputError, match=message) as caught:
        table_files(patterns)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(("text", "is_listed"), [
    ("t,y\n1,2\n", True),
    ("t\ty\r\n1\t2.5\r\n", True),
    ("t;y\n1;2", True),
    ("y\n1\n2\n", True),
    ("Epoch 1, Loss 505.6\nParams: [191.8, 1.0]\n", False),
    ("Measured on Monday.\nThe probe was cold.\n", False),
    ("one line", False),
    ("", False),
])  # fmt: skip
def test_text_is_listed_where_it_begins_as_a_table(text, is_listed, own_directory):
    (own_directory / "some.txt").write_text(text)
    (own_directory / "some.txt.gz").write_bytes(gzip.compress(text.encode()))
    wanted = "there are 'some.txt', 'some.txt.gz'" if is_listed else "the folder holds no table"
    with pytest.raises(InputError, match=wanted):
        table_files("elsewhere.parquet")


@pytest.mark.usefixtures("folder")
def test_one_file_is_asked_for_by_the_name_of_its_option():
    assert table_file("notes.txt", "predictions.at") == "notes.txt"
    with pytest.raises(InputError, match=r"^predictions\.at: there is no file notes\.csv; did you mean 'notes\.txt'"):
        table_file("notes.csv", "predictions.at")
    with pytest.raises(InputError, match=r"^predictions\.at: \d files match \*\.csv; give one of them"):
        table_file("*.csv", "predictions.at")


def test_a_pipe_is_refused_rather_than_waited_for():
    os.mkfifo("pipe.csv")
    with pytest.raises(InputError, match="not a regular file"):
        table_files("pipe.csv")


def row(number: int) -> str:
    return f"row {number}"


def test_rows_that_lack_a_value_are_dropped_and_counted_for_each_column():
    values = np.array([[1.0, np.nan, np.inf, 4.0, np.nan], [1.0, 2.0, -np.inf, 4.0, 5.0]])
    table = complete_rows("f", ColumnRequest(("x", "y"), drop_missing=True), values, row)
    assert table.values.tolist() == [[1.0, 4.0], [1.0, 4.0]]
    assert (table.n_read, table.n_dropped, table.missing) == (5, 3, {"x": 3, "y": 1})


def test_the_first_wrong_row_is_named_before_the_first_wrong_column():
    values = np.array([[1.0, 2.0, np.nan], [1.0, np.inf, 3.0]])
    with pytest.raises(InputError, match=r"^f: row 1, column 'y': the value is inf; .*take it out of the table$"):
        complete_rows("f", ColumnRequest(("x", "y")), values, row)
    with pytest.raises(InputError, match="missing: drop"):
        complete_rows("f", ColumnRequest(("x", "y"), may_drop=True), values, row)


@pytest.mark.parametrize("sigma", [0.0, -0.0, -1.5])
def test_a_sigma_that_is_not_above_0_is_named_by_the_row_it_had_before_rows_were_dropped(sigma):
    values = np.array([[np.nan, 2.0, 3.0], [-1.0, 1.0, sigma]])
    with pytest.raises(InputError, match=r"row 2, column 's': a standard deviation .* above 0"):
        complete_rows("f", ColumnRequest(("x", "s"), "s", drop_missing=True), values, row)


@pytest.mark.parametrize(
    ("value", "complaint"), [(1e39, "too large for float32"), (1e-50, "too small for float32")], ids=["large", "small"]
)
def test_a_value_beyond_the_precision_is_refused_in_that_precision_only(value, complaint):
    values = np.array([[1.0, value]])
    assert complete_rows("f", ColumnRequest(("s",), "s"), values, row).n_dropped == 0
    with pytest.raises(InputError, match=f"row 1, column 's'.*{complaint}; give dtype: float64"):
        complete_rows("f", ColumnRequest(("s",), "s", dtype=torch.float32), values, row)
