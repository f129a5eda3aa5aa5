"""Names of the floating-point precisions, as configurations spell them."""

import torch

from paramfit.errors import InputError

__all__ = ["precision"]

_PRECISIONS = {"float32": torch.float32, "float64": torch.float64}


def precision(name: str | torch.dtype) -> torch.dtype:
    """The torch dtype called ``name``.

    Args:
        name: ``"float32"`` or ``"float64"`` (or the torch dtype itself).

    Raises:
        InputError: for any other name; estimates in half precision would mean nothing.

    Example:
        >>> precision("float64")
        torch.float64
    """
    found = name if isinstance(name, torch.dtype) else _PRECISIONS.get(name)
    if found not in _PRECISIONS.values() or found is None:
        msg = f"dtype: expected one of {', '.join(_PRECISIONS)}, but got {name!r}"
        raise InputError(msg)
    return found
