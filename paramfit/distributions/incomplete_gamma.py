"""The regularised incomplete gamma functions with all derivatives by their second argument."""

from typing import Any

import torch
from torch import Tensor

__all__ = ["lower_gamma", "upper_gamma"]


def lower_gamma(shape: Tensor, x: Tensor) -> Tensor:
    r""":math:`P(a, x) = \frac{1}{\Gamma(a)} \int_0^x t^{a - 1} e^{-t} dt`, differentiable by x in every mode.

    torch's own ``gammainc`` has no forward mode. Neither has a derivative by a, and this says so.

    Args:
        shape: a, above 0.
        x: 0 or more; of shapes that broadcast.

    Raises:
        NotImplementedError: where it is differentiated by a.
    """
    found: Tensor = _Lower.apply(shape, x)  # type: ignore[no-untyped-call]
    return found


def upper_gamma(shape: Tensor, x: Tensor) -> Tensor:
    """``1 - P(a, x)`` with all its digits; see ``lower_gamma``."""
    found: Tensor = _Upper.apply(shape, x)  # type: ignore[no-untyped-call]
    return found


def _density(shape: Tensor, x: Tensor) -> Tensor:
    return torch.exp(torch.special.xlogy(shape - 1, x) - x - torch.lgamma(shape))


def _refuse() -> None:
    msg = "the incomplete gamma function cannot be differentiated by its shape"
    raise NotImplementedError(msg)


class _Incomplete(torch.autograd.Function):
    """What both functions have in common: their slope, up to its sign."""

    generate_vmap_rule = True
    sign = 1.0

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        del output
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)
        ctx.set_materialize_grads(False)

    @classmethod
    def backward(cls, ctx: Any, slope: Tensor | None) -> Any:
        if slope is None:
            return None, None
        if ctx.needs_input_grad[0]:
            _refuse()
        shape, x = ctx.saved_tensors
        along = cls.sign * slope * _density(shape, x)
        return None, along.sum_to_size(x.shape)

    @classmethod
    def jvp(cls, ctx: Any, shape_moves: Tensor | None, x_moves: Tensor) -> Any:
        if shape_moves is not None:
            _refuse()
        shape, x = ctx.saved_tensors
        return cls.sign * x_moves * _density(shape, x)


class _Lower(_Incomplete):
    @staticmethod
    def forward(shape: Tensor, x: Tensor) -> Any:
        return torch.special.gammainc(shape, x)


class _Upper(_Incomplete):
    sign = -1.0

    @staticmethod
    def forward(shape: Tensor, x: Tensor) -> Any:
        return torch.special.gammaincc(shape, x)
