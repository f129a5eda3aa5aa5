"""The acceleration, beside its closed form for a mean."""

import numpy as np
import pytest
import torch

from paramfit import GaussianModel, LinearModel, NegativeLogLikelihood, Observations, SquaredError
from paramfit.inference.bootstrap import resamples as module
from paramfit.inference.bootstrap.resamples import acceleration, influences, left_out
from paramfit.inference.bootstrap.weighted_losses import WeightedLoss, weighted_loss
from paramfit.inference.loss_function import LossFunction

SAMPLE = np.random.default_rng(1).exponential(2.0, 50)


def mean() -> WeightedLoss:
    data = Observations((), torch.from_numpy(SAMPLE))
    loss = LossFunction(GaussianModel(float(SAMPLE.mean())), NegativeLogLikelihood(), data)
    return weighted_loss(loss, loss.theta)


def test_acceleration_of_a_mean_is_its_skewness():
    away = SAMPLE - SAMPLE.mean()
    assert acceleration(mean()).item() == pytest.approx((away**3).sum() / (6 * (away**2).sum() ** 1.5), rel=1e-8)


def test_estimates_without_one_observation_are_means_of_the_others():
    actual = left_out(mean())
    assert actual[:, 0].tolist() == pytest.approx([np.delete(SAMPLE, i).mean() for i in range(50)], rel=1e-12)


def test_influence_on_a_mean_is_the_distance_from_it():
    assert influences(mean())[:, 0].tolist() == pytest.approx(((SAMPLE - SAMPLE.mean()) / 50).tolist(), abs=1e-12)


def test_influence_on_a_line_is_the_hat_row_times_the_residual():
    x = np.linspace(-1, 3, 50)
    design = np.stack([x, np.ones(50)], 1)
    theta, *_ = np.linalg.lstsq(design, SAMPLE, rcond=None)
    loss = LossFunction(
        LinearModel(*theta, dtype="float64"),
        SquaredError(),
        Observations((torch.from_numpy(x),), torch.from_numpy(SAMPLE)),
    )
    expected = np.linalg.inv(design.T @ design) @ design.T * (SAMPLE - design @ theta)
    assert np.allclose(influences(weighted_loss(loss, loss.theta)).numpy(), expected.T, atol=1e-12)


def test_many_observations_are_not_left_out_one_by_one(monkeypatch):
    exact = acceleration(mean())
    monkeypatch.setattr(module, "_MOST_LEFT_OUT", 10)
    assert acceleration(mean()).item() == pytest.approx(exact.item(), rel=1e-8)
