"""What the tests of tasks share."""

from collections.abc import Callable
from typing import Any

import pytest
from lightning.pytorch import Trainer

from tests.quiet import QUIET

MakeTrainer = Callable[..., Trainer]


@pytest.fixture
def make_trainer() -> MakeTrainer:
    """A trainer as a user of Python makes it, without a callback of ours, that prints nothing."""

    def make(max_epochs: int = 1, **options: Any) -> Trainer:
        return Trainer(**{**QUIET, "max_epochs": max_epochs, **options})

    return make
