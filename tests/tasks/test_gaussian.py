"""The location of a sample against its closed form."""

from functools import partial

import numpy as np
import pytest
import torch
from torch.optim import SGD

from paramfit import GaussianDataModule, GaussianLocation, InputError, NegativeLogLikelihood


def test_descent_follows_the_closed_form(make_trainer):
    n, rate, scale = 500, 1e-4, 2.0
    task = GaussianLocation(location=1.0, scale=scale, optimizer=partial(SGD, lr=rate), updates_per_step=10)
    data = GaussianDataModule(n_obs=n, scale=scale)
    make_trainer(3).fit(task, datamodule=data)
    mean = np.mean(data.raw.target.numpy())
    left = (1 - rate * n / scale**2) ** 30
    assert task.model.location.item() == pytest.approx(mean + (1.0 - mean) * left, rel=1e-12)


def test_a_mean_objective_descends_n_times_slower(make_trainer):
    data = GaussianDataModule(n_obs=100)
    by_sum = GaussianLocation(optimizer=partial(SGD, lr=1e-3))
    by_mean = GaussianLocation(objective=NegativeLogLikelihood("mean"), optimizer=partial(SGD, lr=1e-1))
    for task in (by_sum, by_mean):
        make_trainer(5).fit(task, datamodule=data)
    assert by_mean.model.location.item() == pytest.approx(by_sum.model.location.item(), rel=1e-12)


def test_a_loaded_task_is_the_saved_one(make_trainer):
    task = GaussianLocation(location=3.0, scale=2.0, updates_per_step=4)
    trainer = make_trainer(2)
    trainer.fit(task, datamodule=GaussianDataModule(n_obs=20))
    trainer.save_checkpoint("location.ckpt")
    loaded = GaussianLocation.load_from_checkpoint("location.ckpt", weights_only=True)
    assert torch.equal(loaded.model.location, task.model.location)
    assert (loaded.model.scale.item(), loaded.model.location.dtype, loaded.updates) == (2.0, torch.float64, 8)


@pytest.mark.parametrize("scale", [0.0, -1.0])
def test_a_scale_that_is_not_positive_is_refused(scale):
    with pytest.raises(InputError, match="scale"):
        GaussianLocation(scale=scale)
