"""What callbacks ask of a run."""

import numpy as np
import pytest
from lightning.pytorch.demos.boring_classes import BoringModel

from paramfit.callbacks.run import mean_loss, task_of
from paramfit.data.normalization import FixedScale
from paramfit.data.thermometer import ThermometerDataModule
from paramfit.errors import InputError
from paramfit.objectives import SquaredError
from paramfit.tasks import ThermometerRegression
from tests.callbacks.conftest import MakeTrainer


def test_a_module_that_is_no_task_is_refused_with_the_remedy() -> None:
    with pytest.raises(InputError, match="BoringModel is not a task of paramfit; give it to Regression"):
        task_of(BoringModel())


def test_the_loss_is_measured_without_penalty(make_trainer: MakeTrainer) -> None:
    data = ThermometerDataModule(normalization=FixedScale(0.1), dtype="float64")
    task = ThermometerRegression(5.0, -16.0, SquaredError(l2=10.0), dtype="float64")
    make_trainer(1, logger=False).fit(task, datamodule=data)

    weight, bias = (parameter.item() for parameter in task.model.parameters())
    residual = weight * data.train.inputs[0].numpy() + bias - data.train.target.numpy()
    assert mean_loss(task, data.train) == pytest.approx(np.mean(residual**2), rel=1e-14)
