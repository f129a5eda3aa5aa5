"""torch's functions whose own second derivatives fail where their values and the derivatives themselves do not."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

__all__ = ["StableFunctions"]


class StableFunctions(TorchFunctionMode):
    """Within it, what a user's module calls is computed in a way that can be differentiated twice.

    ``torch.logaddexp`` has a second derivative of NaN where its arguments are more than 709 apart: there, the
    derivative it keeps is :math:`1 / (1 + e^{b - a})`, whose own has infinity over infinity.

    Example:
        >>> x = torch.zeros((), dtype=torch.float64, requires_grad=True)
        >>> with StableFunctions():
        ...     value = torch.logaddexp(torch.tensor(800.0), x)
        >>> (slope,) = torch.autograd.grad(value, x, create_graph=True)
        >>> torch.autograd.grad(slope, x)[0].item()
        0.0
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """The function, or what stands for it."""
        if func in _INSTEAD and not kwargs:
            return _INSTEAD[func](*args)
        return func(*args, **(kwargs or {}))


def _logaddexp(one: Tensor, other: Tensor) -> Tensor:
    broadcast: Any = torch.broadcast_tensors  # which torch leaves untyped
    return torch.logsumexp(torch.stack(tuple(broadcast(one, other))), 0)


_INSTEAD: Mapping[Callable[..., Any], Callable[..., Any]] = {
    torch.logaddexp: _logaddexp,
    torch.Tensor.logaddexp: _logaddexp,
}
