"""Student's t distribution, with all digits where it is nearly normal."""

import math

import scipy.special
from torch import Tensor
from torch.distributions import StudentT

from paramfit.distributions.family import Entries, Family, Given, Sample, Slopes, Starts
from paramfit.distributions.special import (
    by_scipy,
    log1p_excess,
    log_gamma_ratio,
    log_gamma_ratio_curvature,
    log_gamma_ratio_slope,
)

__all__ = ["FAMILIES"]


def _log_density(distribution: StudentT, target: Tensor) -> Tensor:
    """Without the difference of log gammas that leaves torch's own no digit of its distance from the normal at 1e12."""
    df, scale = distribution.df, distribution.scale
    z = (target - distribution.loc) / scale
    value: Tensor = (log_gamma_ratio(df) - math.log(2 * math.pi) - (df + 1) * (z * z / df).log1p()) / 2 - scale.log()
    return value


def _score(distribution: StudentT, target: Tensor) -> Slopes:
    df, scale = distribution.df, distribution.scale
    z = (target - distribution.loc) / scale
    weight = (df + 1) / (df + z * z)

    def by_df() -> Tensor:
        share = z * z / (df + z * z)
        return (log_gamma_ratio_slope(df) + share / df + log1p_excess(-share)) / 2

    return {"df": by_df, "loc": lambda: weight * z / scale, "scale": lambda: (weight * z * z - 1) / scale}


def _curvature(distribution: StudentT, target: Tensor) -> Entries:
    df, scale = distribution.df, distribution.scale
    z = (target - distribution.loc) / scale
    square = z * z
    below = df + square
    weight = (df + 1) / below
    weight_by_df = (square - 1) / below**2

    def by_df_twice() -> Tensor:
        tails = square * (df * (square - 2) - square) / (df * below) ** 2
        return (1 / df**3 - log_gamma_ratio_curvature(df) - tails) / 2

    return {
        ("loc", "loc"): lambda: weight * (df - square) / below / scale**2,
        ("loc", "scale"): lambda: 2 * weight * z * df / below / scale**2,
        ("scale", "scale"): lambda: (weight * square * (1 + 2 * df / below) - 1) / scale**2,
        ("df", "loc"): lambda: -weight_by_df * z / scale,
        ("df", "scale"): lambda: -weight_by_df * square / scale,
        ("df", "df"): by_df_twice,
    }


def _information(distribution: StudentT) -> Entries:
    """By Lange, Little and Taylor, *Robust Statistical Modeling Using the t Distribution* (1989)."""
    df, scale = distribution.df, distribution.scale

    def by_df_twice() -> Tensor:
        # The trigammas' first terms and -(df + 5) / (2 df (df + 1) (df + 3)) cancel up to 7 / (2 df^4): taken together.
        leading: Tensor = (7 * df + 3) / (df**3 * (df + 1) * (df + 3))
        return (leading - log_gamma_ratio_curvature(df)) / 2

    return {
        ("loc", "loc"): lambda: (df + 1) / (df + 3) / scale**2,
        ("scale", "scale"): lambda: 2 * df / (df + 3) / scale**2,
        ("df", "scale"): lambda: -2 / ((df + 1) * (df + 3) * scale),
        ("df", "df"): by_df_twice,
    }


_QUARTILE = 0.7267  # with 5 degrees of freedom
_MOST_DF, _LEAST_DF = 30.0, 3.0  # of a start: beyond, the sample's kurtosis says little


def _start(sample: Sample, given: Given) -> Starts:
    def df() -> float:
        z = (sample.y - sample.mean()) / math.sqrt(sample.variance())
        excess = z.square().square().mean().item() - 3  # 6 / (df - 4) in expectation
        return min(max(4 + 6 / excess, _LEAST_DF), _MOST_DF) if excess > 0 else _MOST_DF

    return {"df": df, "loc": lambda: sample.quantile(0.5), "scale": lambda: sample.half_range() / _QUARTILE}


FAMILIES = (
    Family(
        StudentT,
        log_density=_log_density,
        score=_score,
        curvature=_curvature,
        information=_information,
        cdf=lambda t, value: by_scipy(scipy.special.stdtr, t.df, (value - t.loc) / t.scale),
        median=lambda t: t.loc,
        start=_start,
    ),
)
