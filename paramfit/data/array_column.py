"""One column of numbers out of an array, a tensor, a series or a list."""

from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from paramfit.errors import InputError
from paramfit.wording import quoted

__all__ = ["as_array", "float_column"]

_NUMERIC = "iuf"  # numpy's kinds: signed and unsigned integers, floating-point numbers


def float_column(name: str, values: Any, dtype: torch.dtype, needed: NDArray[np.bool_] | None = None) -> Tensor:
    """A column as a tensor ``(n,)`` on the CPU: copied, every value finite.

    Of an array, a tensor, a series or a list; where not all rows are ``needed`` ``(n,)``, the others are 0.

    Raises:
        InputError: naming the column (and the row, from 0), if it is not a row of finite numbers.
    """
    array = as_array(name, values)
    if array.ndim != 1:
        hint = ""
        if array.ndim == 2 and array.shape[1] > 1:
            hint = "; give it column by column, as (x1, x2, y)"
            if name == "target":
                hint = "; outcomes that are vectors are not supported: the target is one number for each row"
        msg = f"data: {quoted(name)} has the shape {array.shape}, but a column is (n,){hint or '; try .ravel()'}"
        raise InputError(msg)
    if needed is not None and needed.shape == array.shape:
        array = np.where(needed, array, 0.0)
    column = torch.from_numpy(array).to(dtype)
    finite = np.isfinite(array) if dtype == torch.float64 else column.isfinite().numpy()
    if not finite.all():
        row = int(finite.argmin())
        large = " (too large for float32)" if np.isfinite(array[row]) else ""
        raise InputError(f"data: {quoted(name)} is {array[row]:g}{large} in row {row}; leave such rows out")
    return column


def as_array(name: str, values: Any) -> NDArray[np.float64]:
    """A copy in float64; missing values are NaN."""
    if isinstance(values, Tensor):
        detached = values.detach().cpu()
        values = (detached.double() if detached.is_floating_point() else detached).numpy()
    try:
        array = values if isinstance(values, np.ndarray) else np.asarray(values)
    except ValueError:
        raise InputError(f"data: {quoted(name)} is not a row of numbers: its parts have unequal lengths") from None
    if isinstance(array, np.ma.MaskedArray) and array.dtype.kind in _NUMERIC:
        filled: NDArray[np.float64] = np.ma.filled(array.astype(np.float64), np.nan)
        return filled
    if array.dtype.kind == "O" and array.ndim == 1:
        return np.array([_number(name, row, value) for row, value in enumerate(array)], dtype=np.float64)
    if array.dtype.kind not in _NUMERIC:
        raise InputError(f"data: {quoted(name)} holds {array.dtype}, not numbers; convert it before the fit")
    return np.array(array, dtype=np.float64)


def _number(name: str, row: int, value: Any) -> float:
    """One entry of a column of Python objects; pandas marks a missing one by an ``NAType``."""
    if value is None or type(value).__name__ == "NAType":
        return np.nan
    if issubclass(type(value), Real | Decimal) and type(value) is not bool:
        return float(value)
    raise InputError(f"data: {quoted(name)} is {quoted(str(value))} in row {row}; a column holds numbers")
