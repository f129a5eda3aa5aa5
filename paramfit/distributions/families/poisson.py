"""The Poisson distribution."""

import scipy.special
from torch.distributions import Poisson

from paramfit.distributions.family import Family
from paramfit.distributions.special import by_scipy

__all__ = ["FAMILIES"]

FAMILIES = (
    Family(
        Poisson,
        score=lambda poisson, target: {"rate": lambda: target / poisson.rate - 1},
        curvature=lambda poisson, target: {("rate", "rate"): lambda: target / poisson.rate**2},
        information=lambda poisson: {("rate", "rate"): lambda: 1 / poisson.rate},
        cdf=lambda poisson, value: by_scipy(scipy.special.pdtr, value, poisson.rate),
        start=lambda sample, _: {"rate": lambda: sample.mean() or 0.5 / sample.n},
    ),
)
