"""The gamma distribution, its special cases, and that of its reciprocal."""

import math

import torch
from torch import Tensor
from torch.distributions import Chi2, Distribution, Exponential, Gamma, InverseGamma

from paramfit.distributions.family import Entries, Family, Given, Sample, SampleSums, Slopes, Starts, no_derivative
from paramfit.distributions.special import (
    digamma_rest,
    log1p_excess,
    log1p_where_near,
    log_gamma_rest,
    lower_gamma,
    may_cancel,
    tails_of_hazard,
    tails_of_probabilities,
    trigamma,
    upper_gamma,
)
from paramfit.errors import InputError

__all__ = ["FAMILIES"]


def _excess(distribution: Gamma | InverseGamma, logs: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    """By how much ``value`` is above the concentration over the rate, relatively; and the log of one plus that."""
    concentration, rate = distribution.concentration, distribution.rate
    excess = (rate * value - concentration) / concentration
    return excess, log1p_where_near(excess, logs + (rate.log() - concentration.log()))


def _without_cancelling(distribution: Gamma | InverseGamma, logs: Tensor, value: Tensor) -> Tensor:
    r"""The log-density of a gamma variate, by how far it is from its mean, :math:`1 + \delta = r y / a`.

    .. math:: \log p = a (\log(1 + \delta) - \delta) + \frac{1}{2} \log \frac{a}{2 \pi} - \log y
        - \Big(\frac{1}{12 a} - \dots\Big)
    """
    concentration = distribution.concentration
    constant = (concentration / (2 * math.pi)).log() / 2 - log_gamma_rest(concentration)
    return concentration * log1p_excess(*_excess(distribution, logs, value)) + constant - logs


def _gamma_log_density(distribution: Gamma, target: Tensor) -> Tensor:
    if may_cancel(distribution.concentration):
        return _without_cancelling(distribution, target.log(), target)
    value: Tensor = distribution.log_prob(target)  # type: ignore[no-untyped-call]
    return value


def _inverse_log_density(distribution: InverseGamma, target: Tensor) -> Tensor:
    if may_cancel(distribution.concentration):
        return _without_cancelling(distribution, -target.log(), 1 / target) - 2 * target.log()
    value: Tensor = distribution.log_prob(target)  # type: ignore[no-untyped-call]
    return value


def _slopes_without_cancelling(
    distribution: Gamma | InverseGamma, logs: Tensor, value: Tensor
) -> tuple[Tensor, Tensor]:
    concentration = distribution.concentration
    excess, logarithm = _excess(distribution, logs, value)
    return logarithm - digamma_rest(concentration), -excess * concentration / distribution.rate


def _gamma_score(distribution: Gamma, target: Tensor) -> Slopes:
    concentration, rate = distribution.concentration, distribution.rate
    if may_cancel(concentration):
        by_concentration, by_rate = _slopes_without_cancelling(distribution, target.log(), target)
        return {"concentration": lambda: by_concentration, "rate": lambda: by_rate}
    return {
        "concentration": lambda: target.log() + (rate.log() - torch.digamma(concentration)),
        "rate": lambda: concentration / rate - target,
    }


def _information(distribution: Gamma | InverseGamma) -> Entries:
    """The curvature of every observation too."""
    return {
        ("concentration", "concentration"): lambda: trigamma(distribution.concentration),
        ("concentration", "rate"): lambda: -1 / distribution.rate,
        ("rate", "rate"): lambda: distribution.concentration / distribution.rate**2,
    }


def _gamma_sums(distribution: Gamma, target: Tensor) -> SampleSums:
    concentration, rate, n = distribution.concentration, distribution.rate, len(target)
    if may_cancel(concentration):
        logs = target.log()
        by_concentration, by_rate = _slopes_without_cancelling(distribution, logs, target)
        return SampleSums(
            _without_cancelling(distribution, logs, target).sum(),
            {"concentration": by_concentration.sum(), "rate": by_rate.sum()},
        )
    logs, total = target.log().sum(), target.sum()
    constant = concentration * rate.log() - torch.lgamma(concentration)
    return SampleSums(
        (concentration - 1) * logs - rate * total + n * constant,
        {
            "concentration": logs + n * (rate.log() - torch.digamma(concentration)),
            "rate": n * concentration / rate - total,
        },
    )


def _tails(distribution: Distribution, argument: str, shape: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """By both incomplete gamma functions of ``x``, of which neither has a derivative by the shape."""
    if shape.requires_grad:
        raise InputError(no_derivative(type(distribution), argument))
    return tails_of_probabilities(lower_gamma(shape, x), upper_gamma(shape, x))


def _gamma_start(sample: Sample, given: Given) -> Starts:
    """By Minka, *Estimating a Gamma distribution* (2002)."""

    def concentration() -> float:
        if "rate" in given:
            return sample.mean() * given["rate"]
        sample.must_vary()
        # Minka's start, within 1.5 % of the maximum; s is what the mean's logarithm exceeds the logarithms' mean by.
        s = math.log(sample.mean()) - sample.y.log().mean().item()
        if s < 1e-10:  # a spread so small that rounding is all of s: there s is half the squared relative spread
            s = sample.variance() / sample.mean() ** 2 / 2
        return (3 - s + math.sqrt((s - 3) ** 2 + 24 * s)) / (12 * s)

    def rate() -> float:
        return (given["concentration"] if "concentration" in given else concentration()) / sample.mean()

    return {"concentration": concentration, "rate": rate}


def _inverse_score(distribution: InverseGamma, target: Tensor) -> Slopes:
    concentration, rate = distribution.concentration, distribution.rate
    if may_cancel(concentration):
        by_concentration, by_rate = _slopes_without_cancelling(distribution, -target.log(), 1 / target)
        return {"concentration": lambda: by_concentration, "rate": lambda: by_rate}
    return {
        "concentration": lambda: (rate.log() - torch.digamma(concentration)) - target.log(),
        "rate": lambda: concentration / rate - 1 / target,
    }


FAMILIES = (
    Family(
        Gamma,
        log_density=_gamma_log_density,
        score=_gamma_score,
        curvature=lambda gamma, _: _information(gamma),
        information=_information,
        sums=_gamma_sums,
        tails=lambda gamma, value: _tails(gamma, "concentration", gamma.concentration, gamma.rate * value),
        start=_gamma_start,
        open_support=True,
    ),
    Family(
        InverseGamma,
        log_density=_inverse_log_density,
        score=_inverse_score,
        curvature=lambda inverse, _: _information(inverse),
        information=_information,
        # What is above the value has its reciprocal below.
        tails=lambda inverse, y: _tails(inverse, "concentration", inverse.concentration, inverse.rate / y)[::-1],
        start=lambda sample, given: _gamma_start(sample.of(1 / sample.y), given),
    ),
    Family(
        Chi2,
        log_density=_gamma_log_density,
        score=lambda chi2, target: {"df": lambda: _gamma_score(chi2, target)["concentration"]() / 2},
        curvature=lambda chi2, _: {("df", "df"): lambda: trigamma(chi2.df / 2) / 4},
        information=lambda chi2: {("df", "df"): lambda: trigamma(chi2.df / 2) / 4},
        tails=lambda chi2, value: _tails(chi2, "df", chi2.concentration, value / 2),
        start=lambda sample, _: {"df": sample.mean},
        open_support=True,
    ),
    Family(
        Exponential,
        score=lambda exponential, target: {"rate": lambda: 1 / exponential.rate - target},
        curvature=lambda exponential, _: {("rate", "rate"): lambda: 1 / exponential.rate**2},
        information=lambda exponential: {("rate", "rate"): lambda: 1 / exponential.rate**2},
        tails=lambda exponential, value: tails_of_hazard(exponential.rate * value),
        start=lambda sample, _: {"rate": sample.rate},
    ),
)
