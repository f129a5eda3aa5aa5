"""What every rung's 95 % interval promises: in 400 simulated data sets it covers the truth about 380 times.

And what the ladder is for: where the error model is wrong, the rungs that believe in it cover far less, and the
sandwich still holds.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
from torch import nn

import paramfit
from paramfit import DistributionModel, LinearModel
from tests.reference.likelihood.truth import Array

REPEATS = 400
LEAST, MOST = 0.92, 0.98  # 2.75 standard deviations of a count of 400 on either side of 0.95
FAILS = 0.90  # 4.6 standard deviations below 0.95

CURVATURE = ("observed information", "expected information")
BELIEVING = (*CURVATURE, "profile likelihood")
ROBUST = ("sandwich", "bootstrap percentile", "bootstrap BCa")
EVERY = (*BELIEVING, *ROBUST)


class Experiment(NamedTuple):
    """A truth, what is drawn from it again and again, and what is made of it."""

    model: Callable[[], nn.Module]
    truth: dict[str, float]
    draw: Callable[[np.random.Generator], tuple[Array, ...]]
    holds: tuple[str, ...]  # the rungs whose assumptions hold
    fails: tuple[str, ...] = ()
    profile: bool = False  # whether profiles are followed
    bootstrap: int = 0  # number of resamples


X = np.linspace(-1, 1, 80)
MANY_X = np.linspace(-1, 1, 320)  # the sandwich and the bootstrap hold for many observations


def waiting() -> DistributionModel:
    return DistributionModel("torch.distributions.Exponential", {"rate": None})


def waiting_times(random: np.random.Generator) -> tuple[Array, ...]:
    return (random.exponential(0.5, 150),)


def counts() -> DistributionModel:
    return DistributionModel("torch.distributions.Poisson", {"rate": None})


def overdispersed(random: np.random.Generator) -> tuple[Array, ...]:
    """Counts of mean 4 and variance 12, where Poisson's is 4."""
    return (random.negative_binomial(2, 1 / 3, 400).astype(float),)


def count_regression() -> DistributionModel:
    return DistributionModel("torch.distributions.Poisson", {"rate": "exp(a + b*x)"}, {"a": 1.0, "b": 0.0})


def counts_along_x(random: np.random.Generator) -> tuple[Array, ...]:
    return X, random.poisson(np.exp(1 + 0.8 * X)).astype(float)


def equal_scatter(random: np.random.Generator) -> tuple[Array, ...]:
    return X, random.normal(1 + 2 * X, 0.5)


def unequal_scatter(random: np.random.Generator) -> tuple[Array, ...]:
    """A line whose scatter grows to both ends, where its slope is decided."""
    return MANY_X, random.normal(1 + 2 * MANY_X, 0.1 + MANY_X**2)


LINE = {"weight": 2.0, "bias": 1.0}
# Profiles and resamples cost several times a fit: they are followed and drawn once.
EXPERIMENTS = {
    "every rung": Experiment(waiting, {"rate": 2.0}, waiting_times, EVERY, profile=True, bootstrap=200),
    "overdispersed counts": Experiment(counts, {"rate": 4.0}, overdispersed, ("sandwich",), CURVATURE),
    "counts along x": Experiment(count_regression, {"a": 1.0, "b": 0.8}, counts_along_x, (*CURVATURE, "sandwich")),
    "least squares": Experiment(LinearModel, LINE, equal_scatter, EVERY, profile=True, bootstrap=500),
    "least squares of unequal variances": Experiment(LinearModel, {"weight": 2.0}, unequal_scatter, ROBUST, BELIEVING,
        profile=True, bootstrap=500),
}  # fmt: skip


def coverage(experiment: Experiment) -> dict[tuple[str, str], float]:
    """How often each rung's interval covered each parameter."""
    random, model = np.random.default_rng(1), experiment.model()  # which a fit leaves as it is
    hits = {(rung, name): 0 for rung in (*experiment.holds, *experiment.fails) for name in experiment.truth}
    for number in range(REPEATS):
        result = paramfit.fit(model, experiment.draw(random))
        assert result.status == "converged"
        ladder = paramfit.ladder(result, profile=experiment.profile, bootstrap=experiment.bootstrap, seed=number)
        for rung, name in hits:
            low, high = ladder.rung(rung).intervals[name]
            hits[rung, name] += low <= experiment.truth[name] <= high
    return {what: count / REPEATS for what, count in hits.items()}


# In one test, so that no two processes simulate the same data sets.
@pytest.mark.slow
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_intervals_cover_the_truth_where_their_assumptions_hold_and_nowhere_else(name):
    experiment = EXPERIMENTS[name]
    actual = coverage(experiment)
    for rung, parameter in actual:
        share = actual[rung, parameter]
        assert LEAST <= share <= MOST if rung in experiment.holds else share < FAILS, (rung, parameter, share)
