"""The log-logistic distribution as a torch distribution, against SciPy's fisk."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

import paramfit

SCALE, SHAPE = torch.tensor(1.5, dtype=torch.float64), torch.tensor([0.8, 1.5, 2.3, 60.0], dtype=torch.float64)
DISTRIBUTION = paramfit.LogLogistic(SCALE, SHAPE)
FISK = stats.fisk(SHAPE.numpy(), scale=1.5)


def test_moments_are_scipys():
    np.testing.assert_allclose(DISTRIBUTION.mean[1:], FISK.mean()[1:], rtol=1e-12)
    np.testing.assert_allclose(DISTRIBUTION.variance[2:], FISK.var()[2:], rtol=1e-9)
    assert DISTRIBUTION.mean[0] == math.inf
    assert DISTRIBUTION.variance[:2].tolist() == [math.inf, math.inf]


def test_density_and_probabilities_are_scipys():
    shares = torch.tensor([0.01, 0.4, 0.5, 0.97], dtype=torch.float64)
    y = FISK.ppf(shares)
    np.testing.assert_allclose(DISTRIBUTION.icdf(shares), y, rtol=1e-12)
    np.testing.assert_allclose(DISTRIBUTION.cdf(torch.from_numpy(y)), shares, rtol=1e-12)
    np.testing.assert_allclose(DISTRIBUTION.log_prob(torch.from_numpy(y)), FISK.logpdf(y), rtol=1e-12)


def test_draws_follow_it_and_can_be_differentiated():
    torch.manual_seed(0)
    scale = SCALE.clone().requires_grad_()
    drawn = paramfit.LogLogistic(scale, SHAPE[2]).expand((3,)).rsample((1000,))
    assert drawn.shape == (1000, 3)
    assert stats.kstest(drawn.detach().flatten(), stats.fisk(2.3, scale=1.5).cdf).pvalue > 0.01
    (slope,) = torch.autograd.grad(drawn.sum(), scale)
    assert slope.item() == pytest.approx(drawn.sum().item() / 1.5)
