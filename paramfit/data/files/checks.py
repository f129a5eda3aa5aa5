"""What the columns of a table have to be, whatever the format of the file."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from paramfit.data.censored_rows import WORDS_OF_CENSORING, Bounds, complaint_about_no_ends, one_sided
from paramfit.data.column_words import ColumnWords
from paramfit.data.held_out_words import WORDS_OF_PARTS
from paramfit.distributions import Censoring
from paramfit.errors import InputError
from paramfit.wording import nearest_names, printable, quoted

__all__ = ["CensoredColumns", "ColumnRequest", "MissingColumn", "TableColumns", "complete_rows", "positions_of"]


class MissingColumn(InputError):
    """A table without a column of the name that was asked for."""


class CensoredColumns(NamedTuple):
    """The columns that make observations censored ones.

    Attributes:
        status: the one that says what a target is, in words.
        target: the values, or bounds.
        upper: the upper ends of intervals.
    """

    status: str
    target: str
    upper: str | None = None


@dataclass(frozen=True)
class ColumnRequest:
    """Which columns of a table are asked for.

    Attributes:
        names: the columns, each once.
        sigma: the one among them that holds standard deviations, which are above 0.
        censoring: those among them that make observations censored ones.
        part: the one among them that says which rows train and which validate.
        drop_missing: whether rows without a finite value are left out; they are refused otherwise.
        may_drop: whether the user could ask for that, by ``missing: drop``.
        dtype: the precision that the values have to fit into.
    """

    names: tuple[str, ...]
    sigma: str | None = None
    censoring: CensoredColumns | None = None
    part: str | None = None
    drop_missing: bool = False
    may_drop: bool = False
    dtype: torch.dtype = torch.float64

    @property
    def words(self) -> dict[str, ColumnWords]:
        """The columns that hold words instead of numbers, and which."""
        words = {} if self.censoring is None else {self.censoring.status: WORDS_OF_CENSORING}
        return words if self.part is None else {**words, self.part: WORDS_OF_PARTS}


@dataclass(frozen=True)
class TableColumns:
    """Columns as they were read.

    Attributes:
        values: one row of this array for each column asked for, ``(columns, rows)``, float64, all finite. Words are
            numbers of ``Censoring`` or 1 for a row that validates and 0 for one that trains, and an upper end where
            there is no interval is 0.
        n_read: rows in the file, those dropped included.
        rows: numbers of the rows that stay, from 0, ``(rows,)``.
        missing: for each column, in how many rows a value was missing, where rows were dropped.
    """

    values: NDArray[np.float64]
    n_read: int
    rows: NDArray[np.intp]
    missing: dict[str, int] = field(default_factory=dict)

    @property
    def n_dropped(self) -> int:
        """How many rows were left out."""
        return self.n_read - int(self.values.shape[1])


def positions_of(path: str, names: Sequence[str], header: Sequence[str], where: str = "") -> list[int]:
    """At which place of the header each name stands; spaces around a name do not count.

    Raises:
        MissingColumn: for a name that is not there.
        InputError: for one that is there more than once.
    """
    stripped = [cell.strip() for cell in header]
    for name in names:
        times = stripped.count(name.strip())
        if times == 0:
            msg = f"{printable(path)}: there is no column {quoted(name)}{where}; {nearest_names(name, stripped)}"
            raise MissingColumn(msg)
        if times > 1:
            msg = f"{printable(path)}: {times} columns{where} are called {quoted(name)}; give each a name of its own"
            raise InputError(msg)
    return [stripped.index(name.strip()) for name in names]


def complete_rows(
    path: str, request: ColumnRequest, values: NDArray[np.float64], place: Callable[[int], str]
) -> TableColumns:
    """The rows that have a usable value in every column, of ``values`` ``(columns, rows)``.

    NaN is a missing value, and words are numbers of ``Censoring``; ``place`` tells where the user finds a row, such as
    ``line 7``, by its number from 0.

    Raises:
        InputError: naming file, row and column, for a value that is missing, infinite or beyond the precision, for a
            standard deviation that is not above 0, and for an interval without room.
    """
    n_read = int(values.shape[1])
    if n_read == 0:
        raise InputError(f"{printable(path)}: there is a header, but no row below it")
    rows, missing = np.arange(n_read), {}
    values = _with_bounds(request, values)
    unusable = ~np.isfinite(values)
    if request.drop_missing and unusable.any():
        counts = unusable.sum(axis=1).tolist()
        missing = {name: count for name, count in zip(request.names, counts, strict=True) if count}
        rows = np.flatnonzero(~unusable.any(axis=0))
        values, unusable = values[:, rows], unusable[:, rows]

    def refuse(wrong: NDArray[np.bool_], reason: Callable[[float], str]) -> None:
        if not wrong.any():
            return
        row = int(wrong.any(axis=0).argmax())
        column = int(wrong[:, row].argmax())
        complaint = reason(float(values[column, row]))
        msg = f"{printable(path)}: {place(int(rows[row]))}, column {quoted(request.names[column])}: {complaint}"
        raise InputError(msg)

    if request.censoring is not None and request.censoring.upper is not None:
        lower = np.array([[name == request.censoring.target] for name in request.names])
        places = [request.names.index(name) for name in request.censoring if name is not None]
        status, low, high = values[places]
        refuse(
            lower & ((status == Censoring.INTERVAL) & np.isneginf(low) & np.isposinf(high)),
            lambda _: complaint_about_no_ends(),
        )
    cure = "give missing: drop to leave such rows out" if request.may_drop else "take it out of the table"
    refuse(unusable, lambda value: f"{_why_unusable(value)}; mend the row, or {cure}")
    with np.errstate(over="ignore", under="ignore"):
        held = values if request.dtype == torch.float64 else values.astype(np.float32)
    refuse(~np.isfinite(held), lambda value: f"{value:g} is too large for float32; give dtype: float64")
    if request.sigma is not None:
        is_sigma = np.array([[name == request.sigma] for name in request.names])
        refuse(is_sigma & ~(held > 0), _why_no_sigma)
    if request.censoring is not None:
        status, target, upper = request.censoring
        at = {name: held[row] for row, name in enumerate(request.names)}
        # Without a column of upper ends no interval has room.
        without_room = (at[status] == Censoring.INTERVAL) & ~(at[upper or target] > at[target])
        is_end = np.array([[name == (upper or status)] for name in request.names])
        refuse(is_end & without_room, _why_no_interval if upper else _why_no_ends)
    return TableColumns(values, n_read, rows, missing)


def _with_bounds(request: ColumnRequest, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The values with intervals that have one end as what they are, and an upper end of 0 where there is none.

    Whatever stands in that column where there is no interval is not read.
    """
    if request.censoring is None or request.censoring.upper is None:
        return values
    places = [request.names.index(name) for name in request.censoring if name is not None]
    status, target, upper = values[places]
    values = values.copy()
    values[places] = one_sided(Bounds(status, target, np.where(status == Censoring.INTERVAL, upper, 0.0)))
    return values


def _why_no_interval(value: float) -> str:
    return f"the upper end of an interval is above its lower one, the target, but got {value:g}"


def _why_no_ends(value: float) -> str:
    del value
    return "it is an interval, but no column holds the upper ends; name it by upper"


def _why_unusable(value: float) -> str:
    return "the value is missing (empty, NA or NaN)" if np.isnan(value) else f"the value is {value}"


def _why_no_sigma(value: float) -> str:
    if value > 0:
        return f"sigma {value:g} is too small for float32; give dtype: float64"
    return f"a standard deviation (sigma) is above 0, but got {value:g}"
