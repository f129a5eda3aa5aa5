"""Gradient descent as the lessons write it."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from paramfit.errors import InputError
from paramfit.torch_overhead import scalar

__all__ = ["GradientDescent"]


class GradientDescent(Optimizer):
    """Plain gradient descent, ``p <- p - lr * p.grad``, written exactly so.

    ``torch.optim.SGD`` computes the same with a fused multiply-add, which rounds differently in a few per cent of
    the float32 steps; published digits need this form.

    Args:
        params: the parameters.
        lr: learning rate, above 0.
        order: ``together`` changes all parameters by one gradient; ``one_at_a_time`` asks for the gradient anew
            before each parameter and changes that one alone, as the classic finite-difference lesson does.

    Raises:
        InputError: if the learning rate is not positive, for another order, or for a step without a closure.
    """

    def __init__(self, params: Iterable[Tensor], lr: float, order: str = "together") -> None:
        if not lr > 0:
            raise InputError(f"lr: a learning rate is above 0, but got {lr}")
        if order not in {"together", "one_at_a_time"}:
            raise InputError(f"order: expected together or one_at_a_time, but got {order!r}")
        super().__init__(params, {"lr": lr, "order": order})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Make one update.

        Args:
            closure: fills ``p.grad`` of every parameter and returns the loss.

        Returns:
            The loss before the update.
        """
        if closure is None:
            raise InputError("GradientDescent.step needs a closure that fills the gradients and returns the loss")
        return self.update(torch.enable_grad()(closure))  # as every torch optimizer does: it may call backward

    def update(self, closure: Callable[[], Any]) -> Any:
        """One update without torch's hooks around ``step``, which cost as much as the update; call under no_grad."""
        loss = closure()
        first = True
        used: list[tuple[Tensor, Tensor]] = []
        for group in self.param_groups:
            rate = group["lr"]
            if group["order"] == "together":
                for parameter in group["params"]:
                    gradient = parameter.grad
                    if gradient is not None:
                        parameter.copy_(parameter - scalar(rate, gradient) * gradient)
                continue
            for parameter in group["params"]:
                if not first:
                    closure()
                first = False
                if parameter.grad is not None:
                    gradient = parameter.grad.clone()
                    parameter.copy_(parameter - scalar(rate, gradient) * gradient)
                    used.append((parameter, gradient))
        for parameter, gradient in used:
            # The later closures overwrote what this parameter was moved by.
            parameter.grad = gradient
        return loss
