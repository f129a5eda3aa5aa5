"""The log-density of observations, and the density over a whole axis."""

import math
from contextlib import suppress

import torch
from torch import Tensor
from torch.distributions import Distribution

from paramfit.distributions.families import family_of

__all__ = ["density_at", "log_density"]


def log_density(distribution: Distribution, target: Tensor) -> Tensor:
    """The log-density of each observation, ``(n,)``: by its family's form where torch's own loses digits."""
    closed = family_of(distribution).log_density
    value: Tensor = distribution.log_prob(target) if closed is None else closed(distribution, target)
    return value


def density_at(distribution: Distribution, values: Tensor) -> Tensor:
    """Density or probability mass of one distribution, of batch shape ``()`` or ``(1,)``, at values ``(m,)``.

    It is 0 outside the support, whatever its formula would say there.
    """
    inside = torch.ones(values.shape, dtype=torch.bool)
    with suppress(NotImplementedError, AttributeError):
        inside &= distribution.support.check(values)  # type: ignore[union-attr]  # None has no check either
    density = torch.zeros(values.shape, dtype=torch.float64)
    with torch.no_grad():
        density[inside] = log_density(distribution, values[inside]).double().exp().nan_to_num(0.0, math.inf)
    return density
