"""What is suggested in place of a class that is not there, and where an option that is missing belongs."""

from pathlib import Path

import pytest

from paramfit.cli import main
from tests.command_line import one_error_line

FIT = ["fit", "--data", "ThermometerDataModule", "--model", "Regression", "--model.model", "LinearModel"]
OWN = """
from torch import nn
from paramfit import ThermometerDataModule as Sensors


class Sensor(nn.Module):
    pass
"""
SAID = {
    "module": (["--model.model", "missing_module.Foo"], "there is no class missing_module.Foo; give module.Class"),
    "model": (["--model.model", "LinearModl"], "there is no class LinearModl; did you mean 'LinearModel'?"),
    "no data for a model": (["--model.model", "GaussianDataModul"], "GaussianDataModul; did you mean 'GaussianModel'?"),
    "own": (["--model.model", "own_sensors.Sensr"], "there is no class Sensr; did you mean 'own_sensors.Sensor'?"),
    "own of another kind": (["--data", "own_sensors.Sensor_"], "Sensor_; did you mean 'own_sensors.Sensors'?"),
    "data": (["--data", "GaussianDataModul"], "class GaussianDataModul; did you mean 'GaussianDataModule'?"),
    "no model for data": (["--data", "LinearModl"], "data: there is no class LinearModl; give module.Class"),
    "optimizer": (["--model.optimizer", "Adm"], "model.optimizer: there is no class Adm; did you mean 'Adam'?"),
    "metric": (["--model.metrics.r2", "R2Scor"], "model.metrics.r2: there is no class R2Scor; did you mean 'R2Score'?"),
    "missing": (["--model.metrics.acc", "Accuracy"], "metrics.acc: task is missing; give --model.metrics.acc.task or"),
    "second": (
        ["--model.metrics.r2", "R2Score", "--model.metrics.acc", "Accuracy"],
        "model.metrics.acc: task is missing; give --model.metrics.acc.task or",
    ),
    "unknown": (
        ["--model.metrics.r2", "R2Score", "--model.metrics.r2.zzz", "3"],
        "model.metrics.r2.zzz: torchmetrics.R2Score has no such option",
    ),
    "several": (
        ["--model.scheduler", "ReduceLROnPlateau"],
        "model.scheduler: give --model.scheduler lightning.pytorch.cli.ReduceLROnPlateau --model.scheduler.monitor",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("options", "words"), SAID.values(), ids=SAID)
def test_line_names_the_option_and_a_class_of_the_wanted_kind(options, words, own_directory, monkeypatch, capsys):
    Path("own_sensors.py").write_text(OWN, encoding="utf-8")
    monkeypatch.syspath_prepend(own_directory)
    assert main([*FIT, *options]) == 2
    assert words in one_error_line(capsys)


def test_what_is_advised_for_a_plateau_fits(own_directory):
    advised = ["lightning.pytorch.cli.ReduceLROnPlateau", "--model.scheduler.monitor", "train/loss"]
    few = ["--trainer.max_epochs", "2", "--model.optimizer", "SGD", "--model.optimizer.lr", "1e-4"]
    assert main([*FIT, *few, "--plots.enabled", "false", "--model.scheduler", *advised]) == 0
