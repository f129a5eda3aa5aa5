"""Named columns of a table file, checked."""

import gzip
import os
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

from paramfit.data.files.checks import ColumnRequest, TableColumns
from paramfit.data.files.csv import columns_of_csv
from paramfit.data.files.parquet import columns_of_parquet
from paramfit.errors import InputError
from paramfit.wording import printable

__all__ = ["is_table", "read_table"]


_SEPARATORS_OF_TEXT = "\t;,"

# What may separate the cells of a text file, the likeliest first.
_READERS: dict[str, Callable[[str, bytes, ColumnRequest], TableColumns]] = {
    ".csv": partial(columns_of_csv, separators=",;\t"),
    ".tsv": partial(columns_of_csv, separators="\t"),
    ".txt": partial(columns_of_csv, separators=_SEPARATORS_OF_TEXT),
    ".parquet": columns_of_parquet,
    ".pq": columns_of_parquet,
}
_COMPRESSED = ".gz"
_ALWAYS_UNPACKED = 64 << 20  # bytes, however small the file is
_MOST_TIMES = 100  # tables of numbers unpack to 2 to 20 times their size; gzip's most is 1030
_AT_ONCE = 1 << 20  # bytes


def is_table(path: str) -> bool:
    """Whether a file can be read as a table: by its name or, where that says text alone, by its first lines.

    Example:
        >>> [is_table(name) for name in ("a.csv", "a.CSV.gz", "a.parquet", "a.parquet.gz", "a.py")]
        [True, True, True, False, False]
    """
    reader, compressed = _reader(path)
    return reader is not None and (reader is not _READERS[".txt"] or _begins_as_table(path, compressed=compressed))


def _begins_as_table(path: str, *, compressed: bool) -> bool:
    """Whether the first two lines have as many cells, and the second a number; a log or a note has none of it."""
    try:
        with gzip.open(path) if compressed else open(path, "rb") as file:
            first, *others = file.read(_AT_ONCE).decode(errors="replace").split("\n")
    except (OSError, EOFError, zlib.error):
        return False
    row = others[0] if others else ""
    separator = next((each for each in _SEPARATORS_OF_TEXT if each in first), _SEPARATORS_OF_TEXT[0])
    cells = row.split(separator)
    return len(first.split(separator)) == len(cells) and any(map(_is_number, cells))


def _is_number(cell: str) -> bool:
    try:
        float(cell.strip('" \r'))
    except ValueError:
        return False
    return True


def _reader(path: str) -> tuple[Callable[[str, bytes, ColumnRequest], TableColumns] | None, bool]:
    """What reads a file of this name, and whether it is compressed."""
    stem, suffix = os.path.splitext(path)
    compressed = suffix.lower() == _COMPRESSED
    reader = _READERS.get((os.path.splitext(stem)[1] if compressed else suffix).lower())
    return (None if compressed and reader is columns_of_parquet else reader), compressed


def _unpacked(path: str) -> bytes:
    """The content of a compressed file; refused as soon as it is more than any table of this size unpacks to."""
    most = max(_ALWAYS_UNPACKED, _MOST_TIMES * os.path.getsize(path))
    pieces, total = [], 0
    with gzip.open(path) as file:
        while piece := file.read(_AT_ONCE):
            pieces.append(piece)
            total += len(piece)
            if total > most:
                raise InputError(
                    f"{printable(path)}: it unpacks to more than {_MOST_TIMES} times its size, as no table does; unpack"
                    " it and look what is in it"
                )
    return b"".join(pieces)


def read_table(path: str, request: ColumnRequest) -> TableColumns:
    """Read the columns asked for, and no others, from a file.

    The suffix says the format: ``.csv``, ``.tsv`` and ``.txt`` (UTF-8 text with a header, cells separated by comma,
    semicolon or tab; also compressed, ``.csv.gz``), ``.parquet`` and ``.pq``.

    Raises:
        InputError: naming file, column and row (the line of a text file, the row from 0 of a Parquet file), for
            whatever cannot be read or used.
    """
    reader, compressed = _reader(path)
    if reader is None:
        stem, suffix = os.path.splitext(path)
        kind = f"{os.path.splitext(stem)[1] if compressed else ''}{suffix}" or "no suffix"
        msg = f"{printable(path)}: a table is one of {', '.join(_READERS)} (text also with .gz), but this has {kind}"
        raise InputError(msg)
    try:
        content = _unpacked(path) if compressed else Path(path).read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        number = getattr(error, "errno", None)
        reason = "it is no gzip file, or a damaged one" if number is None else os.strerror(number)
        raise InputError(f"{printable(path)}: the file cannot be read ({reason})") from None
    return reader(path, content, request)
