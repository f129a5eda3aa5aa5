"""Distributions on an interval: beta, Kumaraswamy's and the uniform one; and F, the ratio of a beta to its rest."""

import scipy.special
import torch
from torch import Tensor
from torch.distributions import Beta, FisherSnedecor, Kumaraswamy, Uniform

from paramfit.distributions.family import Entries, Family, Given, Sample, Slopes, Starts
from paramfit.distributions.special import by_scipy, tails_of_hazard, trigamma

__all__ = ["FAMILIES"]


def _score(distribution: Beta, target: Tensor) -> Slopes:
    one, zero = distribution.concentration1, distribution.concentration0
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
        score=_score,
        curvature=lambda beta, _: _information(beta),
        information=_information,
        cdf=lambda beta, value: by_scipy(scipy.special.betainc, beta.concentration1, beta.concentration0, value),
        start=_start,
        open_support=True,
    ),
    Family(
        Kumaraswamy,
        tails=lambda made, y: tails_of_hazard(-made.concentration0 * torch.log1p(-(y**made.concentration1))),
        start=_start,
        open_support=True,
    ),
    Family(Uniform, edges={"low": "smallest", "high": "largest"}),
    Family(FisherSnedecor, cdf=lambda f, value: by_scipy(scipy.special.fdtr, f.df1, f.df2, value)),
)
