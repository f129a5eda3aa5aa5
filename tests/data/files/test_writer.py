"""Tables as files."""

import csv
from pathlib import Path
from typing import BinaryIO

import hypothesis.extra.numpy as arrays
import numpy as np
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paramfit.data.files import writer as table_writer
from paramfit.data.files.checks import ColumnRequest
from paramfit.data.files.reader import read_table
from paramfit.data.files.writer import write_table
from paramfit.errors import InputError

COLUMNS = {
    "row": np.arange(3),
    'x, in "mm"': np.array([0.1, 1 / 3, -2e-308]),
    "part": np.array(["val", "train", "val"]),
}


def read(path: Path) -> dict[str, list[float | str]]:
    if path.suffix == ".parquet":
        return pyarrow.parquet.read_table(path).to_pydict()
    with path.open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    cells = dict(zip(header, zip(*rows, strict=True), strict=True))
    return {
        name: list(column) if name == "part" else [float(cell) for cell in column] for name, column in cells.items()
    }


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_table_reads_back_with_names_order_and_values(suffix):
    path = write_table(COLUMNS, Path("new") / f"table.{suffix}")
    assert path == Path("new") / f"table.{suffix}"
    assert list(read(path).items()) == [(name, column.tolist()) for name, column in COLUMNS.items()]


@pytest.fixture(scope="module")
def one_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for all examples of a property."""
    return tmp_path_factory.mktemp("tables")


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@settings(max_examples=60, deadline=None)
@given(values=arrays.arrays(np.float64, st.integers(1, 20)))
def test_every_float64_reads_back_exactly(one_folder, suffix, values):
    table = read(write_table({"x": values}, one_folder / f"table.{suffix}"))["x"]
    assert np.array_equal(np.array(table, dtype=np.float64), values, equal_nan=True)
    assert np.array_equal(np.signbit(np.array(table))[~np.isnan(values)], np.signbit(values)[~np.isnan(values)])


def test_file_that_is_there_is_kept():
    Path("table.csv").write_text("precious", encoding="utf-8")
    assert [write_table(COLUMNS, Path("table.csv")).name for _ in range(2)] == ["table_1.csv", "table_2.csv"]
    assert Path("table.csv").read_text(encoding="utf-8") == "precious"


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_interrupted_writing_leaves_nothing(suffix, monkeypatch):
    whole = table_writer.FORMATS[suffix]

    def crash_in_the_middle(table: pyarrow.Table, file: BinaryIO) -> None:
        whole(table, file)
        raise OSError("no space left")

    Path("folder").mkdir()
    monkeypatch.setattr(table_writer, "FORMATS", {suffix: crash_in_the_middle})
    with pytest.raises(OSError, match="no space left"):
        write_table(COLUMNS, Path("folder") / f"table.{suffix}")
    assert list(Path("folder").iterdir()) == []


def test_a_damaged_page_of_a_written_table_is_refused():
    values = np.random.default_rng(0).normal(size=100)  # which cannot be compressed
    path = write_table({"x": values}, Path("table.parquet"))
    content = bytearray(path.read_bytes())
    content[content.index(values[50].tobytes()) + 6] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"this is not a readable Parquet file .*CRC"):
        read_table(str(path), ColumnRequest(("x",)))
