"""Errors in a person's own file name its line."""

import importlib
from pathlib import Path

import pytest

from paramfit.cli import main
from paramfit.users_code import place_in_users_code
from tests.command_line import one_error_line

OWN = """
import torch
from torch import nn

import paramfit


class Model(nn.Module):
    def __init__(self, start: float = 1.0) -> None:
        super().__init__()
        self.k = nn.Parameter(torch.tensor(start))

    def forward(self, x):
        return torch.nn.functional.linear(self.k * x, torch.ones(2, 2))  # forward


class Unmade(Model):
    def __init__(self) -> None:
        super().__init__()
        self.width = 1 / 0  # made


class Data(paramfit.EstimationDataModule):
    def read(self):
        return {}["x"]  # read


class Late(Model):
    # once its parameter has moved
    error = ValueError

    def forward(self, *x):
        if self.k.detach() != 1:
            raise self.error("the table ends here")  # late
        return self.k * x[0] if x else torch.distributions.Normal(self.k, 1.0)


class LateKey(Late):
    error = KeyError


class Listening(paramfit.EpochTable):
    def on_train_start(self, trainer, pl_module):
        torch.ones(2) @ torch.ones(3)  # started
"""
FIT = ["fit", "--model", "Regression", "--model.model", "LinearModel", "--data", "ThermometerDataModule"]
FIT += ["--trainer.max_epochs", "2", "--trainer.enable_progress_bar", "false", "--plots.enabled", "false"]


@pytest.fixture
def module(own_directory, monkeypatch, request) -> str:
    """The name of a module of one's own, another one for each test."""
    name = f"own_{abs(hash(request.node.name))}"
    (own_directory / f"{name}.py").write_text(OWN, encoding="utf-8")
    monkeypatch.syspath_prepend(own_directory)
    return name


@pytest.mark.parametrize(("options", "mark", "error"), [
    (["--model.model", "Model"], "forward", "RuntimeError: "),
    (["--model.model", "Unmade"], "made", "ZeroDivisionError: division by zero"),
    (["--data", "Data"], "read", "KeyError: 'x'"),
    (["--trainer.callbacks", "Listening"], "started", "RuntimeError: "),
], ids=lambda case: str(case))  # fmt: skip
def test_error_line_names_file_and_line(options, mark, error, module, capsys):
    assert main([*FIT, options[0], f"{module}.{options[1]}"]) == 2
    line = next(number for number, text in enumerate(OWN.splitlines(), 1) if text.endswith(f"# {mark}"))
    said = one_error_line(capsys)
    assert f"{Path.cwd() / module}.py:{line}" in said
    assert error in said
    assert not Path("lightning_logs").exists()


DESCENTS = {
    "Regression": ["--data", "ThermometerDataModule", "--model.optimizer", "SGD", "--model.optimizer.lr", "1e-4"],
    "HandWrittenDescent": ["--data", "ThermometerDataModule", "--model.gradient", "NumericalGradient"],
    "MaximumLikelihood": ["--data", "GaussianDataModule"],
    "LeastSquares": ["--data", "ThermometerDataModule"],
}


@pytest.mark.parametrize("kind", ["Late", "LateKey"])
@pytest.mark.parametrize("task", DESCENTS)
def test_error_during_a_fit_is_not_told_as_divergence(task, kind, module, capsys):
    options = ["--trainer.max_epochs", "5", "--trainer.enable_progress_bar", "false", "--plots.enabled", "false"]
    assert main(["fit", "--model", task, "--model.model", f"{module}.{kind}", *DESCENTS[task], *options]) == 2
    line = next(number for number, text in enumerate(OWN.splitlines(), 1) if text.endswith("# late"))
    error = "ValueError: the table ends here" if kind == "Late" else "KeyError: 'the table ends here'"
    assert f"{Path.cwd() / module}.py:{line}, in forward: {error}" in one_error_line(capsys)


def test_file_that_is_no_python_is_named(module, capsys):
    Path(f"{module}.py").write_text("import torch\nx = (\n", encoding="utf-8")
    assert main([*FIT, "--model.model", f"{module}.Model"]) == 2
    assert f"{module}.py:2: SyntaxError: " in one_error_line(capsys)


def test_who_calls_is_not_to_blame():
    with pytest.raises(ValueError, match="Invalid literal") as refused:
        importlib.import_module("fractions").Fraction("a")
    assert place_in_users_code(refused.value) is None


@pytest.mark.parametrize(("option", "meant"), [
    ("model.optimizer.learning_rate", "model.optimizer.lr"),
    ("model.learning_rate", "model.optimizer.lr"),
])  # fmt: skip
def test_learning_rate_is_called_lr(option, meant, capsys):
    assert main([*FIT, f"--{option}", "0.1"]) == 2
    assert one_error_line(capsys) == f"error: {option}: there is no such option; did you mean '{meant}'?"
