"""Other inputs than the fitted ones, as Python users give them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from paramfit.errors import InputError

__all__ = ["columns_of"]

_NUMERIC = "biuf"  # numpy's kinds: truth values, signed and unsigned integers, floating-point numbers


def columns_of(inputs: Sequence[Any], sigma: Any = None) -> tuple[tuple[Tensor, ...], Tensor | None]:
    """The columns to predict at, and the noise of new observations there, in float64.

    Args:
        inputs: an array, a tensor, a series or a list ``(n,)``, or one number, for each input column.
        sigma: likewise, or None; one number counts for all rows.

    Raises:
        InputError: naming the one (from 0) that is no row of numbers, or has another length.
    """
    columns = tuple(_column(f"input {place}", given) for place, given in enumerate(inputs))
    spread = None if sigma is None else _column("sigma", sigma)
    n = len(columns[0]) if columns else None
    for place, column in enumerate(columns):
        if len(column) != n:
            msg = f"predict: input {place} has {len(column)} values, but input 0 has {n}; give one for each row"
            raise InputError(msg)
    if spread is not None and n is not None and len(spread) not in (1, n):
        msg = f"predict: sigma has {len(spread)} values, but the inputs have {n}; give one for each row, or one for all"
        raise InputError(msg)
    return columns, spread


def _column(name: str, given: Any) -> Tensor:
    """One column ``(n,)``."""
    if isinstance(given, Mapping) or hasattr(given, "columns"):
        msg = f"predict: {name} is a table; give its columns one by one, in the fit's order, as predict(table['x'])"
        raise InputError(msg)
    if isinstance(given, Tensor):
        array = given.detach().cpu().double().numpy()
    else:
        try:
            array = np.asarray(given)
            if array.dtype.kind == "O" and array.ndim == 1:  # whole numbers beyond 64 bits, decimals, missing values
                array = array.astype(np.float64)
        except (TypeError, ValueError):
            array = np.empty(0, dtype=object)
    if array.dtype.kind not in _NUMERIC:
        msg = (
            f"predict: {name} is no row of numbers but {type(given).__name__}; give one row (n,) for each input column"
        )
        raise InputError(msg)
    if array.ndim > 1:
        msg = (
            f"predict: {name} has the shape {array.shape}; give one row (n,) for each input column, as predict(x1, x2)"
        )
        raise InputError(msg)
    return torch.from_numpy(array.astype(np.float64).reshape(-1))
