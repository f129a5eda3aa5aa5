"""The normal distribution with unknown location."""

import numpy as np
import pytest
import scipy.stats
import torch
from torch.distributions import Normal
from torch.func import functional_call

from paramfit import GaussianModel, InputError

SAMPLE = torch.tensor([-1.0, 0.25, 3.0], dtype=torch.float64)


def test_forward_gives_a_normal_distribution():
    distribution = GaussianModel(location=2.0, scale=3.0)()
    assert isinstance(distribution, Normal)
    expected = scipy.stats.norm(loc=2.0, scale=3.0).logpdf(SAMPLE.numpy())
    assert np.allclose(distribution.log_prob(SAMPLE).detach().numpy(), expected, rtol=1e-14)


def test_precision_is_double_by_default():
    assert GaussianModel().location.dtype is torch.float64
    assert GaussianModel(dtype="float32").location.dtype is torch.float32


def test_scale_is_known_and_not_estimated():
    assert [name for name, _ in GaussianModel(scale=2.0).named_parameters()] == ["location"]


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan")], ids=str)
def test_scale_that_is_not_positive_is_refused(scale):
    with pytest.raises(InputError, match="scale: a standard deviation is above 0"):
        GaussianModel(scale=scale)


def test_grid_of_locations_equals_a_loop():
    locations = torch.linspace(-2, 2, 5, dtype=torch.float64)
    whole = functional_call(GaussianModel(), {"location": locations}, ()).log_prob(SAMPLE)
    assert whole.shape == (5, 3)
    for row, location in enumerate(locations):
        expected = scipy.stats.norm(loc=location.item()).logpdf(SAMPLE.numpy())
        assert np.allclose(whole[row].numpy(), expected, rtol=1e-13)


def test_sample_estimate_is_the_empirical_mean():
    assert GaussianModel().sample_estimate(SAMPLE) == {"location": torch.tensor(0.75, dtype=torch.float64)}


def test_normalisation_of_inputs_cannot_be_undone_without_inputs():
    assert GaussianModel().original_units(0.0, 0.1) is None
