"""What the tests of tasks share."""

from collections.abc import Callable
from typing import Any

import pytest
from lightning.pytorch import Trainer

MakeTrainer = Callable[..., Trainer]


@pytest.fixture
def make_trainer() -> MakeTrainer:
    """A trainer as a user of Python makes it, without a callback of ours, that prints nothing."""

    def make(max_epochs: int = 1, **options: Any) -> Trainer:
        quiet = {
            "logger": False,
            "enable_checkpointing": False,
            "enable_progress_bar": False,
            "enable_model_summary": False,
        }
        return Trainer(accelerator="cpu", max_epochs=max_epochs, **{**quiet, **options})

    return make
