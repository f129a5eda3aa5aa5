"""What a run was made of and how it ended can be read in its folder and in TensorBoard."""

from copy import deepcopy
from functools import partial
from pathlib import Path

import pytest
import torch
import yaml
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from paramfit import (
    AnalyticGradient,
    DistributionModel,
    EstimationDataModule,
    FitReport,
    FormulaModel,
    HandWrittenDescent,
    LeastSquares,
    LinearModel,
    MaximumLikelihood,
    Observations,
    Regression,
)
from paramfit.callbacks import HyperparameterLog
from paramfit.cli import main
from paramfit.facts import Status
from tests.callbacks.conftest import descent, events_of, thermometer
from tests.plotting.test_loss_grid import Line

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


def kept_by(folder: str) -> dict[str, object]:
    """What ``hparams.yaml`` says, in its order."""
    return yaml.safe_load(Path(folder, "hparams.yaml").read_text())


class Rows(EstimationDataModule):
    """A few values, and what they depend on."""

    def __init__(self, target: list[float], *inputs: list[float]) -> None:
        super().__init__()
        self.rows = Observations(tuple(map(torch.tensor, inputs)), torch.tensor(target))

    def read(self) -> Observations:
        return self.rows


EXPONENTIAL = FormulaModel("a*exp(-b*x) + c", ["x"], {"a": None, "b": 0.5, "c": 0.0})
POINTS = Rows([2.5, 1.2, 0.7, 0.6, 0.5], [0.0, 1.0, 2.0, 3.0, 4.0])


@pytest.mark.parametrize(("task", "data", "starts"), [
    # The solver finds a for each b: it has none; c has one, though it is not needed.
    (LeastSquares(EXPONENTIAL), POINTS, {"a": None, "b": 0.5, "c": 0.0}),
    # The descent begins with 0.
    (Regression(deepcopy(EXPONENTIAL)), POINTS, {"a": 0.0, "b": 0.5, "c": 0.0}),
    (LeastSquares(LinearModel(torch.tensor(0.25), 0.0)), POINTS, {"weight": 0.25, "bias": 0.0}),
    # A module that knows of no starts begins as it is.
    (LeastSquares(Line()), POINTS, {"weight": 1.0, "bias": 0.0}),
    # The sample's mean.
    (MaximumLikelihood(DistributionModel("torch.distributions.Exponential", {"rate": None})),
     Rows([1.0, 2.0, 5.0]), {"rate": 3 / 8}),
], ids=["least squares", "descent", "tensor", "module", "likelihood"])  # fmt: skip
def test_a_parameter_for_which_a_solver_needs_no_start_has_none(task, data, starts, make_trainer, own_directory):
    make_trainer(3, FitReport(enabled=False), HyperparameterLog()).fit(task, data)
    kept = {name: value for name, value in kept_by("run").items() if name.startswith("start/")}
    assert kept == {f"start/{name}": value if value is None else pytest.approx(value) for name, value in starts.items()}
    page = {name: value for name, value in session_of(own_directory / "run").items() if name.startswith("start/")}
    assert page == {name: value for name, value in kept.items() if value is not None}


def test_every_logger_keeps_the_same_in_the_same_order(make_trainer):
    kept = []
    for number, names in enumerate((["tensorboard"], ["csv"], ["tensorboard", "csv"])):
        kinds = {"tensorboard": partial(TensorBoardLogger, default_hp_metric=False), "csv": CSVLogger}
        loggers = [kinds[name](".", name=f"{name}{number}", version="run") for name in names]
        trainer = make_trainer(1, FitReport(enabled=False), HyperparameterLog(), logger=loggers)
        trainer.fit(descent(), thermometer())
        kept += [list(kept_by(f"{name}{number}/run").items()) for name in names]
    assert len(kept) == 4
    assert kept[0][0] == ("task", "HandWrittenDescent")
    assert all(other == kept[0] for other in kept)


def test_what_a_module_saves_itself_is_kept_behind_it(make_trainer):
    class Saving(HandWrittenDescent):
        def __init__(self, why: str, how: type) -> None:
            super().__init__(LinearModel(), AnalyticGradient())
            self.save_hyperparameters()

    loggers = [TensorBoardLogger(".", name="", version="tensorboard"), CSVLogger(".", name="", version="csv")]
    task = Saving("a question", int)  # which YAML has no word for
    make_trainer(1, FitReport(enabled=False), HyperparameterLog(), logger=loggers).fit(task, thermometer())
    for folder in ("tensorboard", "csv"):
        names = list(kept_by(folder))
        assert names[0] == "task"
        assert names[-1] == "why"
        assert "start/weight" in names


def test_what_parts_are_given_is_told(normalized):
    options = ("--data.normalization.scale", "0.05", "--model.scheduler", "StepLR", "--model.scheduler.step_size", "10")
    assert fit(*normalized, *options) == 0
    kept = yaml.safe_load(Path("lightning_logs/run/version_0/hparams.yaml").read_text())
    expected = {"normalization/scale": 0.05, "scheduler": "StepLR", "scheduler/step_size": 10, "lr": 0.01}
    assert expected.items() <= kept.items()


def test_they_can_be_left_out(normalized):
    assert fit(*normalized, "--hyperparameters.enabled", "false") == 0
    assert not list(Path("lightning_logs").rglob("hparams.yaml"))
