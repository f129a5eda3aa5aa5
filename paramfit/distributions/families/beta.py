"""Distributions on an interval: beta, Kumaraswamy's and the uniform one; and F, the ratio of a beta to its rest."""

import math

import scipy.special
import torch
from torch import Tensor
from torch.distributions import Beta, FisherSnedecor, Kumaraswamy, Uniform

from paramfit.distributions.family import Entries, Family, Given, Sample, Slopes, Starts
from paramfit.distributions.special import (
    by_scipy,
    digamma_rest,
    log1mexp,
    log1p_excess,
    log1p_where_near,
    log_gamma_rest,
    may_cancel,
    tails_of_hazard,
    trigamma,
)

__all__ = ["FAMILIES"]


def _without_cancelling(one: Tensor, zero: Tensor, above: Tensor, log_above: Tensor, log_below: Tensor) -> Tensor:
    r"""``log(x^a (1 - x)^b / B(a, b))`` by how far x and 1 - x are from their means, relatively.

    .. math:: a (\log(1 + \delta) - \delta) + b (\log(1 + \epsilon) - \epsilon)
        + \frac{1}{2} \log \frac{a b}{2 \pi (a + b)} - \dots, \qquad a \delta + b \epsilon = 0
    """
    both = one + zero
    rests = log_gamma_rest(both) - log_gamma_rest(one) - log_gamma_rest(zero)
    constant = (torch.minimum(one, zero) / (2 * math.pi) * (torch.maximum(one, zero) / both)).log() / 2 + rests
    below = -above * (one / zero)
    return one * log1p_excess(above, log_above) + zero * log1p_excess(below, log_below) + constant


def _apart(one: Tensor, zero: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """How far a beta variate is above its mean, relatively; the log of one plus that; and the same of what is left."""
    both = one + zero
    over = target * both - one
    above, below = over / one, -over / zero
    log_above = log1p_where_near(above, target.log() + (both / one).log())
    return above, log_above, log1p_where_near(below, torch.log1p(-target) + (both / zero).log())


def _log_density(distribution: Beta, target: Tensor) -> Tensor:
    one, zero = distribution.concentration1, distribution.concentration0
    if not may_cancel(one, zero):
        value: Tensor = distribution.log_prob(target)  # type: ignore[no-untyped-call]
        return value
    return _without_cancelling(one, zero, *_apart(one, zero, target)) - target.log() - torch.log1p(-target)


def _f_log_density(f: FisherSnedecor, target: Tensor) -> Tensor:
    """``df1 x / (df2 + df1 x)`` is a beta variate."""
    if not may_cancel(f.df1, f.df2):
        value: Tensor = f.log_prob(target)  # type: ignore[no-untyped-call]
        return value
    one, zero = f.df1 / 2, f.df2 / 2
    below = one * target + zero
    above, under = zero * (target - 1) / below, one * (1 - target) / below
    both = one + zero
    log_above = log1p_where_near(above, target.log() + (both / below).log())
    return (
        _without_cancelling(one, zero, above, log_above, log1p_where_near(under, (both / below).log())) - target.log()
    )


def _kumaraswamy_log_density(made: Kumaraswamy, target: Tensor) -> Tensor:
    """Without the differences from 1 that torch's inverse transforms take."""
    a, b, logs = made.concentration1, made.concentration0, target.log()
    value: Tensor = (a * b).log() + (a - 1) * logs + (b - 1) * log1mexp(-a * logs)
    return value


def _score(distribution: Beta, target: Tensor) -> Slopes:
    one, zero = distribution.concentration1, distribution.concentration0
    if may_cancel(one, zero):
        _, log_above, log_below = _apart(one, zero, target)
        rest = digamma_rest(one + zero)
        return {
            "concentration1": lambda: log_above + (rest - digamma_rest(one)),
            "concentration0": lambda: log_below + (rest - digamma_rest(zero)),
        }
    both = torch.digamma(one + zero)
    return {
        "concentration1": lambda: target.log() + (both - torch.digamma(one)),
        "concentration0": lambda: torch.log1p(-target) + (both - torch.digamma(zero)),
    }


def _information(distribution: Beta) -> Entries:
    one, zero = distribution.concentration1, distribution.concentration0
    both = trigamma(one + zero)
    return {
        ("concentration1", "concentration1"): lambda: trigamma(one) - both,
        ("concentration1", "concentration0"): lambda: -both,
        ("concentration0", "concentration0"): lambda: trigamma(zero) - both,
    }


def _start(sample: Sample, given: Given) -> Starts:
    def both() -> float:
        return sample.mean() * (1 - sample.mean()) / sample.variance() - 1

    return {"concentration1": lambda: sample.mean() * both(), "concentration0": lambda: (1 - sample.mean()) * both()}


FAMILIES = (
    Family(
        Beta,
        log_density=_log_density,
        score=_score,
        curvature=lambda beta, _: _information(beta),
        information=_information,
        cdf=lambda beta, value: by_scipy(scipy.special.betainc, beta.concentration1, beta.concentration0, value),
        start=_start,
        open_support=True,
    ),
    Family(
        Kumaraswamy,
        log_density=_kumaraswamy_log_density,
        tails=lambda made, y: tails_of_hazard(-made.concentration0 * torch.log1p(-(y**made.concentration1))),
        start=_start,
        open_support=True,
    ),
    Family(Uniform, edges={"low": "smallest", "high": "largest"}),
    Family(
        FisherSnedecor,
        log_density=_f_log_density,
        cdf=lambda f, value: by_scipy(scipy.special.fdtr, f.df1, f.df2, value),
    ),
)
