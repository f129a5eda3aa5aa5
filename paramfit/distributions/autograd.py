"""Derivatives of any log-density by its arguments, by autograd."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution

from paramfit.distributions.arguments import argument_values, rebuilt
from paramfit.distributions.density import log_density

__all__ = ["broadcast_shape", "curvature_by_autograd", "score_by_autograd"]


def broadcast_shape(*tensors: Tensor) -> torch.Size:
    """The shape to which tensors broadcast."""
    shapes: Any = torch.broadcast_shapes  # which torch leaves untyped
    shape: torch.Size = shapes(*(tensor.shape for tensor in tensors))
    return shape


def score_by_autograd(
    distribution: Distribution,
    target: Tensor,
    names: Sequence[str],
    log_likelihood: Callable[[Distribution, Tensor], Tensor] = log_density,
) -> dict[str, Tensor]:
    """``d log p(target) / d argument`` for every observation, in the shape to which all broadcast.

    Raises:
        InputError: if the distribution cannot be made again from its arguments.
    """
    # A fit may run in inference mode, whose tensors autograd refuses until they are copied.
    with torch.inference_mode(False), torch.enable_grad():
        _, slopes = _slopes(distribution, target, names, log_likelihood, twice=False)
    return dict(zip(names, slopes, strict=True))


def curvature_by_autograd(distribution: Distribution, target: Tensor, names: Sequence[str]) -> Tensor:
    """Minus the second derivatives of ``log p(target)`` by the arguments, ``(..., k, k)``.

    Raises:
        InputError: if the distribution cannot be made again from its arguments.
    """
    with torch.inference_mode(False), torch.enable_grad():
        leaves, slopes = _slopes(distribution, target, names, log_density, twice=True)
        rows = [_gradient(slope, leaves) for slope in slopes]
    return -torch.stack([torch.stack(row, -1) for row in rows], -2)


def _slopes(
    distribution: Distribution,
    target: Tensor,
    names: Sequence[str],
    log_likelihood: Callable[[Distribution, Tensor], Tensor],
    *,
    twice: bool,
) -> tuple[list[Tensor], list[Tensor]]:
    values = {
        name: torch.as_tensor(value).detach().clone() for name, value in argument_values(distribution, names).items()
    }
    observed = target.detach().clone()
    shape = broadcast_shape(observed, *values.values())
    leaves = [values[name].expand(shape).clone().requires_grad_() for name in names]
    made = rebuilt(distribution, {**values, **dict(zip(names, leaves, strict=True))})
    return leaves, _gradient(log_likelihood(made, observed), leaves, twice=twice)


def _gradient(values: Tensor, leaves: list[Tensor], *, twice: bool = False) -> list[Tensor]:
    # Each value depends on its own row of the leaves alone, so the gradient of the sum holds every row's own.
    if not values.requires_grad:
        return [torch.zeros_like(leaf) for leaf in leaves]
    slopes = torch.autograd.grad(
        values.sum(), leaves, create_graph=twice, retain_graph=True, allow_unused=True, materialize_grads=True
    )
    return list(slopes)
