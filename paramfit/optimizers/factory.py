"""Optimizers that were made already, made anew."""

import inspect
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from torch import nn
from torch.optim import Optimizer

from paramfit.errors import InputError

__all__ = ["optimizer_factory"]


def optimizer_factory(
    given: Callable[..., Optimizer] | Optimizer, parameters: Sequence[nn.Parameter]
) -> Callable[..., Optimizer]:
    """What makes an optimizer of parameters: as given, or for an optimizer itself one of its class with its options.

    A fit needs a fresh one, whose moments are those of no other fit; groups of parameters keep their own options.

    Args:
        given: what makes an optimizer, or an optimizer.
        parameters: that are estimated.

    Raises:
        InputError: if an optimizer holds other parameters than those, or something else was given.

    Example:
        >>> import torch
        >>> parameter = nn.Parameter(torch.zeros(()))
        >>> make = optimizer_factory(torch.optim.SGD([parameter], lr=0.25), [parameter])
        >>> make([parameter]).param_groups[0]["lr"]
        0.25
    """
    if not isinstance(given, Optimizer):
        if not callable(given):
            raise InputError(
                f"model.optimizer: expected what makes an optimizer, as functools.partial(torch.optim.SGD, lr=0.01),"
                f" but got a {type(given).__name__}"
            )
        return given
    held = [id(parameter) for group in given.param_groups for parameter in group["params"]]
    if sorted(held) != sorted(map(id, parameters)):
        name = type(given).__name__
        raise InputError(
            f"model.optimizer: this {name} holds other parameters than the model's trainable ones; make it of"
            f" model.parameters(), or give what makes it: functools.partial(torch.optim.{name}, lr=...)"
        )
    taken = inspect.signature(type(given)).parameters
    options = {name: value for name, value in given.defaults.items() if name in taken}
    if len(given.param_groups) == 1:
        ((group),) = given.param_groups
        return partial(type(given), **{name: group.get(name, value) for name, value in options.items()})
    groups: list[dict[str, Any]] = [dict(group) for group in given.param_groups]
    return lambda _: type(given)([dict(group) for group in groups], **options)
