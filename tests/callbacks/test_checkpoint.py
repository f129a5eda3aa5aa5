"""Which state is the best, and which the last."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from paramfit.callbacks import AtomicCheckpointIO, FitCheckpoint
from paramfit.data.thermometer import ThermometerDataModule
from paramfit.tasks import Regression
from tests.callbacks.conftest import MakeTrainer, ScriptedTask, descent, thermometer, validation

CHECKPOINTS = Path("run") / "checkpoints"


def updates_in(name: str) -> int:
    return int(AtomicCheckpointIO().load_checkpoint(CHECKPOINTS / name)["paramfit"]["updates"])


@pytest.mark.parametrize(
    ("losses", "best"),
    [
        pytest.param([5.0, 4.0, 3.0], 3, id="falls"),
        pytest.param([5.0, 3.0, 4.0], 2, id="rises-again"),
        pytest.param([5.0, 3.0, 3.0], 2, id="equal-keeps-the-earlier"),
        pytest.param([float("nan"), 5.0, 6.0], 2, id="nan-first"),
        pytest.param([5.0, float("nan"), 6.0], 1, id="nan-between"),
        pytest.param([5.0, float("-inf"), 6.0], 1, id="minus-infinity"),
    ],
)
def test_the_lowest_finite_validation_loss_is_the_best(losses: list[float], best: int) -> None:
    validations: list[float] = []
    saved: list[int] = []
    keeper = FitCheckpoint()
    trainer = validation(val_loss=0.0)
    trainer.log_dir, trainer.fast_dev_run, trainer.logger = "run", False, object()
    trainer.save_checkpoint = lambda path: saved.append(len(validations))
    task: Any = ScriptedTask()
    keeper.on_train_start(trainer, task)
    for loss in losses:
        validations.append(loss)
        trainer.callback_metrics = {"val/loss": torch.tensor(loss)}
        keeper.on_validation_end(trainer, task)

    assert saved[-1] == best


def test_best_and_last_are_different_states_where_the_validation_loss_rises(make_trainer: MakeTrainer) -> None:
    # On these rows the held-out loss rises from the first update to the last of the four.
    make_trainer(4, FitCheckpoint(), enable_checkpointing=True).fit(
        descent(), datamodule=thermometer(validation_fraction=0.2)
    )

    assert (updates_in("best.ckpt"), updates_in("last.ckpt")) == (1, 4)


def test_a_falling_training_loss_makes_the_last_the_best(make_trainer: MakeTrainer) -> None:
    make_trainer(4, FitCheckpoint(every_n_updates=1), enable_checkpointing=True).fit(
        descent(), datamodule=thermometer()
    )

    assert (updates_in("best.ckpt"), updates_in("last.ckpt")) == (4, 4)


def test_the_best_of_a_run_that_ends_in_nan_is_finite(make_trainer: MakeTrainer) -> None:
    make_trainer(40, FitCheckpoint(every_n_updates=1), enable_checkpointing=True).fit(
        descent(), datamodule=ThermometerDataModule(validation_fraction=0.2)
    )

    best, last = (
        AtomicCheckpointIO().load_checkpoint(CHECKPOINTS / name)["state_dict"] for name in ("best.ckpt", "last.ckpt")
    )
    assert all(bool(value.isfinite()) for value in best.values())
    assert all(bool(value.isnan()) for value in last.values())


def test_a_run_that_is_nan_from_the_start_has_no_best(make_trainer: MakeTrainer) -> None:
    class Lost(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.tensor(float("nan")))

        def forward(self, x: Tensor) -> Tensor:
            return self.weight * x

    make_trainer(2, FitCheckpoint(), enable_checkpointing=True).fit(
        Regression(Lost()), datamodule=thermometer(validation_fraction=0.2)
    )

    assert {path.name for path in CHECKPOINTS.iterdir()} == {"last.ckpt"}
