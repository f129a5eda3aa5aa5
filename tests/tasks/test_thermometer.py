"""The thermometer from Python: fit, save, load, predict."""

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch.optim import LBFGS

from paramfit import FixedScale, ThermometerDataModule, ThermometerRegression


def thermometer(**options: Any) -> ThermometerDataModule:
    return ThermometerDataModule(normalization=FixedScale(0.1), **options)


def test_a_fit_from_python_needs_no_callback_of_ours(make_trainer):
    task = ThermometerRegression(optimizer=partial(LBFGS, line_search_fn="strong_wolfe"), dtype="float64")
    data = thermometer(dtype="float64")
    make_trainer(3).fit(task, datamodule=data)
    weight, bias = np.polyfit(data.train.inputs[0].numpy(), data.train.target.numpy(), 1)
    assert task.model.weight.item() == pytest.approx(weight, rel=1e-6)
    assert task.model.bias.item() == pytest.approx(bias, rel=1e-6)


def test_the_default_start_and_optimizer_are_the_lessons(make_trainer, golden_descent):
    task = ThermometerRegression()
    make_trainer(1).fit(task, datamodule=thermometer())
    published = next(run for run in golden_descent["runs"] if run["name"] == "normalized")["params_after"]["1"]
    assert [f"{p.item():.4f}" for p in task.model.parameters()] == published


def test_a_loaded_task_is_the_saved_one(make_trainer):
    task = ThermometerRegression(2.0, -1.0, updates_per_step=3, dtype="float64")
    trainer = make_trainer(2)
    trainer.fit(task, datamodule=thermometer())
    trainer.save_checkpoint("thermometer.ckpt")
    loaded = ThermometerRegression.load_from_checkpoint("thermometer.ckpt", weights_only=True)
    assert torch.equal(loaded.model.weight, task.model.weight)
    assert torch.equal(loaded.model.bias, task.model.bias)
    assert (loaded.model.weight.dtype, loaded.updates, loaded.updates_per_step) == (torch.float64, 6, 3)


def test_validation_from_a_checkpoint_sees_the_split_of_the_fit(make_trainer):
    task = ThermometerRegression()
    trainer = make_trainer(3)
    data = thermometer(validation_fraction=0.2, seed=1)
    trainer.fit(task, datamodule=data)
    trainer.save_checkpoint("thermometer.ckpt")
    expected = trainer.validate(task, datamodule=data, verbose=False)
    other_seed = thermometer(validation_fraction=0.2, seed=2)
    measured = make_trainer().validate(
        ThermometerRegression(), datamodule=other_seed, ckpt_path="thermometer.ckpt", verbose=False, weights_only=True
    )
    assert measured == expected
