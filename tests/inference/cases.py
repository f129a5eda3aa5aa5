"""Models and objectives that several tests of the estimates need."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from paramfit import LinearModel, Objective, Observations, SquaredError
from paramfit.inference.loss_function import LossFunction
from tests.thermometer import observations


def thermometer(
    scale: float = 1.0, objective: Objective | None = None, weight: float = 1.0, bias: float = 0.0
) -> LossFunction:
    """The line on the (scaled) thermometer readings."""
    return LossFunction(LinearModel(weight, bias, dtype="float64"), objective or SquaredError(), observations(scale))


class Wide(nn.Module):
    """A plain linear map of as many inputs as it has parameters: no ParametricModel, and no scalar parameters."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(size, dtype=torch.float64))

    def forward(self, *columns: Tensor) -> Tensor:
        return torch.stack(columns, dim=-1) @ self.weight


class Squares(nn.Module):
    """A prediction sum_k slopes_k * w_k^2, the same for every observation; its loss may curve downwards."""

    def __init__(self, starts: Sequence[float], slopes: Sequence[float]) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor(starts, dtype=torch.float64))
        self.register_buffer("slopes", torch.tensor(slopes, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return (self.get_buffer("slopes") * self.w**2).sum() * torch.ones_like(x)


def constant_target(model: nn.Module, value: float, n: int = 3) -> LossFunction:
    """``n`` observations of one value, whose input does not matter."""
    target = torch.full((n,), value, dtype=torch.float64)
    return LossFunction(model, SquaredError(), Observations((torch.zeros_like(target),), target))
