"""Distributions on an interval: beta, Kumaraswamy's and the uniform one; and F, the ratio of a beta to its rest."""

import math

import scipy.special
import torch
from torch import Tensor
from torch.distributions import Beta, FisherSnedecor, Kumaraswamy, Uniform

from paramfit.distributions.family import Entries, Family, Given, Slopes, Starts
from paramfit.distributions.sample import Sample
from paramfit.distributions.special import by_scipy, log1mexp, trigamma

__all__ = ["FAMILIES"]


def _score(distribution: Beta, target: Tensor) -> Slopes:
    one, zero = distribution.concentration1, distribution.concentration0
    both = torch.digamma(one + zero)
    return {
        "concentration1": lambda: target.log() + (both - torch.digamma(one)),
        "concentration0": lambda: torch.log1p(-target) + (both - torch.digamma(zero)),
    }


def _curvature(distribution: Beta, target: Tensor) -> Entries:
    del target
    one, zero = distribution.concentration1, distribution.concentration0
    both = trigamma(one + zero)
    return {
        ("concentration1", "concentration1"): lambda: trigamma(one) - both,
        ("concentration1", "concentration0"): lambda: -both,
        ("concentration0", "concentration0"): lambda: trigamma(zero) - both,
    }


def _cdf(distribution: Beta, value: Tensor) -> Tensor:
    return by_scipy(scipy.special.betainc, distribution.concentration1, distribution.concentration0, value)


def _start(sample: Sample, given: Given) -> Starts:
    del given

    def both() -> float:
        return sample.mean() * (1 - sample.mean()) / sample.variance() - 1

    return {"concentration1": lambda: sample.mean() * both(), "concentration0": lambda: (1 - sample.mean()) * both()}


def _kumaraswamy_tails(distribution: Kumaraswamy, value: Tensor) -> tuple[Tensor, Tensor]:
    hazard = -distribution.concentration0 * torch.log1p(-(value**distribution.concentration1))
    return log1mexp(hazard), -hazard


FAMILIES = (
    Family(
        Beta,
        score=_score,
        curvature=_curvature,
        information=lambda beta: _curvature(beta, torch.tensor(math.nan)),  # it does not depend on the observation
        cdf=_cdf,
        start=_start,
        open_support=True,
    ),
    Family(Kumaraswamy, tails=_kumaraswamy_tails, start=_start, open_support=True),
    Family(Uniform, edges={"low": "smallest", "high": "largest"}),
    Family(FisherSnedecor, cdf=lambda f, value: by_scipy(scipy.special.fdtr, f.df1, f.df2, value)),
)
