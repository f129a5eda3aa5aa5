"""Counts of events (Poisson), and of successes and failures in independent trials."""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import scipy.special
import torch
from torch import Tensor
from torch.distributions import Bernoulli, Binomial, Geometric, NegativeBinomial, Poisson
from torch.nn.functional import softplus

from paramfit.distributions.family import Entries, Family, Given, Sample, Slopes, Starts
from paramfit.distributions.special import by_scipy, deviance, digamma_rest, log_gamma_rest, may_cancel, trigamma

__all__ = ["FAMILIES"]

Trials = Bernoulli | Binomial | Geometric | NegativeBinomial

# At an edge at which an observation has the probability 1 (a rate of 0 and no event) what is 0 over 0 is 0. Nothing
# smaller than this is divided by; its square is a number still.
_LEAST = 1e-150


def _divisor(argument: Tensor) -> Tensor:
    return argument.clamp_min(_LEAST)


def _ratio(count: Tensor | float, argument: Tensor) -> Tensor:
    """A count over what it is a count of; infinite where that cannot be."""
    return torch.where(torch.as_tensor(count, device=argument.device) == 0, 0.0, count / argument)


def _inverse(variance: Tensor) -> Tensor:
    """One over it; 0 where it has been rounded to 0, and a row says nothing any more."""
    return torch.where(variance > 0, 1 / variance, 0.0)


# torch computes probs from logits, or logits from probs, when asked: so only inside of what computes an entry.


def _is_by_probs(trials: Bernoulli | Binomial | NegativeBinomial) -> bool:
    return "probs" in vars(trials) and trials._param is trials.probs


def _by_probs(successes: Tensor, failures: Tensor | float, probs: Tensor) -> Tensor:
    """``successes * log probs + failures * log(1 - probs)``, 0 log 0 being 0.

    torch computes it by logits, of which there is none beyond 36: any probability below a rounding is one to it.
    """
    failed = torch.as_tensor(failures, dtype=probs.dtype, device=probs.device)
    won = successes * torch.where(successes > 0, probs, 1.0).log()
    return won + failed * torch.log1p(-torch.where(failed > 0, probs, 0.0))


def _poisson_without_cancelling(count: Tensor, mean: Tensor) -> Tensor:
    """The log-probability of a count by its deviance from the mean; see ``deviance``."""
    positive = count > 0
    kept = torch.where(positive, count, 1.0)
    constant = (2 * math.pi * kept).log() / 2 + log_gamma_rest(kept)
    return -deviance(count, mean) - torch.where(positive, constant, 0.0)


def _poisson_log_density(poisson: Poisson, target: Tensor) -> Tensor:
    if may_cancel(poisson.rate, target):
        return _poisson_without_cancelling(target, poisson.rate)
    value: Tensor = poisson.log_prob(target)  # type: ignore[no-untyped-call]
    return value


def _bernoulli_log_density(trial: Bernoulli, target: Tensor) -> Tensor:
    if _is_by_probs(trial):
        return _by_probs(target, 1 - target, trial.probs)
    value: Tensor = trial.log_prob(target)  # type: ignore[no-untyped-call]
    return value


def _binomial_log_density(trials: Binomial, target: Tensor) -> Tensor:
    r"""By the deviances of successes and failures, where there are many trials: n Poisson's over Poisson's."""
    count = trials.total_count
    if not may_cancel(count):
        if _is_by_probs(trials):
            ways = torch.lgamma(count + 1) - torch.lgamma(target + 1) - torch.lgamma(count - target + 1)
            return _by_probs(target, count - target, trials.probs) + ways
        value: Tensor = trials.log_prob(target)  # type: ignore[no-untyped-call]
        return value
    failure = 1 - trials.probs if _is_by_probs(trials) else (-trials.logits).sigmoid()
    successes = _poisson_without_cancelling(target, count * trials.probs)
    failures = _poisson_without_cancelling(count - target, count * failure)
    return successes + failures - _poisson_without_cancelling(count, count)


def _score(trials: Bernoulli | Binomial, target: Tensor, count: Tensor | float) -> Slopes:
    return {
        "probs": lambda: _ratio(target, trials.probs) - _ratio(count - target, 1 - trials.probs),
        "logits": lambda: target - count * trials.probs,
    }


def _curvature(trials: Trials, successes: Tensor, failures: Tensor) -> Entries:
    """Of ``successes * log probs + failures * log(1 - probs)``."""
    return {
        ("probs", "probs"): lambda: _ratio(successes, trials.probs**2) + _ratio(failures, (1 - trials.probs) ** 2),
        ("logits", "logits"): lambda: (successes + failures) * _spread(trials.logits),
    }


def _information(trials: Bernoulli | Binomial, count: Tensor | float) -> Entries:
    return {
        ("probs", "probs"): lambda: count * _inverse(trials.probs * (1 - trials.probs)),
        ("logits", "logits"): lambda: count * _spread(trials.logits),
    }


def _spread(logits: Tensor) -> Tensor:
    """The variance of one trial, with all digits at both ends."""
    return logits.sigmoid() * (-logits).sigmoid()


def _share(successes: float, trials: float) -> float:
    """The share of successes; where there are none or all, half a success or failure is added."""
    if 0 < successes < trials:
        return successes / trials
    return (successes + 0.5) / (trials + 1)


def _probability(share: Callable[[], float]) -> Starts:
    def logits() -> float:
        probs = share()
        return math.log(probs) - math.log1p(-probs)

    return {"probs": share, "logits": logits}


def _bernoulli_start(sample: Sample, given: Given) -> Starts:
    return _probability(lambda: _share(sample.y.sum().item(), sample.n))


def _binomial_cdf(distribution: Binomial, value: Tensor) -> Tensor:
    left = distribution.total_count - value.floor()
    below = by_scipy(scipy.special.betainc, left.clamp_min(1.0), value.floor() + 1, 1 - distribution.probs)
    return torch.where(left < 1, 1.0, below)


def _binomial_start(sample: Sample, given: Given) -> Starts:
    if "total_count" not in given:
        return {}
    return _probability(lambda: _share(sample.y.sum().item(), sample.n * given["total_count"]))


def _geometric_log_density(geometric: Geometric, target: Tensor) -> Tensor:
    """By the logits, where they were given: a probability below the smallest number is none of 0."""
    if "probs" not in vars(geometric):
        return -softplus(-geometric.logits) - target * softplus(geometric.logits)
    value: Tensor = geometric.log_prob(target)  # type: ignore[no-untyped-call]
    return value


def _geometric_score(geometric: Geometric, target: Tensor) -> Slopes:
    return {
        "probs": lambda: 1 / geometric.probs - _ratio(target, 1 - geometric.probs),
        "logits": lambda: (-geometric.logits).sigmoid() - target * geometric.logits.sigmoid(),
    }


def _geometric_information(geometric: Geometric) -> Entries:
    return {
        ("probs", "probs"): lambda: _inverse(geometric.probs**2 * (1 - geometric.probs)),
        ("logits", "logits"): lambda: (-geometric.logits).sigmoid(),
    }


def _negative_binomial_mean(distribution: NegativeBinomial) -> Tensor:
    """By the argument that was given, so that neither end loses its digits."""
    by_probs = _is_by_probs(distribution)
    odds = distribution.probs / (1 - distribution.probs) if by_probs else distribution.logits.exp()
    return distribution.total_count * odds


def _negative_binomial_log_density(distribution: NegativeBinomial, target: Tensor) -> Tensor:
    r"""Poisson's, and what is left of it as the count c of failures grows.

    .. math:: \log p = \log p_{Poisson}(y; \mu) + D(c + y, c + \mu) - \frac{1}{2} \log(1 + y / c) + \dots

    with :math:`D(x, m) = x \log(x / m) + m - x`; the dots are differences of ``log_gamma_rest``.
    """
    count = distribution.total_count
    if not may_cancel(count, target):
        if _is_by_probs(distribution):
            ways = torch.lgamma(count + target) - torch.lgamma(target + 1) - torch.lgamma(count)
            ways = torch.where(count + target == 0, 0.0, ways)
            return _by_probs(target, count, distribution.probs) + ways
        value: Tensor = distribution.log_prob(target)  # type: ignore[no-untyped-call]
        return value
    mean = _negative_binomial_mean(distribution)
    rests = log_gamma_rest(count + target) - log_gamma_rest(count) - torch.log1p(target / count) / 2
    return _poisson_without_cancelling(target, mean) + deviance(count + target, count + mean) + rests


def _negative_binomial_score(distribution: NegativeBinomial, target: Tensor) -> Slopes:
    count = distribution.total_count

    def by_count() -> Tensor:
        if may_cancel(count, target):
            mean = _negative_binomial_mean(distribution)
            rests = digamma_rest(count + target) - digamma_rest(count)
            return torch.log1p((target - mean) / (count + mean)) + rests
        # log(1 - probs), written with the argument that was given so that neither end loses its digits.
        by_probs = _is_by_probs(distribution)
        failure = torch.log1p(-distribution.probs) if by_probs else -softplus(distribution.logits)
        return failure + (torch.digamma(_divisor(count) + target) - torch.digamma(_divisor(count)))

    return {
        "total_count": by_count,
        "probs": lambda: target / _divisor(distribution.probs) - count / (1 - distribution.probs),
        "logits": lambda: target * (-distribution.logits).sigmoid() - count * distribution.logits.sigmoid(),
    }


def _negative_binomial_curvature(distribution: NegativeBinomial, target: Tensor) -> Entries:
    count = distribution.total_count
    return {
        **_curvature(distribution, target, count),
        ("total_count", "total_count"): lambda: trigamma(_divisor(count)) - trigamma(_divisor(count) + target),
        ("total_count", "probs"): lambda: 1 / (1 - distribution.probs),
        ("total_count", "logits"): lambda: distribution.logits.sigmoid(),
    }


def _negative_binomial_information(distribution: NegativeBinomial) -> Entries:
    count = distribution.total_count
    return {
        ("probs", "probs"): lambda: count * _inverse(distribution.probs * (1 - distribution.probs) ** 2),
        ("logits", "logits"): lambda: count * distribution.logits.sigmoid(),
    }


_ONE_BY_ONE = 256  # counts; a sum over more is an integral, but for 1 / (24 * 256^2) of what is left
_PANELS = (-8.0, -4.0, -2.0, 0.0, 2.0, 4.0, 8.0, 16.0)  # standard deviations from the mean
_TAIL = 40.0  # of a probability's logarithm: nothing is left beyond
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)
_MOST_ROWS = 20_000  # with 400 probabilities each


def _expected_by_count(distribution: NegativeBinomial) -> Tensor:
    r"""The expected curvature by the count r, for each row.

    .. math:: E[\psi'(r) - \psi'(r + Y)] = \sum_{j \ge 0} \frac{P(Y > j)}{(r + j)^2}

    with the sum's far end, where it changes slowly, as an integral by Gauss and Legendre.
    """
    count, probs = torch.broadcast_tensors(distribution.total_count, distribution.probs)  # type: ignore[no-untyped-call]
    r, p = (column.detach().double().reshape(-1, 1).numpy() for column in (count, probs))

    def terms(j: Any) -> Any:
        return scipy.special.betainc(j + 1, r, p) / (r + j) ** 2

    total = terms(np.arange(_ONE_BY_ONE)).sum(axis=1, keepdims=True)
    mean = r * p / (1 - p)
    deviation, first = np.sqrt(mean / (1 - p)), np.full_like(mean, _ONE_BY_ONE - 0.5)
    last = mean + _TAIL * (deviation - 1 / np.log(p))
    ends = np.concatenate([first, mean + deviation * np.array(_PANELS), last], axis=1)
    ends = np.maximum(ends, first)
    for low, high in pairwise(ends.T[:, :, None]):
        half = (high - low) / 2
        total += half * (terms(low + half + half * _NODES) @ _WEIGHTS[:, None])
    return torch.from_numpy(total).reshape(count.shape)


def _negative_binomial_summed_information(distribution: NegativeBinomial) -> Entries:
    if distribution.total_count.numel() > _MOST_ROWS:
        return {}
    made = distribution
    return {
        ("total_count", "total_count"): lambda: _expected_by_count(made),
        ("total_count", "probs"): lambda: 1 / (1 - made.probs),
        ("total_count", "logits"): lambda: made.logits.sigmoid(),
    }


def _negative_binomial_start(sample: Sample, given: Given) -> Starts:
    def total_count() -> float:
        sample.must_not_be_zero()
        mean = sample.mean()
        # No more spread than Poisson's has its maximum at an infinite count: start where the excess is a hundredth.
        excess = max(sample.y.var(correction=0).item() - mean, mean / 100)
        return mean**2 / excess

    def probs() -> float:
        count = given["total_count"] if "total_count" in given else total_count()
        return _share(sample.y.sum().item(), sample.y.sum().item() + sample.n * count)

    return {"total_count": total_count, **_probability(probs)}


FAMILIES = (
    Family(
        Poisson,
        log_density=_poisson_log_density,
        score=lambda poisson, target: {"rate": lambda: target / _divisor(poisson.rate) - 1},
        curvature=lambda poisson, target: {("rate", "rate"): lambda: target / _divisor(poisson.rate) ** 2},
        information=lambda poisson: {("rate", "rate"): lambda: _inverse(poisson.rate)},
        cdf=lambda poisson, value: by_scipy(scipy.special.pdtr, value, poisson.rate),
        start=lambda sample, _: {"rate": lambda: sample.mean() or 0.5 / sample.n},
    ),
    Family(
        Bernoulli,
        log_density=_bernoulli_log_density,
        score=lambda bernoulli, target: _score(bernoulli, target, 1.0),
        curvature=lambda bernoulli, target: _curvature(bernoulli, target, 1 - target),
        information=lambda bernoulli: _information(bernoulli, 1.0),
        cdf=lambda bernoulli, value: torch.where(value < 1, 1 - bernoulli.probs, 1.0),
        start=_bernoulli_start,
    ),
    Family(
        Binomial,
        log_density=_binomial_log_density,
        score=lambda binomial, target: _score(binomial, target, binomial.total_count),
        curvature=lambda binomial, target: _curvature(binomial, target, binomial.total_count - target),
        information=lambda binomial: _information(binomial, binomial.total_count),
        cdf=_binomial_cdf,
        start=_binomial_start,
    ),
    Family(
        Geometric,
        log_density=_geometric_log_density,
        score=_geometric_score,
        curvature=lambda geometric, target: _curvature(geometric, torch.ones_like(target), target),
        information=_geometric_information,
        cdf=lambda geometric, value: -torch.expm1((value.floor() + 1) * torch.log1p(-geometric.probs)),
        start=lambda sample, _: _probability(lambda: _share(sample.n, sample.n + sample.y.sum().item())),
    ),
    Family(
        NegativeBinomial,
        log_density=_negative_binomial_log_density,
        score=_negative_binomial_score,
        curvature=_negative_binomial_curvature,
        information=_negative_binomial_information,
        summed_information=_negative_binomial_summed_information,
        cdf=lambda made, y: by_scipy(scipy.special.betainc, made.total_count, y.floor() + 1, 1 - made.probs),
        start=_negative_binomial_start,
    ),
)
