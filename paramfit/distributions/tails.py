"""Logarithms of the probability below, above and between: exact far out, where one minus the ``cdf`` is 0."""

import torch
from torch import Tensor
from torch.distributions import Distribution, MixtureSameFamily

from paramfit.distributions.families import family_of
from paramfit.distributions.special import log1mexp
from paramfit.errors import InputError

__all__ = ["log_cdf", "log_interval", "log_survival"]


def log_cdf(distribution: Distribution, value: Tensor) -> Tensor:
    """``log P(y <= value)``, in the shape to which all broadcast.

    Raises:
        InputError: for a distribution without a ``cdf``; for ``Gamma``, ``Chi2`` and ``InverseGamma`` where their shape
            requires a gradient, which there is none of.
    """
    return _tails(distribution, value)[0]


def log_survival(distribution: Distribution, value: Tensor) -> Tensor:
    """``log P(y > value)``; in shape, and in what it refuses, as ``log_cdf``."""
    return _tails(distribution, value)[1]


def log_interval(distribution: Distribution, lower: Tensor, upper: Tensor) -> Tensor:
    r"""``log P(lower < y <= upper)``, from whichever tail is the smaller.

    .. math:: \log S(l) + \log(1 - S(u) / S(l)), \qquad \log F(u) + \log(1 - F(l) / F(u))

    so that neither difference loses its digits.

    Raises:
        InputError: as ``log_cdf`` does.
    """
    with torch.no_grad():
        below, above = _tails(distribution, lower)
        at_the_edge = torch.isneginf(below)  # nothing lies below: the interval is all that is below its upper end
        in_the_upper_tail = (below > above) & ~at_the_edge
    # At an edge the slopes of log F are infinite: another place stands in for it there.
    inner = torch.where(at_the_edge, upper, lower)
    below, above = _tails(distribution, inner)
    below_upper, above_upper = _tails(distribution, upper)
    ratio = torch.where(in_the_upper_tail, above - above_upper, below_upper - below)
    rest = torch.where(at_the_edge, 0.0, log1mexp(torch.where(at_the_edge, 1.0, ratio)))
    return torch.where(in_the_upper_tail, above, below_upper) + rest


def _tails(distribution: Distribution, value: Tensor) -> tuple[Tensor, Tensor]:
    """Log-cdf and log-survival; whether autograd can differentiate a ``cdf`` is asked by ``check_censoring``."""
    if isinstance(distribution, MixtureSameFamily):
        below, above = _tails(distribution.component_distribution, value.unsqueeze(-1))
        log_weights = distribution.mixture_distribution.logits
        return torch.logsumexp(log_weights + below, -1), torch.logsumexp(log_weights + above, -1)
    closed = family_of(distribution).tails
    if closed is not None:
        return closed(distribution, value)
    try:
        cdf: Tensor = distribution.cdf(value)
    except NotImplementedError as error:
        raise InputError(
            f"distribution: {type(distribution).__name__} cannot take censored observations: its class has no cdf;"
            " choose a distribution such as Weibull or LogNormal, or derive a class of your own with a `cdf` that can"
            " be differentiated (docs/extending.md)"
        ) from error
    return cdf.log(), torch.log1p(-cdf)
