"""A table of numbers as a file, in full precision."""

import csv
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from paramfit.atomic_files import new_file
from paramfit.errors import InputError

__all__ = ["FORMATS", "checked_format", "write_table"]


def _write_csv(table: pa.Table, file: BinaryIO) -> None:
    """Every number in the fewest digits that read back as the same number; text as it is, so without commas."""
    with open(file.fileno(), "w", newline="", encoding="utf-8", closefd=False) as text:
        csv.writer(text, lineterminator="\n").writerow(table.column_names)  # pyarrow would quote every name
    pa.csv.write_csv(table, file, pa.csv.WriteOptions(include_header=False, quoting_style="none"))


#: What writes each format; its name is the file's suffix.
FORMATS: Mapping[str, Callable[[pa.Table, BinaryIO], None]] = {
    "csv": _write_csv,
    "parquet": partial(pa.parquet.write_table, write_page_checksum=True),  # a damaged page can be refused
}


def checked_format(name: str, given: str) -> str:
    """The format, if it is one that can be written; the message names the option that gave it.

    Raises:
        InputError: if it is not.
    """
    if given not in FORMATS:
        raise InputError(f"{name}: expected {' or '.join(FORMATS)}, but got {given!r}")
    return given


def write_table(columns: Mapping[str, NDArray[Any]], path: Path) -> Path:
    """Write columns of equal length ``(n,)``, whole or not at all, and return where; the suffix says in which format.

    They are numbers, or text without commas and quotes. A file that is there already is kept: the new one is then
    called ``name_1``, and so on.
    """
    table = pa.table({name: pa.array(values) for name, values in columns.items()})
    with new_file(path) as (file, free):
        FORMATS[path.suffix.removeprefix(".")](table, file)
    return free
