"""What the residuals of a fit say, beyond the estimates."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc
from torch import Tensor

__all__ = ["LeastSquaresStatistics", "least_squares_statistics"]

_ROUNDING = 16 * float(np.finfo(np.float64).eps)  # of the target's length


@dataclass(frozen=True)
class LeastSquaresStatistics:
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
        aic: Akaike's criterion, :math:`2k - 2 \ln L`; k counts the estimated parameters, and sigma where it is not
            known.
        aicc: the same, corrected for few observations; None for :math:`n \le k + 1`.
        bic: Schwarz's criterion, :math:`k \ln n - 2 \ln L`.

    References:
        Kenneth Burnham, David Anderson: Model Selection and Multimodel Inference (2002), chapter 2.
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


def least_squares_statistics(
    rss: float, target: Tensor, sigma: Tensor | None, p: int, *, absolute_sigma: bool, is_robust: bool = False
) -> LeastSquaresStatistics:
    """The statistics of a fit.

    Args:
        rss: sum of the squared residuals, each over its sigma.
        target: ``(n,)``.
        sigma: ``(n,)``, where it is known.
        p: number of estimated parameters, as far as the observations determine them.
        absolute_sigma: whether sigma is the errors' standard deviation, or only proportional to it.
        is_robust: whether something else than the squared error was minimised, so that there is no likelihood.
    """
    n = len(target)
    freedom = n - p
    known = sigma is not None and absolute_sigma
    values = target.numpy()
    if sigma is None:
        weighed, away, log_sigma = values, values - values.mean(), 0.0
    else:
        errors = sigma.numpy()
        weighed = values / errors
        weights = 1 / np.square(errors)
        away, log_sigma = (values - np.average(values, weights=weights)) / errors, float(np.log(errors).sum())
    spread = float(away @ away)
    if known:
        likelihood = -0.5 * rss - log_sigma - 0.5 * n * math.log(2 * math.pi)
        count = p
    else:
        count = p + 1
        # The residuals of an exact fit are rounding, and say nothing of sigma.
        exact = freedom <= 0 or rss <= _ROUNDING**2 * float(weighed @ weighed)
        likelihood = math.inf if exact else -0.5 * n * (math.log(2 * math.pi * rss / n) + 1) - log_sigma
    has_likelihood = math.isfinite(likelihood) and not is_robust
    return LeastSquaresStatistics(
        degrees_of_freedom=freedom,
        residual_sum_of_squares=rss,
        residual_standard_deviation=math.sqrt(rss / freedom) if freedom > 0 else None,
        chi_square=rss if known else None,
        chi_square_probability=float(chdtrc(freedom, rss)) if known and freedom > 0 else None,
        r_squared=1 - rss / spread if spread > 0 else None,
        log_likelihood=likelihood if has_likelihood else None,
        aic=2 * count - 2 * likelihood if has_likelihood else None,
        aicc=2 * count - 2 * likelihood + 2 * count * (count + 1) / (n - count - 1)
        if has_likelihood and n > count + 1
        else None,
        bic=count * math.log(n) - 2 * likelihood if has_likelihood else None,
    )
