"""The von Mises distribution of angles."""

import math

import torch
from torch import Tensor
from torch.distributions import VonMises

from paramfit.distributions.family import Entries, Family, Given, Sample, Starts
from paramfit.distributions.special import by_scipy

__all__ = ["FAMILIES"]

_SERIES_FROM = 100.0  # the first term left out of the series below is under 1e-12 of the sum there
# The logarithm of the asymptotic series of exp(-k) I_0(k), of 1/k, 1/k^2, ...
_BESSEL = (1 / 8, 1 / 16, 25 / 384, 13 / 128, 1073 / 5120, 103 / 192, 375733 / 229376)
# The derivative of the quotient of the asymptotic series of both Bessel functions, of 1/k^2, 1/k^3, ...
_SPREAD = (1 / 2, 1 / 4, 3 / 8, 25 / 32, 65 / 32, 3219 / 512, 721 / 32)


def _log_bessel(concentration: Tensor) -> Tensor:
    """``log(exp(-k) I_0(k))``, of which torch's own density knows seven digits."""
    small, large = concentration.clamp_max(_SERIES_FROM), concentration.clamp_min(_SERIES_FROM)
    total = torch.zeros_like(large)
    for coefficient in reversed(_BESSEL):
        total = (total + coefficient) / large
    series = total - (2 * math.pi * large).log() / 2
    return torch.where(concentration >= _SERIES_FROM, series, torch.special.i0e(small).log())


def _log_density(distribution: VonMises, target: Tensor) -> Tensor:
    concentration = distribution.concentration
    half = ((target - distribution.loc) / 2).sin()
    return -2 * concentration * half * half - math.log(2 * math.pi) - _log_bessel(concentration)


def _by_concentration_twice(concentration: Tensor, length: Tensor) -> Tensor:
    large = concentration.clamp_min(_SERIES_FROM)
    total = torch.zeros_like(large)
    for coefficient in reversed(_SPREAD):
        total = total / large + coefficient
    return torch.where(concentration >= _SERIES_FROM, total / large**2, 1 - length / concentration - length**2)


def _information(distribution: VonMises) -> Entries:
    """By Mardia and Jupp, *Directional Statistics* (2000), section 3.5.4 and appendix 1."""
    concentration = distribution.concentration
    length = torch.special.i1e(concentration) / torch.special.i0e(concentration)
    return {
        ("loc", "loc"): lambda: concentration * length,
        ("concentration", "concentration"): lambda: _by_concentration_twice(concentration, length),
    }


def _cdf(distribution: VonMises, value: Tensor) -> Tensor:
    from scipy import stats  # half of what importing paramfit.fit takes, for this one function

    return by_scipy(stats.vonmises.cdf, value - distribution.loc, distribution.concentration)


def _start(sample: Sample, given: Given) -> Starts:
    """By Banerjee, Dhillon, Ghosh and Sra, *Clustering on the Unit Hypersphere* (2005)."""
    east, north = sample.y.cos().mean().item(), sample.y.sin().mean().item()

    def concentration() -> float:
        sample.must_vary()
        length = math.hypot(east, north)
        if "loc" in given:
            length = max(east * math.cos(given["loc"]) + north * math.sin(given["loc"]), 0.0)
        return length * (2 - length**2) / max(1 - length**2, torch.finfo(torch.float64).eps)

    return {"loc": lambda: math.atan2(north, east), "concentration": concentration}


FAMILIES = (
    Family(VonMises, log_density=_log_density, information=_information, cdf=_cdf, start=_start, circular=True),
)
