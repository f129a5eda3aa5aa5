"""Functions on the command line: they make optimizers and schedulers, say what else they make, or end in one line."""

import re
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from lightning.pytorch.cli import OptimizerCallable
from torch.optim import Optimizer

from paramfit import HuberError, Objective, Regression
from paramfit.cli import main
from paramfit.cli.unannotated import annotated, functions_given_as_classes
from tests.command_line import one_error_line

FIT = [
    "fit", "--data", "ThermometerDataModule", "--model", "Regression", "--model.model", "LinearModel", "--name", "own",
    "--data.normalization", "FixedScale", "--data.normalization.scale", "0.1", "--trainer.max_epochs", "4",
    "--plots.enabled", "false", "--trainer.enable_progress_bar", "false",
]  # fmt: skip


def made(parameters):
    return torch.optim.SGD(parameters, lr=0.02)


def halved(optimizer):
    return torch.optim.lr_scheduler.StepLR(optimizer, 2, gamma=0.5)


def forgotten(made_of):
    return None


def wrong(parameters) -> int:
    return 3


def typed(parameters: Iterable[Any], lr: float = 0.02) -> Optimizer:
    return torch.optim.SGD(parameters, lr=lr)


def robust(delta: float = 1.0) -> Objective:
    return HuberError(delta)


class OwnTask(Regression):
    """An argument of its own that is called, beside those that it hands on."""

    def __init__(self, make: OptimizerCallable = torch.optim.Adam, **others: Any) -> None:
        super().__init__(optimizer=make, **others)


@pytest.fixture
def own_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module of the user's, whose functions nobody has looked at yet."""
    module = ModuleType("own_factories")
    for part in (made, halved, forgotten, wrong, typed, robust):
        vars(part).pop("__signature__", None)
    for part in (made, halved, forgotten, wrong, typed, robust, OwnTask):
        monkeypatch.setattr(part, "__module__", "own_factories")
        setattr(module, part.__name__, part)
    monkeypatch.setitem(sys.modules, "own_factories", module)


@pytest.mark.usefixtures("own_module")
def test_functions_without_annotation_make_optimizer_and_scheduler():
    assert main([*FIT, "--model.optimizer", "own_factories.made", "--model.scheduler", "own_factories.halved"]) == 0
    run = Path("lightning_logs/own/version_0")
    config = (run / "config.yaml").read_text()
    assert "optimizer: own_factories.made" in config
    assert "scheduler: own_factories.halved" in config
    kept = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    assert kept["optimizer_states"][0]["param_groups"][0]["lr"] == 0.02 / 4


@pytest.mark.usefixtures("own_module")
@pytest.mark.parametrize(("options", "line"), [
    (["--model.optimizer", "own_factories.forgotten"],
     r"model\.optimizer: what makes it returns None; return a torch\.optim\.Optimizer of the parameters"),
    (["--model.scheduler", "own_factories.forgotten"],
     r"model\.scheduler: what makes it returns None; return a scheduler of torch\.optim\.lr_scheduler"),
    (["--model.optimizer", "own_factories.wrong"],
     r"model\.optimizer: own_factories\.wrong does not say that it returns one; write def wrong\(\.\.\.\) -> torch"),
    (["--model.optimizer", "own_factories.made", "--model.optimizer.lr", "0.1"],
     r"model\.optimizer\.lr: a function takes no options; give its argument a default"),
], ids=["optimizer", "scheduler", "annotated otherwise", "option"])  # fmt: skip
def test_what_is_wrong_with_a_function_is_one_line(options, line, capsys):
    assert main([*FIT, *options]) == 2
    assert re.search(line, one_error_line(capsys))
    assert not Path("lightning_logs").exists()


@pytest.mark.parametrize("text", [
    "Expected 'math.sin' to be a function that returns <class 'Optimizer'>.",  # takes no mark
    "Expected 'builtins.print' to be a function that returns <class 'Module'>.",
    "something else",
])  # fmt: skip
def test_another_refusal_stays_one(text):
    assert not annotated(ImportError(text))


BY_PATH = r" is a function, which stands without class_path and options; give --model\.{0} own_factories\.{1}$"


@pytest.mark.usefixtures("own_module")
@pytest.mark.parametrize(("option", "function", "others"), [
    ("optimizer", "made", []),
    ("optimizer", "typed", []),
    ("optimizer", "typed", ["--model.optimizer.lr", "0.1"]),
    ("scheduler", "halved", ["--model.optimizer.class_path", "SGD"]),
    ("scheduler", "forgotten", []),
], ids=["untyped", "typed", "with an option", "scheduler", "returns nothing"])  # fmt: skip
def test_function_as_a_class_path_is_one_line_that_says_what_to_write(option, function, others, capsys):
    given = [f"--model.{option}.class_path", f"own_factories.{function}"]
    assert main([*FIT, *given, *others]) == 2
    assert re.search(BY_PATH.format(option, function), one_error_line(capsys))
    assert not Path("lightning_logs").exists()


@pytest.mark.usefixtures("own_module")
def test_function_as_a_class_path_in_a_file_and_in_a_task_of_ones_own_is_the_same_line(capsys):
    Path("own.yaml").write_text("model: {init_args: {make: {class_path: own_factories.made}}}")
    own = ["own_factories.OwnTask" if part == "Regression" else part for part in FIT]
    assert main([*own, "--config", "own.yaml"]) == 2
    assert re.search(BY_PATH.format("make", "made"), one_error_line(capsys))


@pytest.mark.usefixtures("own_module")
def test_function_that_says_what_it_makes_is_a_class_path_with_options():
    assert main([*FIT, "--model.objective.class_path", "own_factories.robust", "--model.objective.delta", "2"]) == 0
    assert "delta: 2" in Path("lightning_logs/own/version_0/config.yaml").read_text()


@pytest.mark.usefixtures("own_module")
@pytest.mark.parametrize("spelling", ["", ".class_path"], ids=["short", "class_path"])
@pytest.mark.parametrize(("option", "kind"), [
    ("model.objective", "Objective"),
    ("model.metrics.own", "Metric"),
    ("model.model", "Module"),
    ("data.normalization", "Normalization"),
    ("data", "EstimationDataModule"),
    ("trainer.callbacks", "Callback"),
    ("trainer.logger", "Logger"),
])  # fmt: skip
def test_function_where_a_class_is_wanted_has_to_say_that_it_makes_one(option, kind, spelling, capsys):
    assert main([*FIT, f"--{option}{spelling}", "own_factories.made"]) == 2
    line = one_error_line(capsys)
    assert "own_factories.made is a function that does not say that it returns one; write" in line
    assert f"write def made(...) -> {kind}: where it makes one, or a class that is one" in line
    assert option.removesuffix(".own") in line


@pytest.mark.usefixtures("own_module")
def test_gradient_rule_that_is_a_function_has_to_say_so(capsys):
    own = ["HandWrittenDescent" if part == "Regression" else part for part in FIT]
    assert main([*own, "--model.gradient", "own_factories.made"]) == 2
    assert "model.gradient: own_factories.made is a function that does not say" in one_error_line(capsys)


@pytest.mark.usefixtures("own_module")
@pytest.mark.parametrize(("path", "line"), [
    ("own_factories.Regression", "there is no class Regression; "),
    ("own_factories.OwnTask", "own_factories.OwnTask is no Callback; give a class that is one"),
])  # fmt: skip
def test_callback_that_is_none_is_not_told_that_a_list_was_wanted(path, line, capsys):
    assert main([*FIT, "--trainer.callbacks", path]) == 2
    assert f"trainer.callbacks: {line}" in one_error_line(capsys)


@pytest.mark.parametrize("options", [
    None, 3, {"class_path": 3}, {"class_path": "", "init_args": 3}, {"class_path": "no.Such", "init_args": {"a": [1]}},
    {"class_path": "paramfit.Regression", "init_args": {"optimizer": {"class_path": "torch.optim.SGD"}}},
    {"class_path": "paramfit.Regression", "init_args": {"optimizer": {"class_path": "no.such_function"}}},
    {"class_path": "paramfit.Regression", "init_args": {"model": {"class_path": "math.sin"}}},
])  # fmt: skip
def test_what_is_no_function_to_be_called_is_left_alone(options):
    assert list(functions_given_as_classes({"model": options})) == []


def test_function_is_found_within_lists_and_classes():
    inner = {"class_path": "paramfit.Regression", "init_args": {"scheduler": {"class_path": "pathlib.Path.cwd"}}}
    assert list(functions_given_as_classes({"a": [inner]})) == [("a.scheduler", "pathlib.Path.cwd")]
