"""The bar over the whole run."""

import re
from io import StringIO

import pytest
from lightning.pytorch import Trainer
from rich.console import Console

from paramfit.callbacks import DivergenceDetection, FitProgress
from paramfit.data.thermometer import ThermometerDataModule
from tests.callbacks.conftest import descent, thermometer

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def drawn(max_epochs: int, updates_per_step: int = 1, normalised: bool = True) -> str:
    """What a run draws, escape sequences included."""
    out = StringIO()
    bar = FitProgress(Console(file=out, force_terminal=True, width=160))
    trainer = Trainer(
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        max_epochs=max_epochs,
        callbacks=[bar, DivergenceDetection(growth_factor=None)],
    )
    data = thermometer() if normalised else ThermometerDataModule()
    trainer.fit(descent(updates_per_step=updates_per_step), datamodule=data)
    return out.getvalue()


def last_line(text: str) -> str:
    return ESCAPES.sub("", text).replace("\r", "\n").strip().splitlines()[-1]


@pytest.mark.parametrize(("max_epochs", "updates_per_step"), [(100, 1), (4, 25)], ids=["single", "blocks"])
def test_it_ends_with_update_loss_and_parameters_of_the_last_update(max_epochs: int, updates_per_step: int) -> None:
    text = last_line(drawn(max_epochs, updates_per_step))

    # Published: update 100 of the normalised run.
    assert "update 100/100" in text
    assert "loss 22.1487" in text
    assert "weight 2.7553" in text
    assert "bias -2.5162" in text


def test_there_is_one_bar_for_all_epochs() -> None:
    # A second bar, or one for each epoch, would leave a line of its own behind.
    assert drawn(30).count("\n") == 1


def test_a_run_that_diverges_leaves_the_update_it_ended_at() -> None:
    text = last_line(drawn(1, 100, normalised=False))

    assert "update 11/100" in text.replace("  ", " ")
    assert "loss inf" in text
