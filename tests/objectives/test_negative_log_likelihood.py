"""The negative log-likelihood."""

import numpy as np
import pytest
import scipy.stats
import torch
from torch.distributions import Normal, Poisson

from paramfit import InputError, NegativeLogLikelihood

SAMPLE = torch.tensor([-1.0, 0.25, 3.0], dtype=torch.float64)
NORMAL = Normal(torch.tensor(0.5, dtype=torch.float64), torch.tensor(2.0, dtype=torch.float64))


def test_sum_over_the_sample_is_the_default():
    expected = -scipy.stats.norm(loc=0.5, scale=2.0).logpdf(SAMPLE.numpy()).sum()
    assert NegativeLogLikelihood()(NORMAL, SAMPLE).item() == pytest.approx(expected, rel=1e-14)


def test_any_distribution_will_do():
    counts = torch.tensor([0.0, 2.0, 5.0], dtype=torch.float64)
    expected = -scipy.stats.poisson(mu=3.0).logpmf(counts.numpy())
    actual = NegativeLogLikelihood().per_observation(Poisson(torch.tensor(3.0, dtype=torch.float64)), counts)
    assert np.allclose(actual.numpy(), expected, rtol=1e-13)


def test_derivative_by_the_location_is_the_negative_score():
    location = torch.full((3,), 0.5, dtype=torch.float64, requires_grad=True)
    (-Normal(location, 2.0).log_prob(SAMPLE)).sum().backward()
    assert location.grad is not None
    assert torch.allclose(NegativeLogLikelihood().derivative(NORMAL, SAMPLE), location.grad)


def test_prediction_that_is_no_distribution_is_refused_with_what_to_do():
    with pytest.raises(InputError, match=r"Distribution, but got Tensor; use SquaredError or AbsoluteError"):
        NegativeLogLikelihood()(SAMPLE, SAMPLE)
