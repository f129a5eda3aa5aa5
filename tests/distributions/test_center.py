"""Means and medians, as far as classes tell them."""

import math

import pytest
import torch
from scipy import stats
from torch.distributions import Cauchy, Distribution, Gamma, Laplace, Pareto, RelaxedBernoulli, StudentT

from paramfit.distributions.center import mean_of, median_of
from tests.distributions.only_density import OnlyDensity


def number(value: float) -> torch.Tensor:
    return torch.tensor(value, dtype=torch.float64)


def test_mean_is_that_of_the_class() -> None:
    mean = mean_of(Gamma(number(2.0), number(0.5)))
    assert mean is not None
    assert mean.item() == pytest.approx(stats.gamma(2.0, scale=2.0).mean())


@pytest.mark.parametrize(
    "distribution",
    [OnlyDensity(number(0.0)), RelaxedBernoulli(number(0.5), probs=number(0.5))],
    ids=lambda distribution: type(distribution).__name__,
)
def test_class_that_tells_neither_has_neither(distribution: Distribution) -> None:
    assert mean_of(distribution) is None
    assert median_of(distribution) is None


def test_mean_that_does_not_exist_is_not_a_number() -> None:
    mean = mean_of(Cauchy(number(1.0), number(2.0)))
    assert mean is not None
    assert math.isnan(mean.item())


@pytest.mark.parametrize(
    ("distribution", "theirs"),
    [
        (Cauchy(number(1.0), number(2.0)), stats.cauchy(1.0, 2.0)),
        (Laplace(number(1.0), number(2.0)), stats.laplace(1.0, 2.0)),
        (Pareto(number(3.0), number(0.5)), stats.pareto(0.5, scale=3.0)),
        (StudentT(number(0.8), number(1.0), number(2.0)), stats.t(0.8, 1.0, 2.0)),
    ],
    ids=lambda given: type(given).__name__,
)
def test_median_is_scipys(distribution: Distribution, theirs: stats.rv_continuous) -> None:
    median = median_of(distribution)
    assert median is not None
    assert median.item() == pytest.approx(theirs.median(), rel=1e-12)
