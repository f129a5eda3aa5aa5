"""The log-density of observations, and the density over a whole axis."""

import math
from contextlib import suppress

import torch
from torch import Tensor
from torch.distributions import Distribution, MixtureSameFamily

from paramfit.distributions.families import family_of

__all__ = ["density_at", "log_density"]


def log_density(distribution: Distribution, target: Tensor) -> Tensor:
    """The log-density of each observation, ``(n,)``: by its family's form where torch's own loses digits."""
    closed = family_of(distribution).log_density
    if closed is not None:
        return closed(distribution, target)
    if isinstance(distribution, MixtureSameFamily):
        return _of_mixture(distribution, target)
    value: Tensor = distribution.log_prob(target)
    return value


def _of_mixture(mixture: MixtureSameFamily, target: Tensor) -> Tensor:
    """torch's, but with weights below a rounding of 1 as they are."""
    weights = mixture.mixture_distribution
    if weights._param is not vars(weights).get("probs") or not _is_any(weights.probs < torch.finfo(target.dtype).eps):
        value: Tensor = mixture.log_prob(target)  # type: ignore[no-untyped-call]
        return value
    positive = weights.probs > 0
    logarithms = torch.where(positive, torch.where(positive, weights.probs, 1.0).log(), -math.inf)
    return torch.logsumexp(mixture.component_distribution.log_prob(target.unsqueeze(-1)) + logarithms, -1)


def _is_any(mask: Tensor) -> bool:
    try:
        return bool(mask.any())
    except RuntimeError:  # under vmap nothing may depend on values
        return True


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
