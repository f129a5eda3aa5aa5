"""Numbers as tensors, made once."""

from functools import lru_cache

import torch
from torch import Tensor

__all__ = ["scalar"]


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
