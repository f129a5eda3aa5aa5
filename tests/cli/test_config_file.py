"""One entry of a parameter on the command line, on top of a configuration."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from paramfit.cli.config_file import ConfigParser
from paramfit.models import FormulaModel
from paramfit.parameters import ParameterSpec

FORMULA: dict[str, Any] = {
    "class_path": "paramfit.FormulaModel",
    "init_args": {
        "formula": "b1 * (1 - exp(-b2 * x))",
        "variables": ["x"],
        "parameters": {"b1": 250, "b2": {"start": 5.0e-4, "lower": 0, "unit": "1/s"}},
    },
}


def parameters_after(*options: str) -> dict[str, ParameterSpec]:
    """What the model is told of each parameter."""
    Path("formula.yaml").write_text(yaml.safe_dump({"model": FORMULA}))
    parser = ConfigParser()
    parser.add_subclass_arguments(FormulaModel, "model")
    parser.add_argument("--config", action="config")
    found = parser.parse_args(["--config", "formula.yaml", *options])["model.init_args.parameters"]
    return {name: ParameterSpec.of(name, given) for name, given in found.items()}


@pytest.mark.parametrize("place", ["model", "model.init_args"])
def test_one_entry_changes_and_its_neighbours_stay(place: str) -> None:
    found = parameters_after(f"--{place}.parameters.b2.start=0.7")
    assert found == {"b1": ParameterSpec(250), "b2": ParameterSpec(0.7, lower=0, unit="1/s")}


def test_several_entries_add_up() -> None:
    found = parameters_after("--model.parameters.b2.upper=1", "--model.parameters.b2.start", "0.7")
    assert found == {"b1": ParameterSpec(250), "b2": ParameterSpec(0.7, lower=0, upper=1, unit="1/s")}


def test_a_parameter_given_as_a_number_keeps_it_as_its_start() -> None:
    assert parameters_after("--model.parameters.b1.lower=0")["b1"] == ParameterSpec(250, lower=0)


def test_null_takes_an_entry_away() -> None:
    assert parameters_after("--model.parameters.b2.lower=null")["b2"] == ParameterSpec(5e-4, unit="1/s")


@pytest.mark.parametrize(
    ("given", "expected"),
    [("0.7", ParameterSpec(0.7)), ("{start: 2, upper: 3}", ParameterSpec(2, upper=3))],
    ids=["number", "mapping"],
)
def test_a_parameter_given_as_a_whole_is_replaced(given: str, expected: ParameterSpec) -> None:
    assert parameters_after(f"--model.parameters.b2={given}") == {"b1": ParameterSpec(250), "b2": expected}


def test_a_parameter_that_was_not_there_is_added() -> None:
    assert parameters_after("--model.parameters.b3.start=1")["b3"] == ParameterSpec(1)
