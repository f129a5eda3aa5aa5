"""Options that environment variables give."""

import pytest

from paramfit.cli import main
from paramfit.cli.environment import GivenVariables
from paramfit.errors import InputError
from tests.command_line import estimates_of_run, one_error_line
from tests.conftest import CONFIGS

SGD = str(CONFIGS / "thermometer" / "sgd.yaml")
QUICK = ["--plots.enabled", "false", "--doctor.enabled", "false", "--epoch_table.form", "null"]

ARGUMENTS: dict[str, tuple[dict[str, str], list[str], list[str]]] = {
    "nothing": ({}, ["--name", "x"], ["--name", "x"]),
    "an option": ({"TRAINER__MAX_EPOCHS": "3"}, [], ["--trainer.max_epochs=3"]),
    "after the configuration": (
        {"TRAINER__MAX_EPOCHS": "3"},
        ["--config", "a.yaml", "--name", "x"],
        ["--config", "a.yaml", "--trainer.max_epochs=3", "--name", "x"],
    ),
    "after the last configuration": (
        {"NAME": "y"},
        ["-c", "a.yaml", "--seed_everything", "1", "--config=b.yaml"],
        ["-c", "a.yaml", "--seed_everything", "1", "--config=b.yaml", "--name=y"],
    ),
    "the command line goes before": ({"NAME": "y"}, ["--name", "x"], ["--name", "x"]),
    "the command line goes before, with a sign": ({"NAME": "y"}, ["--name=x"], ["--name=x"]),
    "a configuration": (
        {"CONFIG": "a.yaml", "NAME": "y"},
        ["--ckpt_path", "last"],
        ["--config=a.yaml", "--name=y", "--ckpt_path", "last"],
    ),
    "another configuration": ({"CONFIG": "a.yaml"}, ["--config", "b.yaml"], ["--config", "b.yaml"]),
    "a class before its options": (
        {"MODEL__OPTIMIZER__LR": "0.1", "MODEL": "Regression", "MODEL__OPTIMIZER": "torch.optim.Adam"},
        [],
        ["--model=Regression", "--model.optimizer=torch.optim.Adam", "--model.optimizer.lr=0.1"],
    ),
    "after a class of the command line": (
        {"MODEL__UPDATES_PER_STEP": "5", "MODEL__OPTIMIZER__LR": "0.1", "NAME": "y"},
        ["--model", "Regression", "--model.optimizer=torch.optim.Adam", "--data", "Data"],
        [
            "--name=y",
            "--model",
            "Regression",
            "--model.updates_per_step=5",
            "--model.optimizer=torch.optim.Adam",
            "--model.optimizer.lr=0.1",
            "--data",
            "Data",
        ],
    ),
    "what is empty is not given": ({"TRAINER__MAX_EPOCHS": ""}, [], []),
    "a value like an option": ({"NAME": "--help"}, [], ["--name=--help"]),
}


@pytest.mark.parametrize("case", ARGUMENTS)
def test_variables_are_options(case):
    environment, given, expected = ARGUMENTS[case]
    variables = GivenVariables.of("fit", {f"PARAMFIT_FIT__{name}": value for name, value in environment.items()})
    assert variables.added_to(["fit", *given]) == ["fit", *expected]


def test_variables_of_other_commands_and_programs_are_left_alone():
    environment = {"PARAMFIT_TEST__NAME": "x", "PARAMFIT_FIT": "x", "PARAMFIT_FIT_NAME": "x", "PL_FIT__NAME": "x"}
    assert GivenVariables.of("fit", environment).added_to(["fit"]) == ["fit"]


@pytest.mark.parametrize("name", ["PARAMFIT_FIT__", "PARAMFIT_FIT____NAME", "PARAMFIT_FIT__NAME__"])
def test_a_name_that_no_option_has_is_refused(name):
    with pytest.raises(InputError, match=f"^'{name}': no option has this name"):
        GivenVariables.of("fit", {name: "1"})


def test_a_fit_takes_its_options_from_the_environment(monkeypatch):
    monkeypatch.setenv("PARAMFIT_FIT__CONFIG", SGD)
    monkeypatch.setenv("PARAMFIT_FIT__MODEL__UPDATES_PER_STEP", "7")
    monkeypatch.setenv("PARAMFIT_FIT__TRAINER__MAX_EPOCHS", "3")
    monkeypatch.setenv("PARAMFIT_FIT__NAME", "")
    assert main(["fit", *QUICK]) == 0
    assert estimates_of_run("sgd")["updates"] == 21


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("TRAINER__MAX_EPOCHS", "abc", "trainer.max_epochs: expected int, but got 'abc'"),
        ("TRAINER__MAX_EPOCH", "3", "trainer.max_epoch: there is no such option"),
        ("MODEL__OPTIMIZER__LR", "-1", "model.optimizer: Invalid learning rate"),
        ("MODEL", "{class_path: Regression, init_args: {model: LinearModl}}", "model.model: there is no class "),
        ("CONFIG", "none.yaml", "config: there is no file "),
    ],
)
def test_an_error_names_the_variable(name, value, words, monkeypatch, capsys):
    monkeypatch.setenv(f"PARAMFIT_FIT__{name}", value)
    assert main(["fit", *([] if name == "CONFIG" else ["--config", SGD]), *QUICK]) == 2
    line = one_error_line(capsys)
    assert line.startswith(f"error: {words}")
    assert line.endswith(f"(from the environment: PARAMFIT_FIT__{name})")


@pytest.mark.parametrize(
    ("name", "value", "where"),
    [
        ("TRAINER", "{max_epochs: 3", "expected ',' or '}', but got '<stream end>', line 1, column 15"),
        ("MODEL", "{class_path: Regression, init_args: {model: [", "line 1, column 46"),
        ("MODEL__OPTIMIZER", "{class_path: SGD,\n init_args: {lr: 0.1}", "line 2, column 22"),
        ("DATA__VALIDATION_ROWS", "[1, 2", "expected ',' or ']', but got '<stream end>', line 1, column 6"),
        ("TRAINER__CALLBACKS", "[{class_path: Timer]", "line 1, column 20"),
        ("TRAINER", '{max_epochs: "3}', "line 1, column 17"),
    ],
)
def test_broken_yaml_is_said_of_the_variable_and_where(name, value, where, monkeypatch, capsys):
    monkeypatch.setenv(f"PARAMFIT_FIT__{name}", value)
    assert main(["fit", "--config", SGD, *QUICK]) == 2
    line = one_error_line(capsys)
    assert line.startswith(f"error: PARAMFIT_FIT__{name}: the value is not valid YAML (")
    assert f"{where})" in line


@pytest.mark.parametrize("value", ["[1, 9]", "{max_epochs: 3}", "[0-9]*.csv", "a [b", "x {", "[[1], [2]]"])
def test_other_values_are_left_to_the_parser(value):
    assert GivenVariables.of("fit", {"PARAMFIT_FIT__X": value}).values == {"x": value}
