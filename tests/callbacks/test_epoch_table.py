"""The callback that prints a form's lines."""

import pytest

from paramfit.callbacks import EpochTable, LossLines
from paramfit.data.normalization import FixedScale
from paramfit.data.thermometer import ThermometerDataModule
from paramfit.tasks import ThermometerRegression
from tests.callbacks.conftest import MakeTrainer


def test_lines_come_at_the_updates_the_form_chooses(
    make_trainer: MakeTrainer, capsys: pytest.CaptureFixture[str]
) -> None:
    data = ThermometerDataModule(normalization=FixedScale(0.1))
    make_trainer(7, EpochTable(LossLines(every=3))).fit(ThermometerRegression(), datamodule=data)
    assert [line.split(",")[0] for line in capsys.readouterr().out.splitlines()] == ["Epoch 3", "Epoch 6"]


def test_without_a_form_nothing_is_printed_and_nothing_is_heard(
    make_trainer: MakeTrainer, capsys: pytest.CaptureFixture[str]
) -> None:
    task = ThermometerRegression()
    make_trainer(2, EpochTable()).fit(task, datamodule=ThermometerDataModule(normalization=FixedScale(0.1)))
    assert capsys.readouterr().out == ""
    assert task.listeners == []
