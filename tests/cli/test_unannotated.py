"""Functions without an annotation make optimizers and schedulers on the command line; what they make is looked at."""

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from paramfit.cli import main
from paramfit.cli.unannotated import annotated
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


@pytest.fixture
def own_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module of the user's, whose functions nobody has looked at yet."""
    module = ModuleType("own_factories")
    for function in (made, halved, forgotten, wrong):
        vars(function).pop("__signature__", None)
        setattr(module, function.__name__, function)
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
