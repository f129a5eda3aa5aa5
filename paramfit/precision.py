"""Names of the floating-point precisions, as configurations spell them."""

import torch

from paramfit.errors import InputError

__all__ = ["dtype_named"]

_PRECISIONS = {"float32": torch.float32, "float64": torch.float64}


def dtype_named(name: str | torch.dtype) -> torch.dtype:
    """The torch dtype called ``name``.

    Args:
        name: ``"float32"`` or ``"float64"`` (or the torch dtype itself).

    Raises:
        InputError: for any other name; estimates in half precision would mean nothing.

    Example:
        >>> dtype_named("float64")
        torch.float64
    """
    dtype = name if isinstance(name, torch.dtype) else _PRECISIONS.get(name)
    if dtype not in _PRECISIONS.values() or dtype is None:
        msg = f"dtype: expected one of {', '.join(_PRECISIONS)}, but got {name!r}"
        raise InputError(msg)
    return dtype
