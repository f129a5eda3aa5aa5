"""Where a family of distributions ends in a simpler one, which observations may prefer to all of the family."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.distributions import Distribution, NegativeBinomial, StudentT

from paramfit.facts import Fact, FactKind
from paramfit.inference.loss_function import LossFunction

__all__ = ["limiting_distribution"]

_NEAR = 0.05  # of the inverse argument, free of units: so close to the limit is the likelihood a straight line in it
_SHARE = 1e-6  # of the largest derivative of an argument's logarithm: less is no part in it


class _Limit(NamedTuple):
    """Which distribution a family tends to as an argument grows, and how the likelihood changes on leaving it."""

    argument: str
    name: str
    inverse: Callable[[Any], Tensor]  # of the argument, free of units: 0 at the limit
    slope: Callable[[Any, Tensor], Tensor]  # of each log-density by that, at the limit


def _inverse_count(distribution: NegativeBinomial) -> Tensor:
    """The mean over the count: how far the variance exceeds Poisson's, over Poisson's."""
    return distribution.mean / distribution.total_count


def _excess_spread(distribution: NegativeBinomial, target: Tensor) -> Tensor:
    r""":math:`((y - \mu)^2 - y) / (2 \mu)`, by Dean and Lawless, *Tests for Detecting Overdispersion* (1989)."""
    mean = distribution.mean
    return ((target - mean).square() - target) / (2 * mean)


def _excess_kurtosis(distribution: StudentT, target: Tensor) -> Tensor:
    r""":math:`(z^4 - 2 z^2 - 1) / 4`, the first term of Student's log-density in one over df."""
    square = ((target - distribution.loc) / distribution.scale).square()
    return (square.square() - 2 * square - 1) / 4


_LIMITS: Mapping[type[Distribution], _Limit] = {
    NegativeBinomial: _Limit("total_count", "Poisson", _inverse_count, _excess_spread),
    StudentT: _Limit("df", "Normal", lambda distribution: 1 / distribution.df, _excess_kurtosis),
}


def limiting_distribution(loss: LossFunction, theta: Tensor) -> Fact | None:
    r"""That the likelihood rises all the way to a distribution outside of the family; None where it does not.

    .. math:: \sum_i \alpha_i \frac{\partial \log p(y_i)}{\partial \alpha} \Big|_{\alpha = 0} \le 0

    with :math:`\alpha` the mean over the count of a negative binomial distribution, or one over Student's degrees of
    freedom, close to 0 at ``theta``: in whatever way the model says it, leaving the limit makes the sample no more
    likely.
    """
    if loss.observations.censoring is not None:
        return None
    point = theta.detach().clone().requires_grad_()
    with torch.enable_grad():
        distribution: Any = loss.prediction(point)
        limit = _LIMITS.get(type(distribution))
        if limit is None:
            return None
        argument: Tensor = getattr(distribution, limit.argument)
        if not argument.requires_grad:
            return None
        (moves,) = torch.autograd.grad(argument.abs().log().sum(), point)
    with torch.no_grad():
        inverse = limit.inverse(distribution)
        rise = (inverse * limit.slope(distribution, loss.observations.target)).sum()
    if not (bool((inverse.mean() <= _NEAR).all()) and bool(rise <= 0)):
        return None
    share = (moves * torch.clamp(point.detach().abs(), min=1.0)).abs()
    names = [name for name, part in zip(loss.names, share.tolist(), strict=True) if part > _SHARE * float(share.max())]
    numbers = {"argument": limit.argument, "family": type(distribution).__name__, "limit": limit.name}
    return Fact(FactKind.PREFERS_LIMIT, tuple(names), numbers)
