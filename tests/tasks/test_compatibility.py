"""Which checkpoints a task takes."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch.optim import SGD, Adam

from paramfit.data import FixedScale, ThermometerDataModule
from paramfit.errors import InputError
from paramfit.models import PolynomialModel
from paramfit.tasks import EstimationTask, Regression, ThermometerRegression
from paramfit.tasks.compatibility import check_checkpoint
from tests.tasks.conftest import MakeTrainer


@pytest.fixture
def checkpoint(make_trainer: MakeTrainer) -> dict[str, Any]:
    """What a fit with SGD, learning rate 0.01 and blocks of 2 leaves behind."""
    trainer = make_trainer(1)
    data = ThermometerDataModule(normalization=FixedScale(0.1))
    trainer.fit(ThermometerRegression(optimizer=partial(SGD, lr=0.01), updates_per_step=2), datamodule=data)
    trainer.save_checkpoint("fit.ckpt")
    found: dict[str, Any] = torch.load("fit.ckpt", weights_only=True)
    return found


@pytest.mark.parametrize(
    ("make_task", "complaint"),
    [
        pytest.param(
            partial(ThermometerRegression, optimizer=partial(SGD, lr=0.02), updates_per_step=2),
            r"model\.optimizer\.lr.*0\.01.*0\.02",
            id="learning-rate",
        ),
        pytest.param(
            partial(ThermometerRegression, optimizer=partial(SGD, lr=0.01, momentum=0.9), updates_per_step=2),
            r"model\.optimizer\.momentum.*0\.9",
            id="momentum",
        ),
        pytest.param(
            partial(ThermometerRegression, optimizer=partial(SGD, lr=0.01), updates_per_step=3),
            r"model\.updates_per_step.*2.*3",
            id="block-size",
        ),
        pytest.param(
            partial(ThermometerRegression, optimizer=partial(Adam, lr=0.01), updates_per_step=2),
            r"made with SGD.*Adam",
            id="optimizer",
        ),
    ],
)
def test_updates_made_another_way_are_refused_on_resume_and_not_on_evaluation(
    make_task: Callable[[], EstimationTask], complaint: str, checkpoint: dict[str, Any]
) -> None:
    with pytest.raises(InputError, match=complaint):
        check_checkpoint(make_task(), checkpoint, resuming=True)
    check_checkpoint(make_task(), checkpoint, resuming=False)


def test_the_same_task_is_taken(checkpoint: dict[str, Any]) -> None:
    task = ThermometerRegression(optimizer=partial(SGD, lr=0.01), updates_per_step=2)

    check_checkpoint(task, checkpoint, resuming=True)


def test_another_model_is_refused_naming_both(checkpoint: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"another model: it has weight \(\), bias \(\), the configuration coeff"):
        check_checkpoint(Regression(PolynomialModel(2)), checkpoint, resuming=False)


def test_a_foreign_checkpoint_is_refused(checkpoint: dict[str, Any]) -> None:
    del checkpoint["paramfit"]

    with pytest.raises(InputError, match="not made by paramfit"):
        check_checkpoint(ThermometerRegression(), checkpoint, resuming=False)
