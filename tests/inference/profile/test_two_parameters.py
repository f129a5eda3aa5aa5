"""Contours of pairs, beside closed forms."""

import numpy as np
import pytest
import scipy.stats
import torch

from paramfit import Observations, PolynomialModel, SquaredError
from paramfit.inference.least_squares_errors import uncertainty
from paramfit.inference.loss_function import LossFunction
from paramfit.inference.profile.two_parameters import PairProfile, profile_pair
from tests.inference.likelihoods import GammaSample, likelihood, optimum

X = np.linspace(0, 4, 15)
Y = 1 + 2 * X - 0.4 * X**2 + np.random.default_rng(5).normal(scale=0.3, size=15)


def parabola(points: int = 9) -> tuple[PairProfile, np.ndarray]:
    """The grid of the first and the last coefficient, and their covariance."""
    loss = LossFunction(PolynomialModel(2), SquaredError(), Observations((torch.from_numpy(X),), torch.from_numpy(Y)))
    theta = torch.from_numpy(np.polyfit(X, Y, 2)[::-1].copy())
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
