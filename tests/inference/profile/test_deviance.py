"""The deviance and its constrained minima over one and two parameters, beside closed forms."""

import math

import numpy as np
import pytest
import scipy.stats
import torch

from paramfit import FormulaModel, HuberError, InputError, LinearModel, Observations, PolynomialModel, SquaredError
from paramfit.inference.least_squares_errors import uncertainty
from paramfit.inference.loss_function import LossFunction
from paramfit.inference.profile.deviance import deviance_of
from paramfit.inference.profile.two_parameters import PairProfile, profile_pair
from tests.inference.likelihoods import GammaSample, PoissonSample, likelihood, optimum

X = np.linspace(0, 4, 12)
Y = 1 + 2 * X - 0.4 * X**2 + np.random.default_rng(5).normal(scale=0.3, size=12)
SIGMA = 0.2 + X / 10


def curve(reduction: str = "mean", *, weighted: bool = False) -> LossFunction:
    rows = Observations((torch.from_numpy(X),), torch.from_numpy(Y), torch.from_numpy(SIGMA) if weighted else None)
    return LossFunction(PolynomialModel(2), SquaredError(reduction), rows)


def best(weights: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.polyfit(X, Y, 2, w=weights)[::-1].copy())


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_deviance_of_a_likelihood_is_twice_the_difference(reduction):
    loss = likelihood(PoissonSample(3.0), [2, 3, 4, 5], reduction=reduction)
    theta = torch.tensor([3.5], dtype=torch.float64)
    lowest = deviance_of(loss, theta)(torch.tensor([2.0], dtype=torch.float64))
    expected = (
        2 * scipy.stats.poisson.logpmf([2, 3, 4, 5], 3.5).sum() - 2 * scipy.stats.poisson.logpmf([2, 3, 4, 5], 2).sum()
    )
    assert lowest == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("absolute", [False, True], ids=["relative", "absolute"])
def test_minimum_of_least_squares_is_that_of_the_rest(reduction, weighted, absolute):
    weights = 1 / SIGMA if weighted else np.ones_like(X)
    theta = best(weights)
    deviance = deviance_of(curve(reduction, weighted=weighted), theta, absolute_sigma=absolute)
    lowest = deviance.minimise(torch.tensor([0.0, 0.0, -0.3], dtype=torch.float64), (2,))
    rest = np.polyfit(X, Y + 0.3 * X**2, 1, w=weights)
    assert lowest.is_minimum
    assert lowest.theta.tolist() == pytest.approx([rest[1], rest[0], -0.3], rel=1e-10)
    rss = [np.square(weights * (Y - np.polyval(c, X))).sum() for c in ([-0.3, *rest], theta.numpy()[::-1])]
    variance = 1.0 if weighted and absolute else rss[1] / 9
    assert lowest.deviance == pytest.approx((rss[0] - rss[1]) / variance, rel=1e-9)


def test_minimum_of_a_likelihood_is_found_from_afar():
    # For a given concentration c of a gamma sample the best rate is c / mean.
    sample = np.random.default_rng(2).gamma(2, size=15)
    loss = likelihood(GammaSample(2.0, 1.0), sample)
    deviance = deviance_of(loss, optimum(loss))
    lowest = deviance.minimise(torch.tensor([math.log(3.0), 4.0], dtype=torch.float64), (0,))
    assert lowest.is_minimum
    assert loss.natural(lowest.theta)[1].item() == pytest.approx(3 / sample.mean(), rel=1e-9)


def test_held_parameters_stay():
    deviance = deviance_of(curve(), best(np.ones_like(X)), held=(0,))
    lowest = deviance.minimise(torch.tensor([1.5, 0.0, -0.3], dtype=torch.float64), (2,))
    assert lowest.theta[0].item() == 1.5
    assert lowest.theta[1].item() == pytest.approx((X @ (Y - 1.5 + 0.3 * X**2)) / (X @ X), rel=1e-10)


def test_two_that_cannot_be_told_apart_are_one_to_the_others():
    model = FormulaModel("(a + b) * x + c", ["x"], {"a": 1, "b": 1, "c": 1})
    loss = LossFunction(model, SquaredError(), curve().observations)
    slope, level = np.polyfit(X, Y, 1)
    theta = torch.tensor([slope - 1, 1.0, level], dtype=torch.float64)
    deviance = deviance_of(loss, theta)
    assert deviance.limit(0.95) == pytest.approx(scipy.stats.t(10).ppf(0.975), rel=1e-10)
    lowest = deviance.minimise(theta + torch.tensor([0.0, 0.0, 0.5]), (2,))
    assert (lowest.theta[0] + lowest.theta[1]).item() == pytest.approx((X @ (Y - level - 0.5)) / (X @ X), rel=1e-10)


def test_limits_are_those_of_the_distributions():
    theta = best(np.ones_like(X))
    unknown, theirs = deviance_of(curve(), theta), deviance_of(curve(weighted=True), best(1 / SIGMA))
    assert unknown.limit(0.9) == pytest.approx(scipy.stats.t(9).ppf(0.95), rel=1e-12)
    assert unknown.limit_of_pair(0.9) == pytest.approx(2 * scipy.stats.f(2, 9).ppf(0.9), rel=1e-10)
    poisson = deviance_of(likelihood(PoissonSample(3.0), [3.0]), torch.tensor([3.0], dtype=torch.float64))
    for deviance in (theirs, poisson):
        assert deviance.limit(0.9) ** 2 == pytest.approx(scipy.stats.chi2(1).ppf(0.9), rel=1e-10)
        assert deviance.limit_of_pair(0.9) == pytest.approx(scipy.stats.chi2(2).ppf(0.9), rel=1e-10)


def test_beyond_where_a_distribution_exists_the_deviance_is_infinite():
    deviance = deviance_of(likelihood(PoissonSample(3.0), [3.0]), torch.tensor([3.0], dtype=torch.float64))
    assert deviance(torch.tensor([-1.0], dtype=torch.float64)) == math.inf
    assert not deviance.minimise(torch.tensor([-1.0], dtype=torch.float64), ()).is_minimum


@pytest.mark.parametrize(("loss", "words"), [
    (LossFunction(LinearModel(), SquaredError(l2=0.1), curve().observations), "a penalty is on"),
    (LossFunction(LinearModel(), HuberError(), curve().observations), "HuberError is no likelihood"),
    (LossFunction(LinearModel(), SquaredError(), curve().observations.rows(slice(0, 2))), "no residuals"),
], ids=["penalty", "robust", "no freedom"])  # fmt: skip
def test_what_has_no_deviance_is_refused(loss, words):
    with pytest.raises(InputError, match=words):
        deviance_of(loss, loss.theta)


TIMES = np.linspace(0, 4, 15)
PARABOLA = 1 + 2 * TIMES - 0.4 * TIMES**2 + np.random.default_rng(5).normal(scale=0.3, size=15)


def parabola(points: int = 9) -> tuple[PairProfile, np.ndarray]:
    """The grid of the first and the last coefficient, and their covariance."""
    loss = LossFunction(
        PolynomialModel(2), SquaredError(), Observations((torch.from_numpy(TIMES),), torch.from_numpy(PARABOLA))
    )
    theta = torch.from_numpy(np.polyfit(TIMES, PARABOLA, 2)[::-1].copy())
    covariance = uncertainty(loss, theta).covariance
    return profile_pair(loss, theta, covariance, 0, 2, points=points), covariance[[0, 2]][:, [0, 2]].numpy()


def test_linear_least_squares_has_the_ellipse():
    actual, covariance = parabola()
    away = np.stack(
        np.meshgrid(
            np.array(actual.first) - actual.estimates[0], np.array(actual.second) - actual.estimates[1], indexing="ij"
        )
    )
    expected = np.einsum("iab,ij,jab->ab", away, np.linalg.inv(covariance), away)
    np.testing.assert_allclose(actual.deviance, expected, rtol=1e-7, atol=1e-9)


def test_grid_just_holds_the_outermost_contour():
    actual, covariance = parabola()
    reach = np.sqrt(actual.levels[0.95] * covariance.diagonal())
    assert actual.levels[0.95] == pytest.approx(2 * scipy.stats.f(2, 12).ppf(0.95), rel=1e-9)
    for axis, estimate, far in zip((actual.first, actual.second), actual.estimates, reach, strict=True):
        assert [axis[0], axis[-1]] == pytest.approx([estimate - 1.1 * far, estimate + 1.1 * far], rel=1e-6)


def test_bounded_pair_is_the_likelihood_itself():
    sample = np.random.default_rng(3).gamma(1.5, 1 / 0.7, size=15)
    shape, _, scale = scipy.stats.gamma.fit(sample, floc=0)
    loss = likelihood(GammaSample(shape, 1 / scale), sample)
    theta = optimum(loss)
    covariance = uncertainty(loss, theta).covariance
    assert covariance is not None
    interval = profile_pair(loss, theta, covariance, 1, 0, points=7)
    assert interval.names == ("rate", "concentration")
    assert interval.levels == {level: pytest.approx(scipy.stats.chi2(2).ppf(level)) for level in (0.68, 0.95)}
    best = scipy.stats.gamma.logpdf(sample, shape, scale=scale).sum()
    for a, rate in enumerate(interval.first):
        for b, concentration in enumerate(interval.second):
            here = scipy.stats.gamma.logpdf(sample, concentration, scale=1 / rate).sum()
            assert interval.deviance[a][b] == pytest.approx(2 * (best - here), rel=1e-6)
