"""How well a model fits, in numbers: information criteria, and what residuals or a likelihood say beyond them."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, TypeVar

import numpy as np
from scipy.special import chdtrc
from torch import Tensor

from paramfit.distributions import Censoring
from paramfit.observations import Censored

__all__ = [
    "InformationCriteria",
    "LeastSquaresStatistics",
    "LikelihoodStatistics",
    "SigmaIs",
    "information_criteria",
    "least_squares_statistics",
    "likelihood_statistics",
    "without_criteria",
]

_CRITERIA = ("log_likelihood", "aic", "aicc", "bic")
_ROUNDING = 16 * float(np.finfo(np.float64).eps)  # of the target's length


class SigmaIs(StrEnum):
    """What known errors are: standard deviations, or proportional to them."""

    ABSOLUTE = "absolute"
    RELATIVE = "relative"


@dataclass(frozen=True)
class InformationCriteria:
    r"""Criteria that weigh how well a model fits against how many parameters it took.

    Attributes:
        log_likelihood: :math:`\ln L`.
        aic: Akaike's criterion, :math:`2k - 2 \ln L`.
        aicc: the same, corrected for few observations; None for :math:`n \le k + 1`.
        bic: Schwarz's criterion, :math:`k \ln n - 2 \ln L`.

    References:
        Kenneth Burnham, David Anderson: Model Selection and Multimodel Inference (2002), chapter 2.
    """

    log_likelihood: float
    aic: float
    aicc: float | None
    bic: float


def information_criteria(log_likelihood: float, n: int, k: int) -> InformationCriteria:
    """The criteria of ``k`` parameters estimated from ``n`` observations."""
    aic = 2 * k - 2 * log_likelihood
    aicc = aic + 2 * k * (k + 1) / (n - k - 1) if n > k + 1 else None
    return InformationCriteria(log_likelihood, aic, aicc, k * math.log(n) - 2 * log_likelihood)


class _ByKey(Mapping[str, Any]):
    """Statistics that may also be read by their names in ``estimates.json``: ``result.likelihood["aic"]``."""

    def __iter__(self) -> Iterator[str]:
        """The names."""
        return iter(self.__dict__)

    def __len__(self) -> int:
        """How many there are."""
        return len(self.__dict__)

    def __getitem__(self, key: str) -> Any:
        """The statistic of that name.

        Raises:
            KeyError: if there is none.
        """
        if key not in self.__dict__:
            raise KeyError(key)
        return self.__dict__[key]


@dataclass(frozen=True)
class LeastSquaresStatistics(_ByKey):
    r"""How well a curve fits.

    Attributes:
        degrees_of_freedom: observations less estimated parameters, without those that nothing determines or that sit
            at a bound.
        residual_sum_of_squares: :math:`\sum (r_i / \sigma_i)^2`, with :math:`\sigma_i = 1` unless errors are known.
        residual_standard_deviation: s, the root of it over the degrees of freedom; None without any.
        chi_square: the same sum where the errors are known absolutely; None otherwise.
        chi_square_probability: probability of a chi-square at least so large, if the model and the errors hold.
        r_squared: :math:`1 - \mathrm{RSS} / \sum w (y - \bar y)^2`; None where the target does not vary.
        log_likelihood: of normal errors: with the known sigma, or with the one that makes it largest; None, as are the
            criteria, for a robust fit, whose estimates are not where it is largest, and for an exact one without sigma.
        aic: see ``InformationCriteria``; k counts the estimated parameters, and sigma where it is not known.
        aicc: likewise.
        bic: likewise.
        sigma_is: what known errors are; None without any.
    """

    degrees_of_freedom: int
    residual_sum_of_squares: float
    residual_standard_deviation: float | None
    chi_square: float | None
    chi_square_probability: float | None
    r_squared: float | None
    log_likelihood: float | None
    aic: float | None
    aicc: float | None
    bic: float | None
    sigma_is: SigmaIs | None = None


@dataclass(frozen=True)
class LikelihoodStatistics(_ByKey):
    r"""How likely a model makes the sample.

    Attributes:
        log_likelihood: :math:`\ln L`, with all constants.
        n_parameters: estimated parameters k, without those that nothing determines or that sit at a bound.
        aic: see ``InformationCriteria``; None, as are the others, where the likelihood has no maximum or the fit has
            not reached it.
        aicc: likewise.
        bic: likewise.
        censored: how many observations are bounds, by their kind (``left``, ``right``, ``interval``).
    """

    log_likelihood: float
    n_parameters: int
    aic: float | None
    aicc: float | None
    bic: float | None
    censored: Mapping[str, int] = field(default_factory=dict)


_Statistics = TypeVar("_Statistics", LeastSquaresStatistics, LikelihoodStatistics)


def least_squares_statistics(
    rss: float,
    target: Tensor,
    sigma: Tensor | None,
    p: int,
    *,
    absolute_sigma: bool,
    is_robust: bool = False,
    unit: float = 1.0,
) -> LeastSquaresStatistics:
    """The statistics of a fit.

    Args:
        rss: sum of the squared residuals, each over its sigma and the unit.
        target: ``(n,)``.
        sigma: ``(n,)``, where it is known.
        p: number of estimated parameters, as far as the observations determine them.
        absolute_sigma: whether sigma is the errors' standard deviation, or only proportional to it.
        is_robust: whether something else than the squared error was minimised, so that there is no likelihood.
        unit: what numbers of the target's size, over sigma, are divided by before they are squared.
    """
    n = len(target)
    freedom = n - p
    sigma_is_known = sigma is not None and absolute_sigma
    values = target.numpy()
    if sigma is None:
        values = values if unit == 1.0 else values / unit
        weighed, away, log_sigma = values, values - values.sum() / n, 0.0
    else:
        errors = sigma.numpy()
        weighed = values / errors / unit
        weights = np.square(errors.min() / errors)
        mean = float((weights / weights.sum()) @ values)
        away, log_sigma = (values - mean) / errors / unit, float(np.log(errors).sum())
    spread, unscaled = float(away @ away), rss * unit * unit
    if sigma_is_known:
        likelihood = -0.5 * unscaled - log_sigma - 0.5 * n * math.log(2 * math.pi)
        count = p
    else:
        count = p + 1
        # The residuals of an exact fit are rounding, and say nothing of sigma.
        exact = freedom <= 0 or rss <= _ROUNDING**2 * float(weighed @ weighed)
        likelihood = (
            math.inf if exact else -0.5 * n * (math.log(2 * math.pi * rss / n) + 1) - n * math.log(unit) - log_sigma
        )
    has_likelihood = math.isfinite(likelihood) and not is_robust
    criteria = vars(information_criteria(likelihood, n, count)) if has_likelihood else dict.fromkeys(_CRITERIA)
    return LeastSquaresStatistics(
        degrees_of_freedom=freedom,
        residual_sum_of_squares=unscaled,
        residual_standard_deviation=unit * math.sqrt(rss / freedom) if freedom > 0 else None,
        chi_square=unscaled if sigma_is_known else None,
        chi_square_probability=float(chdtrc(freedom, unscaled)) if sigma_is_known and freedom > 0 else None,
        r_squared=1 - rss / spread if spread > 0 else None,
        sigma_is=None if sigma is None else SigmaIs.ABSOLUTE if absolute_sigma else SigmaIs.RELATIVE,
        **criteria,
    )


def without_criteria(statistics: _Statistics) -> _Statistics:
    """The same of a fit that is not at its maximum, which is what AIC, AICc and BIC are defined by."""
    return replace(statistics, aic=None, aicc=None, bic=None)


def likelihood_statistics(
    log_likelihood: float, n: int, k: int, censoring: Censored | None = None, *, has_maximum: bool = True
) -> LikelihoodStatistics:
    """The criteria of ``k`` parameters and ``n`` observations, of which some may be censored."""
    status = [] if censoring is None else censoring.status.tolist()
    counts = {kind.name.lower(): status.count(kind) for kind in Censoring if kind is not Censoring.OBSERVED}
    censored = {kind: count for kind, count in counts.items() if count}
    criteria: dict[str, Any] = vars(information_criteria(log_likelihood, n, k))
    if not has_maximum:
        criteria = {**dict.fromkeys(criteria), "log_likelihood": log_likelihood}
    return LikelihoodStatistics(n_parameters=k, censored=censored, **criteria)
