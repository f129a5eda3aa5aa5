"""The continuous Bernoulli distribution: an exponential one cut to the unit interval, rising or falling."""

import math

import torch
from torch import Tensor
from torch.distributions import ContinuousBernoulli

from paramfit.distributions.family import Entries, Family, Given, Sample, Slopes, Starts
from paramfit.distributions.special import log1mexp

__all__ = ["FAMILIES"]

# torch computes all by a probability between eps and 1 - eps; beyond logits of 36 that is another distribution. All is
# by the logits here: density(y) = eta exp(eta y) / (exp(eta) - 1).

_SMALL = 0.2  # logits below which the first powers left out of the series are below 1e-17
_LOG_SINH = (1 / 6, -1 / 180, 1 / 2835, -1 / 37800, 1 / 467775)  # of log(sinh(h) / h): h^2, h^4, ...
_MEAN = (1 / 12, -1 / 720, 1 / 30240, -1 / 1209600, 1 / 47900160)  # of the mean less 1/2: eta, eta^3, ...
_VARIANCE = (1 / 12, -1 / 240, 1 / 6048, -1 / 172800, 1 / 5322240)  # 1, eta^2, ...
_STRAIGHT = 1e-10  # logits whose square is rounding


def _logits(distribution: ContinuousBernoulli) -> Tensor:
    """The log-odds, also of probabilities that torch would move inwards first."""
    probs = vars(distribution).get("probs")
    if probs is None or distribution._param is not probs:
        return distribution.logits
    return probs.log() - torch.log1p(-probs)


def _is_moved(distribution: ContinuousBernoulli) -> Tensor:
    """In which rows torch has put its nearest probability in place of one that it does not take."""
    probs = vars(distribution).get("probs")
    if probs is None or distribution._param is not probs:
        return torch.zeros((), dtype=torch.bool)
    eps = torch.finfo(probs.dtype).eps
    return (probs == eps) | (probs == 1 - eps)


def _series(x: Tensor, coefficients: tuple[float, ...]) -> Tensor:
    """The sum in powers of ``x^2``, from the constant on."""
    squared, total = x * x, torch.zeros_like(x)
    for coefficient in reversed(coefficients):
        total = total * squared + coefficient
    return total


def _split(eta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Which logits are small, these, and the size of the others."""
    small = eta.abs() < _SMALL
    return small, torch.where(small, eta, 0.0), torch.where(small, 1.0, eta).abs()


def _log_density(distribution: ContinuousBernoulli, target: Tensor) -> Tensor:
    eta = _logits(distribution)
    small, near, far = _split(eta)
    half = near / 2
    spread = torch.where(
        small, half * half * _series(half, _LOG_SINH), far / 2 + torch.log1p(-torch.exp(-far)) - far.log()
    )
    value = eta * (target - 0.5) - spread
    return torch.where(_is_moved(distribution) | eta.isinf(), -torch.inf, value)


def _mean_at(eta: Tensor) -> Tensor:
    small, near, far = _split(eta)
    toward = 1 / far - torch.exp(-far) / -torch.expm1(-far)  # from the end to which it tends
    return torch.where(small, 0.5 + near * _series(near, _MEAN), torch.where(eta < 0, toward, 1 - toward))


def _variance_at(eta: Tensor) -> Tensor:
    small, near, far = _split(eta)
    return torch.where(small, _series(near, _VARIANCE), far**-2 - torch.exp(-far) / torch.expm1(-far) ** 2)


def _odds_slope(distribution: ContinuousBernoulli) -> Tensor:
    return 1 / (distribution.probs * (1 - distribution.probs))


def _score(distribution: ContinuousBernoulli, target: Tensor) -> Slopes:
    excess = target - _mean_at(_logits(distribution))
    return {"logits": lambda: excess, "probs": lambda: excess * _odds_slope(distribution)}


def _curvature(distribution: ContinuousBernoulli, target: Tensor) -> Entries:
    eta = _logits(distribution)

    def by_probs() -> Tensor:
        probs, slope = distribution.probs, _odds_slope(distribution)
        bend = (2 * probs - 1) * slope**2
        return _variance_at(eta) * slope**2 - (target - _mean_at(eta)) * bend

    return {("logits", "logits"): lambda: _variance_at(eta), ("probs", "probs"): by_probs}


def _information(distribution: ContinuousBernoulli) -> Entries:
    eta = _logits(distribution)
    return {
        ("logits", "logits"): lambda: _variance_at(eta),
        ("probs", "probs"): lambda: _variance_at(eta) * _odds_slope(distribution) ** 2,
    }


def _tails(distribution: ContinuousBernoulli, value: Tensor) -> tuple[Tensor, Tensor]:
    eta, value = torch.broadcast_tensors(_logits(distribution), value)  # type: ignore[no-untyped-call]
    straight = eta.abs() < _STRAIGHT
    size = torch.where(straight, 1.0, eta.abs())
    way = torch.where(eta < 0, value, 1 - value)  # from where the density is largest
    whole = log1mexp(size)
    near, rest = log1mexp(size * way) - whole, log1mexp(size * (1 - way)) - size * way - whole
    likely = near > -math.log(2)  # by whichever is the smaller
    near, rest = (
        torch.where(likely, torch.log1p(-torch.exp(torch.where(likely, rest, -1.0))), near),
        torch.where(likely, rest, torch.log1p(-torch.exp(torch.where(likely, -1.0, near)))),
    )
    below, above = torch.where(eta < 0, near, rest), torch.where(eta < 0, rest, near)
    return (
        torch.where(straight, value.log() + eta * (value - 1) / 2, below),
        torch.where(straight, torch.log1p(-value) + eta * value / 2, above),
    )


def _quantile(distribution: ContinuousBernoulli, probability: Tensor) -> Tensor:
    eta = _logits(distribution)
    straight = eta.abs() < _STRAIGHT
    size = torch.where(straight, 1.0, eta.abs())
    way = torch.where(eta < 0, probability, 1 - probability)
    place = -torch.log1p(way * torch.expm1(-size)) / size
    return torch.where(straight, probability, torch.where(eta < 0, place, 1 - place))


def _start(sample: Sample, given: Given) -> Starts:
    """By the mean: that of the exponential distribution near both ends, and along the straight line between them."""

    def logits() -> float:
        mean = min(max(sample.mean(), 1e-12), 1 - 1e-12)
        return (2 * mean - 1) * max(6.0, 1 / mean, 1 / (1 - mean))

    def probs() -> float:
        return float(torch.tensor(logits(), dtype=torch.float64).sigmoid().clamp(1e-300, 1 - 2.0**-53))

    return {"probs": probs, "logits": logits}


FAMILIES = (
    Family(
        ContinuousBernoulli,
        log_density=_log_density,
        score=_score,
        curvature=_curvature,
        information=_information,
        tails=_tails,
        mean=lambda distribution: _mean_at(_logits(distribution)),
        quantile=_quantile,
        start=_start,
    ),
)
