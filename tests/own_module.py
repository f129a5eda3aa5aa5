"""Modules of a user's own, in one line."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


class OwnModule(nn.Module):
    """A plain module: named parameters, and a forward pass that is given the module and its inputs.

    A start that is a number is in float64.
    """

    def __init__(self, function: Callable[..., Any], **starts: Tensor | float) -> None:
        super().__init__()
        self.function = function
        for name, start in starts.items():
            value = start.clone() if isinstance(start, Tensor) else torch.tensor(start, dtype=torch.float64)
            self.register_parameter(name, nn.Parameter(value))

    def forward(self, *inputs: Tensor) -> Any:
        return self.function(self, *inputs)
