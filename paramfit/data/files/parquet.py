"""Columns of a Parquet file."""

from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import compute, parquet

from paramfit.data.column_words import numbers_of_words
from paramfit.data.files.checks import ColumnRequest, TableColumns, complete_rows, positions_of
from paramfit.errors import InputError
from paramfit.wording import printable, quoted

__all__ = ["columns_of_parquet"]


def columns_of_parquet(path: str, content: bytes, request: ColumnRequest) -> TableColumns:
    """Read columns by name from the bytes of a Parquet file.

    Integers, floating-point numbers and decimals are numbers; a null is a missing value. Rows count from 0. Where the
    file has checksums of its pages, they are looked at.

    Raises:
        InputError: naming file, row and column, for whatever cannot be read.
    """
    try:
        file = parquet.ParquetFile(pa.BufferReader(content), page_checksum_verification=True)
        header = file.schema_arrow.names
    except Exception as error:  # a damaged file raises a dozen kinds
        raise _damaged(path, error) from None
    places = positions_of(path, request.names, header)
    for name, place in zip(request.names, places, strict=True):
        kind = file.schema_arrow.field(place).type
        words = request.words.get(name)
        if words is not None:
            if not _holds_words(kind):
                raise InputError(f"{printable(path)}: column {quoted(name)} holds {kind}, not words: {words.listed}")
        elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
            msg = f"{printable(path)}: column {quoted(name)} holds {kind}, not numbers; convert it before the fit"
            raise InputError(msg)
    try:
        table = file.read(columns=[header[place] for place in places])
        columns: list[Any] = [
            table.column(header[place]).to_pylist() if name in request.words else _float64(table.column(header[place]))
            for name, place in zip(request.names, places, strict=True)
        ]
    except Exception as error:
        raise _damaged(path, error) from None
    for where, name in enumerate(request.names):
        if name in request.words:
            columns[where] = numbers_of_words(columns[where], request.words[name], partial(_cell, path, name))
    return complete_rows(path, request, np.stack(columns), lambda row: f"row {row}")


def _cell(path: str, name: str, row: int) -> str:
    return f"{printable(path)}: row {row}, column {quoted(name)}"


def _holds_words(kind: pa.DataType) -> bool:
    inner = kind.value_type if pa.types.is_dictionary(kind) else kind
    return pa.types.is_string(inner) or pa.types.is_large_string(inner) or pa.types.is_null(inner)


def _float64(column: Any) -> NDArray[np.float64]:
    """The column as numbers, each the nearest float64; NaN for a null."""
    if pa.types.is_decimal(column.type):
        column = compute.cast(column, pa.string())  # arrow's own way from decimal to float64 rounds twice
    numbers: NDArray[np.float64] = compute.cast(column, pa.float64(), safe=False).to_numpy()
    return numbers


def _damaged(path: str, error: Exception) -> InputError:
    reason = " ".join(str(error).split()) or type(error).__name__
    return InputError(f"{printable(path)}: this is not a readable Parquet file ({quoted(reason)})")
