"""The command line: what a person types, and what comes back."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import yaml
from scipy.stats import gamma

from paramfit import __version__
from paramfit.cli import main
from paramfit.cli.front_door import COMMANDS, HELP, OPTIONS
from tests.command_line import estimates_of_run, one_error_line, run_of
from tests.thermometer import CELSIUS, READINGS

REPOSITORY = Path(__file__).parents[2]
NORMALIZED = str(REPOSITORY / "configs" / "thermometer" / "normalized.yaml")
QUICK = ["--trainer.max_epochs", "3", "--plots.enabled", "false", "--epoch_table.form", "null"]
PARAMFIT = Path(sys.executable).parent / "paramfit"

MODEL_OF_THEIR_OWN = """
import torch
from torch import nn


class Proportional(nn.Module):
    def __init__(self, factor: float = 1.0) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.factor * x
"""


def fit(*options: str, config: str = NORMALIZED) -> int:
    return main(["fit", "--config", config, *QUICK, *options])


def the_run(name: str = "normalized", version: int = 0) -> Path:
    return run_of(name, version)


def installed(*arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    return subprocess.run([PARAMFIT, *arguments], capture_output=True, text=True, timeout=timeout, check=False)


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [([], HELP), (["--help"], HELP), (["-h"], HELP), (["--version"], f"paramfit {__version__}\n")],
)
def test_help_and_version_are_printed(arguments, printed, capsys):
    assert main(arguments) == 0
    assert capsys.readouterr().out == printed


def test_shell_completes_commands_and_options_alone():
    page = (REPOSITORY / "docs" / "questions.md").read_text(encoding="utf-8")
    pattern = re.search(r"^complete .* grep -oE '([^']+)'", page, re.MULTILINE)
    assert pattern is not None
    words = subprocess.run(["grep", "-oE", pattern[1]], input=HELP, capture_output=True, text=True, check=True).stdout
    assert words.split() == [*COMMANDS, *OPTIONS]


def test_help_of_steps_says_what_they_count(capsys):
    assert main(["fit", "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    for option in ("max_steps", "min_steps"):
        told = shown[shown.rindex(f"--trainer.{option} {option.upper()} ") :].partition("(type:")[0]
        assert told.endswith("Steps are blocks of --model.updates_per_step updates here. ")


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_help_and_version_do_not_import_torch(argument):
    program = "import sys; from paramfit.cli import main; main(sys.argv[1:]); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program, argument], capture_output=True, check=False).returncode == 0


def test_the_help_text_is_in_step_with_the_parser(capsys):
    from lightning.pytorch.cli import LightningCLI

    assert set(COMMANDS) == {*LightningCLI.subcommands(), "report", "compare", "export"}
    assert main(["fit", "--help"]) == 0
    assert main(["predict", "--help"]) == 0
    real = capsys.readouterr().out
    for option in OPTIONS:
        assert re.search(rf"{option}\b", real), option
    for option, text in OPTIONS.items():
        for mentioned in re.findall(r"--[a-z_]+\.[a-z_]+", text):
            assert mentioned in real, (option, mentioned)
    sections = set(re.findall(r"--([a-z_]+)\.[a-z_]+", real)) - {"trainer"}
    assert sections == {option.removeprefix("--") for option in OPTIONS if f"{option}." in real} - {"trainer"}


def test_a_fit_leaves_the_run_directory_that_the_design_names():
    assert fit("--plots.enabled", "true") == 0
    run = the_run()
    actual = {str(path.relative_to(run)) for path in run.rglob("*") if path.is_file()}
    assert {"config.yaml", "estimates.json", "checkpoints/best.ckpt", "checkpoints/last.ckpt"} <= actual
    assert {"figures/fit.png", "figures/scatter.png", "figures/loss_surface.png"} <= actual
    assert any("tfevents" in name for name in actual)
    assert not any(name.endswith(".part") for name in actual)


def test_a_saved_config_repeats_the_run():
    assert fit() == 0
    assert main(["fit", "--config", str(the_run() / "config.yaml")]) == 0
    first, second = (estimates_of_run("normalized", n) for n in (0, 1))
    assert first == second


def test_divergence_has_its_exit_code(capsys):
    assert fit("--data.normalization", "none", "--trainer.max_epochs", "20") == 3
    assert "29.4 times the largest stable rate 0.00033994" in " ".join(capsys.readouterr().out.split())
    assert estimates_of_run("normalized")["status"] == "diverged"


def test_nan_at_the_end_is_divergence_even_where_nobody_watches():
    options = ("--data.normalization", "none", "--divergence.enabled", "false", "--trainer.max_epochs", "60")
    assert fit(*options) == 3
    written = estimates_of_run("normalized")
    assert (written["status"], written["updates"]) == ("diverged", 60)
    assert written["parameters"]["weight"]["estimate"] == "nan"


@pytest.mark.parametrize("command", ["validate", "test"])
def test_evaluation_uses_the_rows_that_the_fit_held_out(command, capsys):
    assert fit("--data.validation_fraction", "0.4", "--data.seed", "5") == 0
    expected = estimates_of_run("normalized")["loss"]["val"]
    capsys.readouterr()
    # another seed on the command line does not move the split: the checkpoint remembers it
    config, checkpoint = str(the_run() / "config.yaml"), str(the_run() / "checkpoints" / "last.ckpt")
    assert main([command, "--config", config, "--ckpt_path", checkpoint, "--data.seed", "6"]) == 0
    shown = re.search(r"(?:val|test)/loss\W+([\d.]+)", capsys.readouterr().out)
    assert float(shown[1]) == pytest.approx(expected, rel=1e-5)


def test_predictions_go_into_the_run_directory_and_are_never_overwritten():
    assert fit() == 0
    config, checkpoint = str(the_run() / "config.yaml"), str(the_run() / "checkpoints" / "last.ckpt")
    for _ in range(2):
        assert main(["predict", "--config", config, "--ckpt_path", checkpoint]) == 0
    rows = (the_run() / "predictions.csv").read_text().splitlines()
    assert len(rows) == 12
    assert (the_run() / "predictions_1.csv").read_text().splitlines() == rows
    estimates = estimates_of_run("normalized")["original_units"]
    first = dict(zip(rows[0].split(","), rows[1].split(","), strict=True))
    line = estimates["weight"]["estimate"] * float(first["input"]) + estimates["bias"]["estimate"]
    assert float(first["prediction"]) == pytest.approx(line, rel=1e-5)


def write(name: str, text: str) -> str:
    Path(name).write_text(text, encoding="utf-8")
    return name


def config_with(old: str, new: str) -> str:
    text = Path(NORMALIZED).read_text(encoding="utf-8")
    assert old in text
    return write("mistaken.yaml", text.replace(old, new))


BAD_OPTIONS: dict[str, tuple[list[str], str]] = {
    "unknown key of the trainer": (["--trainer.max_epoch", "3"], "did you mean 'trainer.max_epochs'?"),
    "bad class path of the task": (["--model", "Regresion"], "did you mean 'Regression'?"),
    "wrong type": (["--model.optimizer.lr", "fast"], "model.optimizer.lr: expected float, but got 'fast'"),
    "learning rate of 0": (["--model.optimizer.lr", "0"], "model.optimizer: lr: a learning rate is above 0"),
    "fraction of 1": (["--data.validation_fraction", "1"], "data.validation_fraction: expected a share in [0, 1)"),
    "monitor without validation data": (["--early_stopping.patience", "5"], "--data.validation_fraction 0.2"),
    "infinite learning rate": (["--model.optimizer.lr", ".inf"], "model.optimizer.lr: expected a finite number"),
    "several processes": (["--trainer.devices", "2"], "trainer.devices"),
    "several machines": (["--trainer.num_nodes", "2"], "trainer.num_nodes"),
    "seed below 0": (["--seed_everything", "-1"], "seed_everything: expected a number from 0 to 4294967295"),
    "logger without its package": (["--trainer.logger", "WandbLogger"], "WandbLogger needs the package wandb"),
    "nothing to do": (
        ["--trainer.max_epochs", "0"],
        "nothing to do: no update was made; give a larger --trainer.max_epochs,",
    ),
    "no time": (
        ["--trainer.max_epochs", "-1", "--trainer.max_time", "00:00:00:00"],
        "give a larger --trainer.max_time,",
    ),
    "no step": (
        ["--trainer.max_steps", "0"],
        "nothing to do: no update was made; give a larger --trainer.max_steps (it counts blocks",
    ),
    "interval without batches": (["--trainer.val_check_interval", "5"], "val_check_interval"),
    "name outside": (["--name", "../elsewhere"], "name: expected a folder under lightning_logs"),
    "unwritable root": (["--trainer.default_root_dir", "/dev/null/nowhere"], "trainer.default_root_dir"),
    "huge seed": (["--data.seed", "99999999999999999999"], "data.seed"),
    "foreign early stopping": (
        ["--trainer.callbacks+=EarlyStopping", "--trainer.callbacks.monitor", "val/loss"],
        "no row is held out",
    ),
    "accelerator": (["--trainer.accelerator", "abacus"], "trainer.accelerator: 'abacus' is not available"),
    "absent GPU": (
        ["--trainer.accelerator", "mps"],
        "trainer.accelerator: 'mps' is not available on this machine; give",
    ),
    "missing checkpoint": (["--ckpt_path", "nowhere.ckpt"], "nowhere.ckpt"),
    "no last checkpoint": (["--ckpt_path", "last"], "no last.ckpt under lightning_logs"),
}


@pytest.mark.parametrize("case", BAD_OPTIONS)
def test_a_wrong_option_ends_in_one_line_and_leaves_nothing(case, capsys):
    options, named = BAD_OPTIONS[case]
    assert fit(*options) == 2
    assert named in one_error_line(capsys)
    assert not Path("lightning_logs").exists()


@pytest.mark.parametrize(("old", "new", "named"), [
    ("objective:", "objektive:", "model.objektive: HandWrittenDescent has no such option; did you mean 'objective'?"),
    ("AnalyticGradient", "AnalyticGradien", "did you mean 'AnalyticGradient'?"),
    ("    gradient: {class_path: AnalyticGradient}\n", "", "gradient is missing"),
    ("{scale: 0.1}", "{scale: 0.0}", "data.normalization.scale"),
    ("init_args: {lr", "init_args: {{lr", "mistaken.yaml is not valid YAML"),
], ids=["unknown key", "class path", "missing key", "value", "syntax"])  # fmt: skip
def test_a_wrong_line_in_a_file_is_named(old, new, named, capsys):
    assert fit(config=config_with(old, new)) == 2
    assert named in one_error_line(capsys)
    assert not Path("lightning_logs").exists()


@pytest.mark.parametrize(("arguments", "named"), [
    (["fit", "--config", "nowhere.yaml"], "nowhere.yaml"),
    (["fit"], "--config FILE"),
    (["fit", "--config", "empty.yaml"], "empty.yaml is empty"),
    (["fit", "--config", "binary.yaml"], "binary.yaml is not a text file"),
    (["fitt"], "use one of: fit, validate, test, predict"),
], ids=["missing config", "no options", "empty file", "no text", "unknown command"])  # fmt: skip
def test_a_wrong_beginning_is_explained(arguments, named, capsys):
    Path("empty.yaml").touch()
    Path("binary.yaml").write_bytes(b"\xff\xfe\x00model")
    assert main(arguments) == 2
    assert named in one_error_line(capsys)


def losses(printed: str) -> list[float]:
    return [float(number) for number in re.findall(r"val/mse\W+([\d.]+)", printed)]


def test_the_loss_at_the_start_is_told_as_such(capsys):
    assert main(["validate", "--config", NORMALIZED]) == 0
    printed = capsys.readouterr().out
    assert "evaluated at the starting values" in printed
    assert losses(printed) == pytest.approx([80.364], rel=1e-4)  # of the lessons: weight 1, bias 0 on 0.1 x


def test_the_configuration_of_a_run_means_its_own_checkpoints(capsys):
    older, newer = (the_run(version=version) for version in (0, 1))
    assert fit("--report.enabled", "false") == 0
    shutil.copytree(older, newer, copy_function=shutil.copy)  # as the newer run of this name
    assert main(["predict", "--config", str(older / "config.yaml"), "--ckpt_path", "best"]) == 0
    assert (older / "predictions.csv").is_file()
    shutil.rmtree(older / "checkpoints")
    capsys.readouterr()
    assert main(["predict", "--config", str(older / "config.yaml"), "--ckpt_path", "last"]) == 2
    assert f"there is no last.ckpt under {older}" in one_error_line(capsys)


def test_a_dry_run_leaves_nothing():
    assert fit("--trainer.fast_dev_run", "true") == 0
    assert not Path("lightning_logs").exists()


OUT_OF_ITS_SPACE = """
import torch
from torch import nn


class FreeScale(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(1.0))

    def forward(self) -> torch.distributions.Normal:
        return torch.distributions.Normal(torch.zeros_like(self.scale), self.scale)
"""


def test_a_distribution_that_leaves_its_parameter_space_has_diverged(capsys):
    write("out_of_its_space.py", OUT_OF_ITS_SPACE)
    sys.path.append(str(Path.cwd()))
    options = ["--model", "MaximumLikelihood", "--model.model", "out_of_its_space.FreeScale", "--model.optimizer"]
    data = ["--data", "GaussianDataModule", "--data.n_obs", "1000", "--data.scale", "0.1"]
    fast = ["torch.optim.SGD", "--model.optimizer.lr", "0.02", "--trainer.max_epochs", "10"]
    assert main(["fit", *options, *fast, *data]) == 3
    report = " ".join(capsys.readouterr().out.split())
    assert "scale is -18.8023, outside what Normal allows" in report
    assert "loss train inf" in report


@pytest.mark.parametrize("command", ["fit", "validate", "predict"])
def test_a_damaged_checkpoint_is_refused(command, capsys):
    Path("harmed.ckpt").write_bytes(b"half a checkp")
    options = QUICK if command == "fit" else []
    assert main([command, "--config", NORMALIZED, *options, "--ckpt_path", "harmed.ckpt"]) == 2
    assert "harmed.ckpt is damaged or no checkpoint" in one_error_line(capsys)
    assert not Path("lightning_logs").exists()


def test_what_a_resumed_fit_would_ignore_is_refused(capsys):
    assert fit() == 0
    capsys.readouterr()
    assert fit("--ckpt_path", "last", "--data.normalization", "none") == 2
    assert "data.normalization: the checkpoint was made with" in one_error_line(capsys)
    assert [path.name for path in the_run().parent.iterdir()] == ["version_0"]


def test_last_is_the_newest_of_this_configuration():
    assert fit() == 0
    assert fit("--name", "another", "--trainer.max_epochs", "4") == 0
    assert fit("--trainer.max_epochs", "5") == 0
    os.utime(the_run(version=1) / "checkpoints" / "last.ckpt", (2e9, 2e9))
    assert fit("--ckpt_path", "last", "--trainer.max_epochs", "8") == 0
    assert fit("--name", "whole", "--trainer.max_epochs", "8") == 0
    resumed = estimates_of_run("normalized", 2)
    whole = estimates_of_run("whole")
    assert resumed["updates"] == 8
    assert resumed["parameters"] == whole["parameters"]


def test_a_run_directory_that_exists_is_not_touched(capsys):
    assert fit() == 0
    before = {path: path.stat().st_mtime_ns for path in the_run().rglob("*")}
    place = {"save_dir": "lightning_logs", "name": "normalized", "version": 0}
    board = {"class_path": "lightning.pytorch.loggers.TensorBoardLogger", "init_args": place}
    logger = write("logger.yaml", yaml.safe_dump({"trainer": {"logger": board}}))
    capsys.readouterr()
    assert fit("--config", logger) == 2
    assert "exists already" in one_error_line(capsys)
    assert {path: path.stat().st_mtime_ns for path in the_run().rglob("*")} == before


@pytest.mark.slow
def test_a_model_file_in_the_working_directory_works_from_the_installed_command():
    write("proportional.py", MODEL_OF_THEIR_OWN)
    ended = installed(
        "fit", "--model", "Regression", "--model.model", "proportional.Proportional", "--model.optimizer",
        "torch.optim.SGD", "--model.optimizer.lr", "1e-4", "--data", "ThermometerDataModule",
        "--trainer.max_epochs", "50",
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    written = estimates_of_run("Regression")
    exact = np.dot(READINGS, CELSIUS) / np.dot(READINGS, READINGS)
    assert written["parameters"]["factor"]["estimate"] == pytest.approx(exact, rel=1e-5)


def interrupted(number: signal.Signals, options: Sequence[str]) -> tuple[int, str]:
    """Start a long fit, send it a signal as soon as it prints a line about an update, and wait for its end."""
    form = ["--epoch_table.form", "LossLines", "--trainer.max_epochs", "1000000", "--plots.enabled", "false"]
    process = subprocess.Popen(
        [PARAMFIT, "fit", "--config", NORMALIZED, *form, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("Epoch"):
            process.send_signal(number)
            break
    _, errors = process.communicate(timeout=60)
    return process.returncode, errors


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code", "status"),
    [(signal.SIGTERM, 143, "terminated"), (signal.SIGINT, 130, "interrupted")],
    ids=["SIGTERM", "Ctrl-C"],
)
def test_a_signal_finishes_the_block_and_leaves_a_usable_checkpoint(number, code, status):
    returned, errors = interrupted(number, ["--model.updates_per_step", "50"])
    assert (returned, errors) == (code, "")
    written = estimates_of_run("normalized")
    assert written["status"] == status
    assert written["updates"] % 50 == 0
    epochs = written["updates"] // 50 + 3
    options = ["--model.updates_per_step", "50", "--trainer.max_epochs", str(epochs)]
    assert fit(*options, "--ckpt_path", "last") == 0
    assert fit(*options, "--name", "whole") == 0
    assert estimates_of_run("normalized", 1)["parameters"] == estimates_of_run("whole")["parameters"]


WAITING_TIMES = """
model:
  class_path: MaximumLikelihood
  init_args:
    model:
      class_path: DistributionModel
      init_args: {distribution: torch.distributions.Gamma, parameters: {concentration: 1.0, rate: 1.0}}
data:
  class_path: TableDataModule
  init_args: {path: waiting.csv, inputs: [], target: t}
"""
BY_LBFGS = """
    optimizer:
      class_path: torch.optim.LBFGS
      init_args: {line_search_fn: strong_wolfe}
"""
LBFGS = ["--model.optimizer", "torch.optim.LBFGS", "--model.optimizer.line_search_fn", "strong_wolfe"]


def fit_waiting_times(*options: str, config: str = WAITING_TIMES) -> int:
    """Fit 60 quantiles of a gamma distribution of shape 2.5 and rate 2."""
    times = [gamma.ppf((k + 0.5) / 60, 2.5, scale=0.5) for k in range(60)]
    write("waiting.csv", "t\n" + "".join(f"{time!r}\n" for time in map(float, times)))
    return main(["fit", "--config", write("waiting.yaml", config), "--plots.enabled", "false", *options])


def waiting_times_estimates(version: int = 0) -> dict[str, dict[str, float]]:
    written = estimates_of_run("waiting", version)
    assert written["status"] == "converged"
    return written["parameters"]


@pytest.mark.parametrize("by_option", [True, False], ids=["by options", "by YAML"])
def test_lbfgs_with_a_line_search_ends_where_newton_does(by_option):
    assert fit_waiting_times() == 0
    newton = waiting_times_estimates()
    again = WAITING_TIMES if by_option else WAITING_TIMES.replace("\ndata:", f"{BY_LBFGS.rstrip()}\ndata:")
    assert fit_waiting_times("--trainer.max_epochs", "6", *(LBFGS if by_option else []), config=again) == 0
    lbfgs = waiting_times_estimates(1)
    for name, expected in newton.items():
        spread = expected["standard_error"]
        assert lbfgs[name]["estimate"] == pytest.approx(expected["estimate"], abs=1e-5 * spread)
        assert lbfgs[name]["standard_error"] == pytest.approx(spread, rel=1e-5)
    shape, _, scale = gamma.fit([float(line) for line in Path("waiting.csv").read_text().split()[1:]], floc=0)
    assert newton["concentration"]["estimate"] == pytest.approx(shape, rel=1e-6)
    assert newton["rate"]["estimate"] == pytest.approx(1 / scale, rel=1e-6)
