"""The straight line."""

from typing import Any

import torch
from torch import Tensor, nn

from paramfit.models.base import ParametricModel, broadcast_parameters
from paramfit.parameters import dtype_named

__all__ = ["LinearModel"]


class LinearModel(ParametricModel):
    r"""A straight line, ``prediction = weight * x + bias``.

    The weight has the unit of the target over that of the input; the bias has the unit of the target.

    Args:
        weight: the slope: its start, or a mapping with start, lower, upper, fixed, unit.
        bias: the offset, in the same form.
        dtype: precision of both parameters, ``float32`` or ``float64``.

    Shapes:
        x ``(n,)`` gives ``(n,)``; weight and bias of shapes A and B give ``broadcast(A, B) + (n,)``.

    Raises:
        InputError: if a parameter cannot be made (``ParameterSpec``), or if their shapes do not broadcast.

    Example:
        >>> LinearModel(weight=2.0, bias=1.0)(torch.tensor([0.0, 3.0])).tolist()
        [1.0, 7.0]
        >>> grid = {"weight": torch.ones(3, 1), "bias": torch.ones(1, 4)}
        >>> torch.func.functional_call(LinearModel(), grid, torch.zeros(11)).shape
        torch.Size([3, 4, 11])
    """

    linear_in_parameters = True
    weight: nn.Parameter
    bias: nn.Parameter

    def __init__(
        self, weight: float | dict[str, Any] = 1.0, bias: float | dict[str, Any] = 0.0, dtype: str = "float32"
    ) -> None:
        super().__init__()
        self.declare("weight", weight, dtype_named(dtype))
        self.declare("bias", bias, dtype_named(dtype))

    def forward(self, x: Tensor) -> Tensor:
        """The line at ``x``."""
        weight: Tensor = self.weight
        bias: Tensor = self.bias
        if self.transforms:
            weight, bias = self.natural("weight"), self.natural("bias")
        if weight.ndim or bias.ndim:
            weight, bias = broadcast_parameters(("weight", "bias"), (weight, bias), x.ndim)
        return weight * x + bias

    def jacobian(self, *inputs: Tensor) -> dict[str, Tensor | float]:
        """``d prediction / d weight = x`` and ``d prediction / d bias = 1``."""
        (x,) = inputs
        columns: dict[str, Tensor | float] = {"weight": x, "bias": 1.0}
        return self.by_unconstrained(columns) if self.transforms else columns

    def original_units(self, shift: float, scale: float) -> Tensor:
        """``weight_x = scale * weight_z`` and ``bias_x = bias_z - shift * scale * weight_z``."""
        return torch.tensor([[scale, 0.0], [-shift * scale, 1.0]], dtype=torch.float64)
