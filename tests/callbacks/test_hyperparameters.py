"""What a run was made of and how it ended can be read in its folder and in TensorBoard."""

from pathlib import Path

import pytest
import yaml
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from paramfit.cli import main
from paramfit.facts import Status
from tests.callbacks.conftest import events_of

QUIETLY = ["--plots.enabled", "false", "--trainer.enable_progress_bar", "false", "--report.enabled", "false"]


def fit(*options: str) -> int:
    return main(["fit", "--name", "run", *options, *QUIETLY])


@pytest.fixture
def normalized(own_directory: Path) -> list[str]:
    return ["--config", str(Path(__file__).parents[2] / "configs" / "thermometer" / "normalized.yaml")]


def session_of(folder: Path) -> dict[str, object]:
    """The hyperparameters as TensorBoard's page reads them."""
    content = events_of(folder).SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    given = HParamsPluginData.FromString(content).session_start_info.hparams
    return {name: getattr(value, value.WhichOneof("kind")) for name, value in given.items()}


def test_a_sweep_can_be_told_apart_and_sorted(normalized):
    rates = {0: 0.01, 1: 0.001}
    losses = []
    for version, rate in rates.items():
        assert fit(*normalized, "--model.optimizer.lr", str(rate), "--seed_everything", "7") == 0
        folder = Path("lightning_logs/run") / f"version_{version}"
        kept = yaml.safe_load((folder / "hparams.yaml").read_text())
        assert kept["lr"] == rate
        assert kept["seed"] == 7
        assert kept["optimizer"] == "GradientDescent"
        assert kept["normalization"] == "FixedScale"
        assert (kept["start/weight"], kept["start/bias"]) == (1.0, 0.0)
        assert session_of(folder) == {name: pytest.approx(value) for name, value in kept.items()}
        scalars = {
            tag: events_of(folder).Scalars(tag)[-1].value for tag in ("hp/train_loss", "hp/status", "hp/distance")
        }
        assert list(Status)[int(scalars["hp/status"])] is Status.LIMIT_REACHED
        losses.append(scalars["hp/train_loss"])
    assert losses[0] < losses[1]


def test_what_parts_are_given_is_told(normalized):
    options = ("--data.normalization.scale", "0.05", "--model.scheduler", "StepLR", "--model.scheduler.step_size", "10")
    assert fit(*normalized, *options) == 0
    kept = yaml.safe_load(Path("lightning_logs/run/version_0/hparams.yaml").read_text())
    expected = {"normalization/scale": 0.05, "scheduler": "StepLR", "scheduler/step_size": 10, "lr": 0.01}
    assert expected.items() <= kept.items()


def test_they_can_be_left_out(normalized):
    assert fit(*normalized, "--hyperparameters.enabled", "false") == 0
    assert not list(Path("lightning_logs").rglob("hparams.yaml"))
