"""What Lightning's Trainer offers besides, on the command line."""

import importlib.util
import re
from pathlib import Path
from typing import Any, ClassVar

import pytest
from lightning.pytorch.loggers import Logger

from paramfit.cli import main
from tests.command_line import one_error_line
from tests.conftest import CONFIGS

SGD = ["fit", "--config", str(CONFIGS / "thermometer" / "sgd.yaml"), "--epoch_table.form", "null"]
QUICK = ["--trainer.max_epochs", "3", "--plots.enabled", "false"]


@pytest.mark.parametrize("profiler", ["simple", "advanced", pytest.param("pytorch", marks=pytest.mark.slow)])
@pytest.mark.filterwarnings("ignore:The PyTorch Profiler default schedule")
def test_a_profile_is_printed(profiler, capsys):
    assert main([*SGD, *QUICK, "--trainer.profiler", profiler]) == 0
    printed = capsys.readouterr().out
    assert "FIT Profiler Report" in printed
    assert "FitReport.on_fit_end" in printed


def test_a_trial_prints_no_estimates(capsys):
    assert main([*SGD, "--trainer.fast_dev_run", "true"]) == 0
    printed = capsys.readouterr().out
    assert "ThermometerRegression: a trial (fast_dev_run) went through, with 100 updates: no estimates" in printed
    assert "std. error" not in printed
    assert "hint" not in printed
    assert not Path("lightning_logs").exists()


def test_a_trial_that_diverges_has_its_exit_code(capsys):
    assert main([*SGD, "--trainer.fast_dev_run", "true", "--model.optimizer.lr", "1"]) == 3
    assert re.search(r"a trial \(fast_dev_run\) ended early \(the loss .*: no estimates", capsys.readouterr().out)


def test_a_limit_in_blocks_is_told_in_updates(capsys):
    assert main([*SGD, *QUICK, "--trainer.max_steps", "2"]) == 0
    printed = capsys.readouterr().out
    assert "hint: max_steps 2 counts blocks of 100 updates: 200 updates\n" in printed
    assert "after 200 updates" in printed


REFUSED = {
    "half precision": (["--trainer.precision", "16-mixed"], r"trainer\.precision: .* \(16-mixed\) would mean nothing"),
    "a callback that cannot be meant": (
        ["--trainer.callbacks", "LearningRateFinder"],
        r"trainer\.callbacks: LearningRateFinder .* largest stable learning rate; leave it out",
    ),
    "a metric that never comes": (
        ["--trainer.callbacks", "EarlyStopping", "--trainer.callbacks.monitor", "val/loss"],
        r"trainer\.callbacks: EarlyStopping monitors val/loss, but no row is held out; give --data",
    ),
    "no library": (["--trainer.callbacks", "DeviceStatsMonitor"], "psutil.*pip install"),
    "no logger": (["--trainer.logger", "MLFlowLogger"], r"trainer\.logger: MLFlowLogger needs .*: pip install mlflow$"),
    "no other logger": (
        ["--trainer.logger", "WandbLogger"],
        r"WandbLogger needs .*: pip install wandb$",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_one_line(case, capsys):
    options, words = REFUSED[case]
    library = re.search(r"psutil|mlflow|wandb", words)
    if library is not None and importlib.util.find_spec(library[0]) is not None:
        pytest.skip(f"{library[0]} is installed")
    assert main([*SGD, *QUICK, *options]) == 2
    assert re.search(words, one_error_line(capsys))
    assert not Path("lightning_logs").exists()


def test_a_run_with_callbacks_of_lightnings_is_validated(capsys):
    given = [
        "--trainer.callbacks+=ModelCheckpoint",
        "--trainer.callbacks.monitor=train/loss",
        "--trainer.callbacks+=DeviceStatsMonitor",
        "--trainer.callbacks.cpu_stats=false",
        "--trainer.callbacks+=StochasticWeightAveraging",
        "--trainer.callbacks.swa_lrs=0.01",
        "--trainer.callbacks+=LearningRateMonitor",
    ]
    assert main([*SGD, *QUICK, *given]) == 0
    config = "lightning_logs/sgd/version_0/config.yaml"
    assert main(["validate", "--config", config, "--ckpt_path", "last", "--data.validation_fraction", "0"]) == 0


class MetricList(Logger):
    """A logger without a folder, as MLFlow's and that of Weights & Biases before a run has begun."""

    name, version = "list", "of a run"
    save_dir = "."  # as the latter's
    metrics: ClassVar[list[str]] = []

    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        self.metrics.extend(metrics)

    def log_hyperparams(self, params: Any, *others: Any, **options: Any) -> None:
        self.metrics.append("hyperparameters")


def test_a_logger_without_a_folder_stands_beside_tensorboards():
    for version in range(2):
        MetricList.metrics.clear()
        options = ["--trainer.logger", f"{__name__}.MetricList"]
        assert main([*SGD, *QUICK, *options]) == 0
        assert {"train/loss", "parameter/weight", "hyperparameters"} <= set(MetricList.metrics)
        assert (Path("lightning_logs") / "sgd" / f"version_{version}" / "estimates.json").exists()
    assert {path.name for path in Path.cwd().iterdir()} == {"lightning_logs"}


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("EarlyStoping", "did you mean 'EarlyStopping'"),
        ("FitHistry", "did you mean 'FitHistory'"),
        ("NoCB", "module.Class"),
    ],
)
def test_a_callback_that_is_not_there_is_named(name, hint, capsys):
    assert main([*SGD, *QUICK, "--trainer.callbacks", name]) == 2
    assert f"trainer.callbacks: there is no class {name}; " in (line := capsys.readouterr().err)
    assert hint in line
