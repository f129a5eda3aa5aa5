"""Log-densities by forms that lose no digits where torch's own do."""

import math
from functools import singledispatch

from torch import Tensor
from torch.distributions import Distribution, StudentT

from paramfit.distributions.closed_form import closed_form_of
from paramfit.distributions.half_steps import half_step

__all__ = ["closed_log_density", "log_density"]


def log_density(distribution: Distribution, target: Tensor) -> Tensor:
    """The log-density of each observation, ``distribution.log_prob`` unless there is a better form.

    torch's Student's t subtracts two log gammas of df: at df = 1e12 no digit is left of what tells it from the normal
    distribution, and at 1e30 the density seems to be whatever their rounding makes of it.

    Args:
        distribution: with arguments of shape ``()`` or ``(n,)``.
        target: observations ``(n,)`` in the distribution's support.

    Returns:
        ``(n,)``.
    """
    rule = closed_form_of(closed_log_density, distribution)
    found: Tensor = distribution.log_prob(target) if rule is None else rule(distribution, target)
    return found


@singledispatch
def closed_log_density(distribution: Distribution, target: Tensor) -> Tensor:
    """The better forms; register a further class with ``closed_log_density.register``."""
    raise NotImplementedError


@closed_log_density.register
def _(distribution: StudentT, target: Tensor) -> Tensor:
    df, scale = distribution.df, distribution.scale
    z = (target - distribution.loc) / scale
    found: Tensor = (half_step(df) - math.log(2 * math.pi) - (df + 1) * (z * z / df).log1p()) / 2 - scale.log()
    return found
