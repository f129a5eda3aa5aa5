"""What torch costs on small work, avoided: numbers wrapped anew, threads that wait for each other."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import torch
from torch import Tensor

__all__ = ["one_thread", "scalar"]


@lru_cache(maxsize=256)
def _made_once(value: float, dtype: torch.dtype, device: torch.device) -> Tensor:
    # Outside inference mode: a number first needed by a validation is used by autograd afterwards.
    with torch.inference_mode(False):
        return torch.tensor(value, dtype=dtype, device=device)


def scalar(value: float, like: Tensor) -> Tensor:
    """``value`` as a tensor ``()`` of the precision and device of ``like``.

    The products are the same as with the Python number, at half the cost: torch wraps a Python number anew each time,
    which for a handful of observations costs more than the arithmetic.
    """
    return _made_once(value, like.dtype, like.device)


@contextmanager
def one_thread(wanted: bool = True) -> Iterator[None]:
    """Have torch use one thread in here.

    On some ten thousand numbers at once, its threads wait for each other longer than they compute, and on a machine
    that is busy with something else many times as long.

    Args:
        wanted: whether to; what is in here runs either way.
    """
    before = torch.get_num_threads()
    if not wanted or before == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
