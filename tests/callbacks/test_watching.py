"""What callbacks ask of a run, and that watching does not change it."""

import numpy as np
import pytest
import torch
from lightning.pytorch.demos.boring_classes import BoringModel
from torch import Tensor, nn
from torchmetrics import R2Score

from paramfit import FixedScale, InputError, Regression, Standardize, ThermometerDataModule, ThermometerRegression
from paramfit.callbacks import (
    DivergenceDetection,
    Doctor,
    EpochTable,
    FitCheckpoint,
    FitHistory,
    FitPlots,
    FitReport,
    ValidationLines,
)
from paramfit.callbacks.run import mean_loss, task_of
from paramfit.objectives import SquaredError
from tests.callbacks.conftest import MakeTrainer


class Noisy(nn.Module):
    """A model that draws random numbers and learns statistics while it trains."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(1, 4), nn.BatchNorm1d(4), nn.Dropout(0.3), nn.Linear(4, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x.unsqueeze(-1)).squeeze(-1)


def fitted(make_trainer: MakeTrainer, *, watched: bool) -> dict[str, Tensor]:
    torch.manual_seed(1)
    task = Regression(Noisy(), metrics={"r2": R2Score()} if watched else None)
    watchers = [
        FitHistory(), DivergenceDetection(), Doctor(), EpochTable(ValidationLines(every=2)), FitReport(), FitPlots(),
        FitCheckpoint(every_n_updates=2),
    ]  # fmt: skip
    trainer = make_trainer(6, *(watchers if watched else []), enable_checkpointing=watched)
    torch.manual_seed(2)
    trainer.fit(task, datamodule=ThermometerDataModule(validation_fraction=0.3, normalization=Standardize()))
    return task.model.state_dict()


def test_every_callback_at_once_leaves_each_bit_as_it_was(make_trainer):
    alone, watched = fitted(make_trainer, watched=False), fitted(make_trainer, watched=True)
    assert all(torch.equal(alone[name], watched[name]) for name in alone)


def test_a_module_that_is_no_task_is_refused_with_the_remedy():
    with pytest.raises(InputError, match="BoringModel is not a task of paramfit; give it to Regression"):
        task_of(BoringModel())


def test_the_loss_is_measured_without_penalty(make_trainer):
    data = ThermometerDataModule(normalization=FixedScale(0.1), dtype="float64")
    task = ThermometerRegression(5.0, -16.0, SquaredError(l2=10.0), dtype="float64")
    make_trainer(1, logger=False).fit(task, datamodule=data)
    weight, bias = (parameter.item() for parameter in task.model.parameters())
    residual = weight * data.train.inputs[0].numpy() + bias - data.train.target.numpy()
    assert mean_loss(task, data.train) == pytest.approx(np.mean(residual**2), rel=1e-14)
