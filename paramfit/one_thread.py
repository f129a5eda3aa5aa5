"""Work that one thread does sooner than several."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["one_thread"]


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
