"""Whether a distribution has a likelihood for observations."""

from collections.abc import Sequence

import torch
from torch.distributions import Distribution

from paramfit.distributions.censoring import Censoring, check_censoring
from paramfit.distributions.support import check_bounds, check_support
from paramfit.observations import Observations

__all__ = ["check_observations"]


def check_observations(
    distribution: Distribution, observations: Observations, names: Sequence[str] = (), source: str = "data"
) -> None:
    """Refuse, before a fit, observations that a distribution cannot have made or has no likelihood for.

    Args:
        distribution: at the start, with arguments of shape ``()`` or ``(n,)``.
        observations: n of them, some perhaps censored.
        names: the arguments by which the likelihood of censored ones is to be differentiated.
        source: where the observations come from, for the message.

    Raises:
        InputError: naming the first row that is outside the support; with censored rows also for a distribution whose
            ``cdf`` is missing or cannot be differentiated.

    Example:
        >>> from torch.distributions import Weibull
        >>> from paramfit.observations import Censored
        >>> lifetimes, status = torch.tensor([2.0, 3.0]), torch.tensor([0, 2])
        >>> censoring = Censored(status, torch.full((2,), torch.inf))
        >>> check_observations(Weibull(1.0, 1.0), Observations((), lifetimes, None, censoring))
    """
    target, _, censoring = observations.measured
    if censoring is None:
        check_support(distribution, target, source)
        return
    status, upper = censoring
    check_censoring(distribution, target, status, upper, names, source)
    check_support(distribution, target, source, status == Censoring.OBSERVED)
    rows = (status != Censoring.OBSERVED).nonzero().squeeze(-1)
    low, high = target[rows], torch.where(status == Censoring.INTERVAL, upper, target)[rows]
    check_bounds(distribution, low, high, rows, source)
