"""Watching a fit does not change it."""

import torch
from torch import Tensor, nn

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
from paramfit.data.normalization import Standardize
from paramfit.data.thermometer import ThermometerDataModule
from paramfit.tasks import Regression
from tests.callbacks.conftest import MakeTrainer


class Noisy(nn.Module):
    """A model that draws random numbers and learns statistics while it trains."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(1, 4), nn.BatchNorm1d(4), nn.Dropout(0.3), nn.Linear(4, 1))

    def forward(self, x: Tensor) -> Tensor:
        values: Tensor = self.layers(x.unsqueeze(-1)).squeeze(-1)
        return values


def fitted(make_trainer: MakeTrainer, *, watched: bool) -> dict[str, Tensor]:
    torch.manual_seed(1)
    task = Regression(Noisy())
    watchers = [
        FitHistory(), DivergenceDetection(), Doctor(), EpochTable(ValidationLines(every=2)), FitReport(), FitPlots(),
        FitCheckpoint(every_n_updates=2),
    ]  # fmt: skip
    trainer = make_trainer(6, *(watchers if watched else []), enable_checkpointing=watched)
    torch.manual_seed(2)
    trainer.fit(task, datamodule=ThermometerDataModule(validation_fraction=0.3, normalization=Standardize()))
    return task.model.state_dict()


def test_every_callback_at_once_leaves_each_bit_as_it_was(make_trainer: MakeTrainer) -> None:
    alone, watched = fitted(make_trainer, watched=False), fitted(make_trainer, watched=True)
    assert all(torch.equal(alone[name], watched[name]) for name in alone)
