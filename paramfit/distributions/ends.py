"""Where a distribution lives, and its density there."""

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.distributions import Distribution, VonMises

__all__ = ["Support", "density_at", "support_of"]


class Support(NamedTuple):
    """Where a univariate distribution has its probability.

    Attributes:
        low: its lower end, of the distribution's batch shape or ``()``; minus infinity where there is none.
        high: its upper end, likewise.
        discrete: whether it lives on integers.
    """

    low: Tensor
    high: Tensor
    discrete: bool


def support_of(distribution: Distribution) -> Support:
    """The ends of the support, as far as the distribution tells them; a von Mises circle ends opposite its location."""
    if isinstance(distribution, VonMises):
        return Support(_end(distribution.loc - math.pi), _end(distribution.loc + math.pi), False)
    try:
        constraint = distribution.support
        discrete = bool(constraint.is_discrete)  # type: ignore[union-attr]  # None and errors alike: nothing is told
    except (NotImplementedError, AttributeError):
        return Support(_end(-math.inf), _end(math.inf), False)
    constraint = getattr(constraint, "base_constraint", constraint)  # a mixture wraps that of its components
    if type(constraint).__name__ == "_Boolean":
        return Support(_end(0.0), _end(1.0), True)
    low, high = getattr(constraint, "lower_bound", -math.inf), getattr(constraint, "upper_bound", math.inf)
    return Support(_end(low), _end(high), discrete)


def density_at(distribution: Distribution, values: Tensor) -> Tensor:
    """Density or probability mass of one distribution; 0 outside its support, whatever its formula would say there.

    Args:
        distribution: of batch shape ``()`` or ``(1,)``.
        values: ``(m,)``.
    """
    found = torch.zeros(values.shape, dtype=torch.float64)
    with torch.no_grad():
        inside = _inside(distribution, values)
        found[inside] = distribution.log_prob(values[inside]).double().exp().nan_to_num(0.0, math.inf)
    return found


def _inside(distribution: Distribution, values: Tensor) -> Tensor:
    try:
        checked = distribution.support.check(values)  # type: ignore[union-attr]  # None has no check either
    except (NotImplementedError, AttributeError):
        return torch.ones(values.shape, dtype=torch.bool)
    inside: Tensor = checked.expand(values.shape)
    return inside


def _end(value: float | Tensor) -> Tensor:
    return torch.as_tensor(value, dtype=torch.float64).detach()
