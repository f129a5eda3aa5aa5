"""A formula under autograd, which is given its derivatives instead of finding them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import reduce
from operator import add
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.forward_ad import _set_fwd_grad_enabled, unpack_dual

from paramfit.formulas.evaluation import Evaluation

__all__ = ["Differentiable", "is_differentiating", "slopes_under_autograd", "value_under_autograd"]


class Differentiable(Protocol):
    """What can be evaluated, and differentiated twice, by some of its arguments, given by their numbers."""

    def value_evaluation(self) -> Evaluation:
        """The value."""

    def slopes_evaluation(self, by: tuple[int, ...]) -> Evaluation:
        """Its derivatives."""

    def curved_evaluation(self, by: tuple[int, ...], wanted: tuple[int, ...]) -> Evaluation:
        """The derivatives by ``wanted`` of the weighted sum of those ``by``; the weights follow the arguments."""

    def moving(self, numbers: Sequence[int]) -> tuple[int, ...]:
        """Those of some arguments that the value depends on."""


def is_differentiating() -> bool:
    """Whether autograd, or a transform of ``torch.func``, may want to know how a result was computed."""
    return torch.is_grad_enabled() or torch._C._are_functorch_transforms_active()


def value_under_autograd(formula: Differentiable, arguments: Sequence[Tensor]) -> Tensor:
    """The value, which autograd and ``torch.func`` differentiate twice by the formula's own derivatives."""
    value: Tensor = _Value.apply(formula, *arguments)  # type: ignore[no-untyped-call]
    return value


def slopes_under_autograd(
    formula: Differentiable, by: tuple[int, ...], arguments: Sequence[Tensor]
) -> tuple[Tensor, ...]:
    """The derivatives, which can be differentiated once more."""
    slopes: tuple[Tensor, ...] = _Slopes.apply(formula, by, *arguments)  # type: ignore[no-untyped-call]
    return slopes


def _as_tensors(results: Sequence[Tensor | float], like: Tensor) -> tuple[Tensor, ...]:
    return tuple(
        result if isinstance(result, Tensor) else torch.full((), result, dtype=like.dtype, device=like.device)
        for result in results
    )


def _apart(results: Sequence[Tensor], arguments: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Results that are no arguments themselves, nor each other, as autograd has it."""
    taken = {id(argument) for argument in arguments}
    apart = []
    for result in results:
        apart.append(result.clone() if id(result) in taken else result)
        taken.add(id(result))
    return tuple(apart)


def _summed(gradient: Tensor, shape: torch.Size) -> Tensor:
    """A gradient of the shape of what it belongs to, which was broadcast."""
    return gradient.expand(np.broadcast_shapes(gradient.shape, shape)).sum_to_size(shape)


def _shaped(tangent: Tensor, shape: torch.Size) -> Tensor:
    """A tangent of the shape of what it belongs to: rows beyond it are all the same."""
    while tangent.ndim > len(shape):
        tangent = tangent[0]
    return tangent.expand(shape)


@contextmanager
def _outer_levels(saved: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """The arguments without the tangents of the level that is differentiated, under forward mode of those around it.

    Torch turns it off within ``jvp``: of two levels, the outer one would take the inner one's derivative for constant.
    """
    with _set_fwd_grad_enabled(True):
        yield [unpack_dual(argument).primal for argument in saved]  # type: ignore[no-untyped-call]


def _mapped(function: Any, info: Any, in_dims: tuple[int | None, ...], given: int, arguments: Sequence[Any]) -> Any:
    """The function with the mapped dimension in front of all others; ``given`` arguments are no tensors."""
    constants, tensors, dims = arguments[:given], arguments[given:], in_dims[given:]
    logical = max(tensor.ndim - (dim is not None) for tensor, dim in zip(tensors, dims, strict=True))
    moved = []
    for tensor, dim in zip(tensors, dims, strict=True):
        if dim is not None:
            front = tensor.movedim(dim, 0)
            tensor = front.reshape(info.batch_size, *(1,) * (logical + 1 - front.ndim), *front.shape[1:])
        moved.append(tensor)
    results = function.apply(*constants, *moved)
    if isinstance(results, Tensor):
        return results, 0 if results.ndim > logical else None
    return results, tuple(0 if result.ndim > logical else None for result in results)


class _Value(Function):
    @staticmethod
    def forward(formula: Differentiable, *arguments: Tensor) -> Tensor:
        (value,) = _apart(_as_tensors(formula.value_evaluation()(*arguments), arguments[0]), arguments)
        return value

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.formula, *arguments = inputs
        ctx.shape = output.shape
        ctx.save_for_backward(*arguments)
        ctx.save_for_forward(*arguments)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        arguments = ctx.saved_tensors
        by = ctx.formula.moving([number for number, needs in enumerate(ctx.needs_input_grad[1:]) if needs])
        gradients: list[Tensor | None] = [None] * len(arguments)
        for number, slope in zip(by, slopes_under_autograd(ctx.formula, by, arguments), strict=True):
            gradients[number] = _summed(gradient * slope, arguments[number].shape)
        return None, *gradients

    @staticmethod
    def jvp(ctx: Any, _: None, *tangents: Tensor | None) -> Tensor:
        by = ctx.formula.moving([number for number, tangent in enumerate(tangents) if tangent is not None])
        with _outer_levels(ctx.saved_tensors) as arguments:
            slopes = slopes_under_autograd(ctx.formula, by, arguments)
            moves = [slope * tangents[number] for number, slope in zip(by, slopes, strict=True)]
            return _shaped(reduce(add, moves), ctx.shape)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *arguments: Any) -> Any:
        return _mapped(_Value, info, in_dims, 1, arguments)


class _Slopes(Function):
    @staticmethod
    def forward(formula: Differentiable, by: tuple[int, ...], *arguments: Tensor) -> tuple[Tensor, ...]:
        return _apart(_as_tensors(formula.slopes_evaluation(by)(*arguments), arguments[0]), arguments)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        ctx.formula, ctx.by, *arguments = inputs
        ctx.shapes = [slope.shape for slope in output]
        ctx.save_for_backward(*arguments)
        ctx.save_for_forward(*arguments)

    @staticmethod
    def backward(ctx: Any, *weights: Tensor) -> Any:
        arguments = ctx.saved_tensors
        wanted = ctx.formula.moving([number for number, needs in enumerate(ctx.needs_input_grad[2:]) if needs])
        gradients: list[Tensor | None] = [None] * len(arguments)
        for number, curved in zip(wanted, _curved(ctx.formula, ctx.by, wanted, arguments, weights), strict=True):
            gradients[number] = _summed(curved, arguments[number].shape)
        return None, None, *gradients

    @staticmethod
    def jvp(ctx: Any, _: None, __: None, *tangents: Tensor | None) -> tuple[Tensor, ...]:
        moved = ctx.formula.moving([number for number, tangent in enumerate(tangents) if tangent is not None])
        weights = [tangents[number] for number in moved]  # second derivatives commute
        with _outer_levels(ctx.saved_tensors) as arguments:
            curved = _curved(ctx.formula, moved, ctx.by, arguments, weights)
            return tuple(_shaped(one, shape) for one, shape in zip(curved, ctx.shapes, strict=True))

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *arguments: Any) -> Any:
        return _mapped(_Slopes, info, in_dims, 2, arguments)


def _curved(
    formula: Differentiable,
    by: tuple[int, ...],
    wanted: tuple[int, ...],
    arguments: Sequence[Tensor],
    weights: Sequence[Any],
) -> tuple[Tensor, ...]:
    every = [torch.zeros((), dtype=arguments[0].dtype, device=arguments[0].device)] * len(arguments)
    for number, weight in zip(by, weights, strict=True):
        every[number] = weight
    curved: tuple[Tensor, ...] = _Curved.apply(formula, by, wanted, *arguments, *every)  # type: ignore[no-untyped-call]
    return curved


class _Curved(Function):
    @staticmethod
    def forward(formula: Differentiable, by: Any, wanted: Any, *arguments: Tensor) -> tuple[Tensor, ...]:
        curved = _as_tensors(formula.curved_evaluation(by, wanted)(*arguments), arguments[0])
        return _apart(curved, arguments)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        pass

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *arguments: Any) -> Any:
        return _mapped(_Curved, info, in_dims, 3, arguments)
