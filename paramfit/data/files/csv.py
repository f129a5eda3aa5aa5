"""Columns of a CSV file."""

import codecs
import csv
import io
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv as arrow_csv

from paramfit.data.column_words import ColumnWords
from paramfit.data.files.checks import ColumnRequest, TableColumns, complete_rows, positions_of
from paramfit.errors import InputError
from paramfit.wording import printable, quoted

__all__ = ["columns_of_csv"]

_MISSING = ("", "NA", "N/A", "n/a", "#N/A", "NULL", "null", "NaN", "nan", "NAN", "-NaN", "-nan")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_INFINITY = re.compile(r"[+-]?inf(?:inity)?", re.IGNORECASE)
_DECIMAL_COMMA = re.compile(r"[+-]?[0-9]+,[0-9]+(?:[eE][+-]?[0-9]+)?")
_THOUSANDS = re.compile(r"[+-]?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]*)?")
_LONGEST_LINE = 8 << 20  # bytes: a hundred thousand columns have room
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def columns_of_csv(path: str, content: bytes, request: ColumnRequest, separators: str = ",") -> TableColumns:
    """Read columns by name from the bytes of a CSV file: UTF-8, with or without a byte order mark.

    The first line that is not blank holds the names; blank lines are skipped. The first of ``separators`` that the
    header holds stands between cells. pyarrow reads the cells; only where it cannot does a slower reader of ours go
    through the lines, to say which one is wrong (or that none is).

    Raises:
        InputError: naming file, line and column, for whatever cannot be read.
    """
    if content.startswith(_UTF16):
        raise InputError(f"{printable(path)}: the text is UTF-16; save it as UTF-8")
    _refuse_endless_line(path, content)
    content, blank = _from_first_line(content)
    header, skipped, separator = _header(path, content, separators)
    try:
        places = positions_of(path, request.names, header, " in the header")
    except InputError as error:
        if not any("\udc80" <= character <= "\udcff" for character in "".join(header)):
            raise  # all of it was UTF-8
        raise type(error)(f"{error} (the header is not UTF-8: save the file as UTF-8)") from None
    words = [request.words.get(name) for name in request.names]
    values = _quick(content, separator, len(header), skipped, places, words)
    if values is None:
        values = _careful(path, content, separator, request, places, blank)

    def place(row: int) -> str:
        line, _ = next(islice(_records(path, content, separator, blank), row + 1, None))
        return f"line {line}"

    return complete_rows(path, request, values, place)


def _refuse_endless_line(path: str, content: bytes) -> None:
    """Refuse a line of which no table has the like, in a few looks from far apart."""
    start = 0
    while len(content) - start > _LONGEST_LINE:
        end = start + _LONGEST_LINE
        last = max(content.rfind(b"\n", start, end), content.rfind(b"\r", start, end))
        if last < 0:
            line = _count_of_lines(content[:start]) + 1
            most = f"{_LONGEST_LINE >> 20} MiB"
            raise InputError(
                f"{printable(path)}: line {line} is longer than {most}; a table has one row a line, its cells separated"
                " by commas"
            )
        start = last + 1


def _count_of_lines(content: bytes) -> int:
    return content.count(b"\n") + content.count(b"\r") - content.count(b"\r\n")


def _from_first_line(content: bytes) -> tuple[bytes, int]:
    """The content without the blank lines that it begins with, and how many these are."""
    marked = content.removeprefix(codecs.BOM_UTF8)
    stripped = marked.lstrip(b"\r\n")
    return stripped, _count_of_lines(marked[: len(marked) - len(stripped)])


def _header(path: str, content: bytes, separators: str) -> tuple[list[str], int, str]:
    """The cells of the header, the lines down to its end, and what separates them."""
    text = _lines_of(content)
    first = re.sub('"[^"]*"', "", next((line for line in text if line.strip("\r\n")), ""))
    separator = next((candidate for candidate in separators if candidate in first), separators[0])
    reader = csv.reader(_lines_of(content), delimiter=separator, strict=True)
    try:
        header = next((cells for cells in reader if cells), None)
    except csv.Error as error:
        raise InputError(f"{printable(path)}: the header cannot be read ({error})") from None
    if header is None:
        raise InputError(f"{printable(path)}: the file is empty; its first line has to hold the names of the columns")
    return header, reader.line_num, separator


def _lines_of(content: bytes) -> io.TextIOWrapper:
    """The text; bytes that are not UTF-8 stay, for they do not matter in a column that nobody asked for."""
    return io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig", errors="surrogateescape", newline="")


def _quick(
    content: bytes, separator: str, n_cells: int, skipped: int, places: list[int], words: list[ColumnWords | None]
) -> NDArray[np.float64] | None:
    """The columns by pyarrow, some of them of words; None where it finds a cell or a line that it cannot read."""
    if content.count(b'"') % 2:
        return None  # pyarrow lets a quote that is never closed swallow the rest of the file
    inside = b"[^" + re.escape(separator.encode()) + rb"\r\n]"
    if re.search(b'"(?<=' + inside + b'")' + inside, content):
        return None  # and reads on behind a closing quote
    names = [str(number) for number in range(n_cells)]
    used = [names[place] for place in places]
    types = {
        name: pa.float64() if of_words is None else pa.string() for name, of_words in zip(used, words, strict=True)
    }
    try:
        table = arrow_csv.read_csv(
            io.BytesIO(content),
            arrow_csv.ReadOptions(column_names=names, skip_rows=skipped),
            arrow_csv.ParseOptions(delimiter=separator, newlines_in_values=True),
            arrow_csv.ConvertOptions(include_columns=used, column_types=types, null_values=list(_MISSING)),
        )
    except pa.ArrowException:
        return None
    columns = [
        _numbers(table.column(name)) if of_words is None else _meanings(table.column(name), of_words)
        for name, of_words in zip(used, words, strict=True)
    ]
    readable = [column for column in columns if column is not None]
    return np.stack(readable) if len(readable) == len(columns) else None


def _careful(
    path: str, content: bytes, separator: str, request: ColumnRequest, places: list[int], blank: int
) -> NDArray[np.float64]:
    """The columns line by line, below ``blank`` ones; refuses the first line that cannot be read."""
    records = _records(path, content, separator, blank)
    _, header = next(records)
    rows: list[list[float]] = []
    for line, cells in records:
        if len(cells) != len(header):
            counts = f"{len(cells)}, not {len(header)}"
            raise InputError(f"{printable(path)}: line {line} differs from the header in its number of cells: {counts}")
        numbers = []
        for name, place in zip(request.names, places, strict=True):
            cell = cells[place].strip()
            words = request.words.get(name)
            number = _number(cell) if words is None else words.number_of(cell)
            if number is None:
                complaint = _complaint(cells[place]) if words is None else words.complaint(cell)
                raise InputError(f"{printable(path)}: line {line}, column {quoted(name)}: {complaint}")
            numbers.append(number)
        rows.append(numbers)
    return np.array(rows, dtype=np.float64).reshape(-1, len(places)).T


def _records(path: str, content: bytes, separator: str, blank: int) -> Iterator[tuple[int, list[str]]]:
    """The header and the rows, below ``blank`` lines, each with the line where it begins; blank ones are left out."""
    reader = csv.reader(_lines_of(content), delimiter=separator, strict=True)
    line = blank + 1
    try:
        for cells in reader:
            if cells:
                yield line, cells
            line = blank + reader.line_num + 1
    except csv.Error as error:
        msg = f"{printable(path)}: line {line} cannot be read ({error}); look for a quote that is not closed"
        raise InputError(msg) from None


def _numbers(column: Any) -> NDArray[np.float64] | None:
    """The numbers of an arrow column, NaN for a null; None where a cell is NaN to arrow alone, as ``nan(1)`` is."""
    numbers: NDArray[np.float64] = column.to_numpy()
    return numbers if np.count_nonzero(np.isnan(numbers)) == column.null_count else None


def _meanings(column: Any, words: ColumnWords) -> NDArray[np.float64] | None:
    """The numbers that an arrow column's words mean; None where one of them is no such word."""
    encoded = column.combine_chunks().dictionary_encode()
    numbers = [words.number_of(word) for word in encoded.dictionary.to_pylist()]
    if None in numbers:
        return None
    meanings: NDArray[np.float64] = np.array(numbers, dtype=np.float64)[encoded.indices.to_numpy()]
    return meanings


def _number(cell: str) -> float | None:
    """What a cell without surrounding spaces says; NaN where it says nothing, None where it is no number."""
    if _NUMBER.fullmatch(cell) or _INFINITY.fullmatch(cell):
        return float(cell)
    return np.nan if cell in _MISSING else None


def _complaint(cell: str) -> str:
    return f"expected a number, but got {quoted(cell)}{_what_the_comma_means(cell.strip())}"


def _what_the_comma_means(cell: str) -> str:
    """How to write a number without its comma; which may be either, where three digits follow it."""
    without, point = quoted(cell.replace(",", "")), quoted(cell.replace(",", "."))
    if _THOUSANDS.fullmatch(cell):
        either = f", or {point} if it is the decimal point" if _DECIMAL_COMMA.fullmatch(cell) else ""
        return f"; write {without} if the comma separates thousands{either}"
    return "; write the decimal point as '.'" if _DECIMAL_COMMA.fullmatch(cell) else ""
