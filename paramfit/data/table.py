"""Observations from the user's own table."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch

from paramfit.data.base import EstimationDataModule
from paramfit.data.censored_rows import censored
from paramfit.data.columns import Columns, Labels
from paramfit.data.files.checks import CensoredColumns, ColumnRequest, TableColumns
from paramfit.data.files.patterns import table_files
from paramfit.data.files.reader import read_table
from paramfit.data.held_out_words import VALIDATES
from paramfit.data.normalization import Normalization
from paramfit.data.split import check_row_numbers
from paramfit.errors import InputError
from paramfit.observations import Observations
from paramfit.parameters import dtype_named
from paramfit.shown.text import say
from paramfit.wording import printable, quoted

__all__ = ["TableDataModule"]

_ROLES = {"inputs": "an input", "upper": "that of upper ends", "validation_column": "that of parts"}


class TableDataModule(EstimationDataModule):
    """Columns of CSV or Parquet files, by name.

    A text file (``.csv``, ``.tsv``, ``.txt``, each also with ``.gz``) is UTF-8; its first line holds the names. Cells
    are separated by commas, or by semicolons or tabs where the header holds no comma, and may be quoted; the decimal
    sign is a point. A cell that is empty, ``NA`` or ``NaN`` is a missing value. ``.parquet`` and ``.pq`` are Parquet
    files. Columns that are not named are not looked at.

    Args:
        path: a file, a glob such as ``data/**/*.csv``, or a list of them. The rows follow one another in the order of
            the files (those of a glob sorted by name); each file has all the columns.
        inputs: names of the input columns, in the order in which the model takes them; none for a plain sample.
        target: name of the column that was measured.
        sigma: name of the column with the standard deviation of each target, where it is known.
        sigma_is: ``absolute`` where sigma is in the unit of the target, ``relative`` where only the ratios of the
            sigmas count and their common scale is estimated from the residuals.
        censoring: name of the column that says in words what is known of each value: ``none`` or ``observed`` (or
            nothing): the target is the value; ``left``: it is at most the target; ``right``: it is above the target, as
            the lifetime of what still works; ``interval``: it is above the target and at most the upper end. For
            maximum likelihood.
        upper: name of the column with the upper ends of intervals; in other rows it is not looked at. Where it is
            ``inf``, or the lower end ``-inf``, the interval is censored on one side.
        missing: ``error`` refuses a row without a finite value in one of the columns, ``drop`` leaves it out and says
            so.
        validation_fraction: share of the rows held out for validation, in [0, 1); a warning says where that is no row.
        validation_rows: the rows held out instead, by their numbers from 0: ``[1, 9]``. Rows count as they stand in the
            files, those that ``missing: drop`` leaves out included; one of these cannot be held out.
        normalization: ``none``, ``FixedScale`` or ``Standardize``: what is done to every input column. A formula or a
            function is meant in the columns' own units, and refuses it.
        batch_size: rows in a training batch; all where it is not given.
        shuffle: whether mini-batches are drawn in a new order each epoch.
        seed: seed of the split and of the order.
        dtype: precision; the numbers are read in float64 and rounded.
        validation_column: name of the column that says in words which rows ``train`` and which are held out for
            ``validation``, instead of fraction or row numbers.
        validation_indices: the older name of ``validation_rows``.

    Raises:
        InputError: for an option outside its range, or a column with two roles; by ``read()``, naming file, column and
            row, for a file or a column that is not there and for a value that is no finite number.
    """

    def __init__(
        self,
        path: str | list[str],
        inputs: list[str],
        target: str,
        sigma: str | None = None,
        sigma_is: str = "absolute",
        censoring: str | None = None,
        upper: str | None = None,
        missing: str = "error",
        validation_fraction: float = 0.0,
        validation_rows: Sequence[int] | None = None,
        normalization: Normalization | Literal["none"] = "none",
        batch_size: int | None = None,
        shuffle: bool = False,
        seed: int = 0,
        dtype: str = "float64",
        validation_column: str | None = None,
        validation_indices: Sequence[int] | None = None,
    ) -> None:
        super().__init__(
            validation_fraction,
            validation_rows,
            normalization,
            batch_size,
            shuffle=shuffle,
            seed=seed,
            validation_indices=validation_indices,
        )
        if validation_column is not None and (validation_fraction or self.validation_rows is not None):
            raise InputError("validation_column says which rows are held out: leave out fraction and row numbers")
        _one_of("sigma_is", sigma_is, ("absolute", "relative"))
        if sigma is None and sigma_is != "absolute":
            raise InputError("sigma_is: relative is how sigma is meant, but there is none; name its column by sigma")
        _one_of("missing", missing, ("error", "drop"))
        self.path = path
        self.sigma_is = sigma_is
        self.missing = missing
        self.dtype = dtype_named(dtype)
        self._columns = Columns(_input_names(inputs), target.strip(), None if sigma is None else sigma.strip())
        self._censored = None
        if censoring is not None:
            ends = None if upper is None else upper.strip()
            self._censored = CensoredColumns(censoring.strip(), self._columns.target, ends)
        self._part = None if validation_column is None else validation_column.strip()
        self._held_out: list[int] | None = None
        self._names = _each_once(self._columns, self._censored, self._part)
        if upper is not None and censoring is None:
            msg = "upper: upper ends belong to intervals; name the column that says which rows are some by censoring"
            raise InputError(msg)

    @property
    def columns(self) -> Columns:
        """The names that were asked for."""
        return self._columns

    @property
    def absolute_sigma(self) -> bool:
        """Whether sigma is in the unit of the target."""
        return self.sigma_is == "absolute"

    @property
    def labels(self) -> Labels:
        """The axes are called as the columns are."""
        inputs, target, _ = self._columns
        return Labels(inputs[0], target) if inputs else Labels(target, "density")

    def rows_held_out(self) -> Sequence[int] | None:
        """The rows that the column of parts holds out, or those given, by their numbers among the rows that stay."""
        return super().rows_held_out() if self._held_out is None else self._held_out

    def read(self) -> Observations:
        """All rows of all files; prints how many were dropped, if any were."""
        inputs, target, sigma = self._columns
        names, bounds = self._names, self._censored
        request = ColumnRequest(
            names, sigma, bounds, self._part, drop_missing=self.missing == "drop", may_drop=True, dtype=self.dtype
        )
        files = table_files(self.path)
        tables = [read_table(file, request) for file in files]
        source = printable(files[0]) if len(files) == 1 else f"{len(files)} files"
        dropped = _dropped(source, names, tables)
        if dropped:
            say(dropped)
        values = torch.from_numpy(np.concatenate([table.values for table in tables], axis=1)).to(self.dtype)
        if values.shape[1] == 0:
            msg = f"{source}: no row is left, since each lacks a value; mend the table, or name other columns"
            raise InputError(msg)
        if self.validation_rows is not None and dropped:
            self._held_out = _among_kept(self.validation_rows, tables)
        # Each is contiguous, and not a view of all of them.
        columns = {name: column.clone() for name, column in zip(names, values, strict=True)}
        if self._part is not None:
            self._held_out = (columns[self._part] == VALIDATES).nonzero().flatten().tolist()
            if len(self._held_out) == values.shape[1]:
                msg = f"validation_column: all {values.shape[1]} rows validate, none is left for training"
                raise InputError(msg)
        return Observations(
            tuple(columns[name] for name in inputs),
            columns[target],
            None if sigma is None else columns[sigma],
            None if bounds is None else censored(columns[bounds.status], columns.get(bounds.upper or "")),
        )


def _input_names(inputs: Any) -> tuple[str, ...]:
    """The names, where they are a list of names: a text would be taken letter by letter."""
    if not isinstance(inputs, list | tuple) or not all(isinstance(name, str) for name in inputs):
        raise InputError(f"inputs: expected a list of column names, but got {inputs!r}")
    return tuple(name.strip() for name in inputs)


def _one_of(option: str, given: str, allowed: tuple[str, ...]) -> None:
    if given not in allowed:
        raise InputError(f"{option}: expected {' or '.join(allowed)}, but got {given!r}")


def _each_once(columns: Columns, bounds: CensoredColumns | None, part: str | None) -> tuple[str, ...]:
    """The names of all columns; none has two roles."""
    roles: dict[str, str] = {}
    named = [*((name, "inputs") for name in columns.inputs), (columns.target, "target"), (columns.sigma, "sigma")]
    if bounds is not None:
        named += [(bounds.status, "censoring"), (bounds.upper, "upper")]
    named.append((part, "validation_column"))
    for name, role in named:
        if name is None:
            continue
        if name in roles:
            raise InputError(f"{role}: the column {quoted(name)} is {roles[name]} already; a column has one role")
        roles[name] = _ROLES.get(role, f"the {role}")
    return tuple(roles)


def _among_kept(rows: Sequence[int], tables: Sequence[TableColumns]) -> list[int]:
    """The numbers, among the rows that stay, of rows numbered as they stand in the files.

    Raises:
        InputError: for a row that is not there, that is given twice, or that was dropped.
    """
    check_row_numbers(sum(table.n_read for table in tables), rows)
    begins = np.cumsum([0, *(table.n_read for table in tables[:-1])])
    kept = np.concatenate([begin + table.rows for begin, table in zip(begins, tables, strict=True)])
    numbers = {row: number for number, row in enumerate(kept.tolist())}
    for row in rows:
        if row not in numbers:
            raise InputError(f"validation_rows: row {row} was dropped, since a value is missing in it; leave it out")
    return [numbers[row] for row in rows]


def _dropped(source: str, names: Sequence[str], tables: Sequence[TableColumns]) -> str | None:
    """How many rows were dropped, and for which columns; None where none was."""
    dropped = sum(table.n_dropped for table in tables)
    if not dropped:
        return None
    counts = {name: sum(table.missing.get(name, 0) for table in tables) for name in names}
    lacking = ", ".join(f"{printable(name)} ({count})" for name, count in counts.items() if count)
    read = sum(table.n_read for table in tables)
    return f"{source}: {dropped} of {read} rows dropped, since a value is missing in {lacking}"
