"""The run directory: each run has its own, whoever begins, ends or fails beside it."""

import errno
import io
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
import torch

import paramfit.plotting.all_figures as all_figures
from paramfit.cli import main
from paramfit.cli.config_file import ConfigParser
from paramfit.cli.fit_cli import FitCLI
from paramfit.cli.run_folder import RunFolder
from tests.command_line import estimates_of_run, one_error_line, part, run_of

CONFIG = str(Path(__file__).parents[2] / "configs" / "thermometer" / "sgd.yaml")
BOTH = ["--config", CONFIG, "--name", "both"]
QUICK = [*BOTH, "--plots.enabled", "false", "--trainer.max_epochs", "2"]


def test_directory_that_another_run_has_taken_meanwhile_is_left_alone(monkeypatch):
    claim = FitCLI._claim_run_directory

    def after_another(cli: FitCLI) -> None:
        cli.run_directory.mkdir(parents=True)
        (cli.run_directory / "config.yaml").write_text("of another run")
        claim(cli)

    monkeypatch.setattr(FitCLI, "_claim_run_directory", after_another)
    assert main(["fit", *QUICK]) == 0
    assert (run_of("both") / "config.yaml").read_text() == "of another run"
    assert {"config.yaml", "estimates.json"} <= {path.name for path in run_of("both", 1).iterdir()}


def test_each_of_many_has_its_own_while_others_fail():
    start = Barrier(8)

    def claim(number: int) -> Path | None:
        start.wait()
        for version in range(100):
            folder = RunFolder.made(Path("logs") / "name" / f"version_{version}")
            if folder is None:
                continue
            if number % 2:  # refused, and gone again
                folder.remove()
                return None
            (folder.path / "estimates.json").write_text(str(number))
            folder.remove()  # which is not done any more
            return folder.path
        raise AssertionError

    with ThreadPoolExecutor(8) as pool:
        paths = [path for path in pool.map(claim, range(8)) if path is not None]
    assert len(set(paths)) == len(paths) == 4
    assert [int((path / "estimates.json").read_text()) for path in paths] == [0, 2, 4, 6]


def test_a_finished_fit_gives_its_report_again_and_what_is_missing(capsys):
    assert main(["fit", *BOTH, "--trainer.max_epochs", "2"]) == 0
    (run_of("both") / "estimates.json").unlink()
    capsys.readouterr()
    assert main(["fit", *BOTH, "--trainer.max_epochs", "2", "--ckpt_path", "last"]) == 0
    printed = capsys.readouterr().out
    assert "limit reached after 200 updates" in printed
    assert "no update was left to make" in printed
    first, again = ({str(path.relative_to(run)) for path in run.rglob("*.*") if "tfevents" not in path.name}
                    for run in (run_of("both"), run_of("both", 1)))  # fmt: skip
    assert again == first | {"estimates.json"}
    for name, options in (("both", ["--ckpt_path", "last"]), ("whole", ["--name", "whole"])):
        assert main(["fit", *QUICK, "--trainer.max_epochs", "4", *options]) == 0, name
    assert estimates_of_run("both", 2)["parameters"] == estimates_of_run("whole")["parameters"]


def refuse_to_write(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """As a full disk does, of one of the functions that write."""
    function = getattr(os, name)

    def full(path: Any, *others: Any, **options: Any) -> Any:
        if name == "open" and not others[0] & os.O_CREAT:
            return function(path, *others, **options)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, name, full)


@pytest.mark.parametrize("name", ["open", "fsync", "replace", "mkdir"])
def test_full_disk_ends_in_one_line_after_the_report(name, monkeypatch, capsys):
    assert main(["fit", *QUICK]) == 0
    before = {path: path.read_bytes() for path in run_of("both").rglob("*") if path.is_file()}
    refuse_to_write(monkeypatch, name)
    capsys.readouterr()
    assert main(["fit", *QUICK]) == 2
    printed = capsys.readouterr()
    assert "limit reached after 200 updates" in printed.out
    (line,) = printed.err.splitlines()
    assert line.startswith("error: trainer.default_root_dir: lightning_logs/both/version_1 cannot be written (No space")
    assert not run_of("both", 1).exists()
    if name != "mkdir":
        assert main(["predict", *QUICK[:4], "--ckpt_path", "last"]) == 2
        assert "predictions.csv cannot be written (No space left on device)" in one_error_line(capsys)
    assert {path: path.read_bytes() for path in run_of("both").rglob("*") if path.is_file()} == before


class FullOutput(io.StringIO):
    """Standard output on a disk that is full."""

    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("arguments", [["--help"], ["fit", *QUICK], ["fit", "--print_config"]], ids=" ".join)
def test_an_output_that_cannot_be_written_is_named_and_no_folder_is(arguments, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdout", FullOutput())
    assert main(arguments) == 2
    assert capsys.readouterr().err == "error: standard output: No space left on device\n"


def test_a_working_directory_that_was_removed_is_said(monkeypatch, capsys):
    Path("gone").mkdir()
    monkeypatch.chdir("gone")
    Path("../gone").rmdir()
    assert main(["fit", *QUICK]) == 2
    assert "the working directory was removed" in one_error_line(capsys)


@pytest.mark.parametrize("figure", ["scatter_figure", "fit_figure", "loss_curve_figure", "loss_surface_figure"])
def test_figure_that_cannot_be_drawn_is_left_out_with_its_reason(figure, monkeypatch, capsys):
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("no such font")

    monkeypatch.setattr(all_figures, figure, broken)
    assert main(["fit", *QUICK, "--plots.enabled", "true"]) == 0
    name = figure.removesuffix("_figure")
    assert f"figure {name} is left out: RuntimeError: no such font" in capsys.readouterr().out
    drawn = {path.stem for path in (run_of("both") / "figures").iterdir()}
    assert drawn == {"scatter", "fit", "loss_curve", "loss_surface"} - {name}


@pytest.mark.parametrize(("variable", "value"), [
    ("WORLD_SIZE", "2"), ("LOCAL_RANK", "1"), ("RANK", "3"), ("SLURM_STEP_NUM_TASKS", "2"), ("PMI_SIZE", "2"),
])  # fmt: skip
@pytest.mark.parametrize("command", ["fit", "validate", "test", "predict"])
def test_several_processes_are_refused(command, variable, value, monkeypatch, capsys):
    monkeypatch.setenv(variable, value)
    assert main([command, *QUICK]) == 2
    assert f"{variable} is {value}, but one process is supported" in one_error_line(capsys)


@pytest.mark.parametrize("command", ["validate", "test"])
def test_several_devices_are_refused_in_evaluations_too(command, capsys):
    assert main([command, *QUICK[:4], "--trainer.devices", "2", "--ckpt_path", "last"]) == 2
    assert "trainer.devices: one process is supported, but 2 were asked for" in one_error_line(capsys)


def test_callback_with_an_enumeration_as_default_is_kept_with_the_run():
    assert main(["fit", *QUICK, "--trainer.callbacks", "lightning.pytorch.callbacks.Timer"]) == 0
    assert "interval: step" in (run_of("both") / "config.yaml").read_text()
    assert json.loads((run_of("both") / "estimates.json").read_text())["updates"] == 200


@pytest.mark.filterwarnings("ignore")  # the parser warns of the text that it reads as something else
def test_texts_come_back_from_the_configuration_of_a_run():
    texts = ["1", "1e3", ".5e3", "yes", "null", "~", "[/day]", "{a: 1}", "a: b", "1_000", "'1'", '"x"', "", "-", "温度"]
    parameters = {f"p{number}": {"start": 1, "unit": text} for number, text in enumerate(texts)}
    model = part("paramfit.FormulaModel", formula=" + ".join(parameters), variables=[], parameters=parameters)
    parser = ConfigParser()
    parser.add_subclass_arguments(torch.nn.Module, "model")
    kept = parser.dump(parser.parse_object({"model": model}), skip_none=False)
    assert parser.parse_string(kept).model.init_args.parameters == parameters
