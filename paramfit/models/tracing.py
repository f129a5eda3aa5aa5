"""Whether torch can follow a function from its parameters to its result."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from paramfit.errors import InputError

__all__ = ["check_followed"]

# By these a number leaves torch; numpy and math call them too.
_WAYS_OUT = {"__array__", "__complex__", "__float__", "__index__", "__int__", "item", "numpy", "tolist"}


class _Left(Exception):
    """A number that depends on a parameter has left torch."""


class _Watch(TorchFunctionMode):
    """Ends a call where a number that depends on a parameter is about to leave torch."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if getattr(func, "__name__", "") in _WAYS_OUT and isinstance(args[0], Tensor) and args[0].requires_grad:
            raise _Left
        return func(*args, **(kwargs or {}))


def check_followed(function: Callable[..., Any], called: str, inputs: Mapping[str, Any], starts: Any) -> None:
    """Call a function once, to see whether its derivatives by its parameters are what torch will take them for.

    ``math.exp(-rate)`` is a plain number, for torch a constant: the derivative by ``rate`` would lack a term, and
    nobody would be told.

    Args:
        function: takes inputs and parameters by name.
        called: its name, for the message.
        inputs: by name, each ``(n,)``.
        starts: for each parameter a number, by name.

    Raises:
        InputError: if a number that depends on a parameter leaves torch. Whatever else is wrong with the function is
            not told: it is found out where it is used.
    """
    values = {name: torch.tensor(start, dtype=torch.float64, requires_grad=True) for name, start in starts.items()}
    try:
        with torch.enable_grad(), _Watch():
            function(**inputs, **values)
    except _Left:
        raise InputError(
            f"function: {called} makes a plain number of one that depends on a parameter (as math's and numpy's"
            " functions do), and derivatives end there; write it with torch's functions, such as torch.exp"
        ) from None
    except Exception:  # whatever the user's function raises
        return
