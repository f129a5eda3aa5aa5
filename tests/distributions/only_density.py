"""A distribution of one's own that has a density and nothing else: no mean, no cdf, no icdf, no sample."""

from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints
from torch.nn.functional import softplus


class OnlyDensity(Distribution):
    """The logistic distribution."""

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}  # noqa: RUF012  # as torch writes it
    support = constraints.real

    def __init__(self, loc: Any, scale: Any = 1.0, validate_args: bool | None = None) -> None:
        self.loc, self.scale = torch.broadcast_tensors(torch.as_tensor(loc), torch.as_tensor(scale))
        super().__init__(self.loc.shape, validate_args=validate_args)

    def log_prob(self, value: Tensor) -> Tensor:
        z = (value - self.loc) / self.scale
        return -z - 2 * softplus(-z) - self.scale.log()
