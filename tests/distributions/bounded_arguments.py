"""Distributions of one's own whose likelihood is finite on the edge of what an argument may be."""

from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints


class ZeroInflated(Distribution):
    """Poisson counts, of which a share is 0 whatever the rate."""

    arg_constraints = {"share": constraints.unit_interval, "rate": constraints.nonnegative}  # noqa: RUF012  # as torch
    support = constraints.nonnegative_integer

    def __init__(self, share: Any, rate: Any, validate_args: bool | None = None) -> None:
        self.share, self.rate = torch.broadcast_tensors(torch.as_tensor(share), torch.as_tensor(rate))
        super().__init__(self.share.shape, validate_args=validate_args)

    def log_prob(self, value: Tensor) -> Tensor:
        poisson = value.xlogy(self.rate) - self.rate - (value + 1).lgamma()
        return torch.where(value == 0, (self.share + (1 - self.share) * (-self.rate).exp()).log(),
            torch.log1p(-self.share) + poisson)  # fmt: skip


class Tilted(Distribution):
    """The density ``(1 + slope y) / 2`` from -1 to 1."""

    arg_constraints = {"slope": constraints.interval(-1.0, 1.0)}  # noqa: RUF012  # as torch writes it
    support = constraints.interval(-1.0, 1.0)

    def __init__(self, slope: Any, validate_args: bool | None = None) -> None:
        self.slope = torch.as_tensor(slope)
        super().__init__(self.slope.shape, validate_args=validate_args)

    def log_prob(self, value: Tensor) -> Tensor:
        return ((1 + self.slope * value) / 2).log()


class Stretched(Distribution):
    """The same of a slope that a reach multiplies, and limits."""

    support = constraints.interval(-1.0, 1.0)

    def __init__(self, slope: Any, reach: Any, validate_args: bool | None = None) -> None:
        self.slope, self.reach = torch.broadcast_tensors(torch.as_tensor(slope), torch.as_tensor(reach))
        super().__init__(self.slope.shape, validate_args=validate_args)

    @property
    def arg_constraints(self) -> Any:  # type: ignore[override]  # each instance has its own, as torch's Uniform
        return {"slope": constraints.interval(-1 / self.reach, 1 / self.reach), "reach": constraints.positive}

    def log_prob(self, value: Tensor) -> Tensor:
        return ((1 + self.slope * self.reach * value) / 2).log()
