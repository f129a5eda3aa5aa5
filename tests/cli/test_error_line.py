"""One line out of many."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonargparse import ArgumentParser

from paramfit import FormulaModel, InputError, ParameterSpec
from paramfit.cli.config_file import ConfigParser
from paramfit.cli.error_line import explained, input_error_in


def test_an_input_error_is_found_inside_what_wraps_it():
    own, wrapped = InputError("scale: must not be 0"), ValueError("many lines\nof something else")
    wrapped.__cause__ = own
    assert input_error_in(wrapped) is own
    assert explained(wrapped) == "scale: must not be 0"
    assert input_error_in(ValueError("a bug")) is None


def test_an_option_gets_its_dots_where_only_one_can_be_meant():
    error = InputError("scale: must not be 0")
    values = ["data.init_args.normalization.init_args.scale", "model.weight"]
    assert explained(error, values) == "data.normalization.scale: must not be 0"
    assert explained(error, [*values, "model.init_args.scale"]) == "scale: must not be 0"
    whole = InputError("model: Linear is not a task of paramfit")
    assert explained(whole, ["model.class_path", "model.init_args.model"]) == str(whole)


@pytest.mark.parametrize(("arguments", "expected"), [
    (["--count", "many"], "count: expected int, but got 'many'"),
    (["--coun", "3"], "coun: there is no such option; did you mean 'count'?"),
    (["--zzz", "3"], "zzz: there is no such option; paramfit fit --help lists all of them"),
])  # fmt: skip
def test_the_parsers_errors_become_one_line(arguments, expected):
    parser = ArgumentParser(exit_on_error=False, allow_abbrev=False)
    parser.add_argument("--count", type=int)
    with pytest.raises(Exception) as refused:  # noqa: PT011  # whatever the parser raises
        parser.parse_args(arguments)
    assert explained(refused.value, ["count"]) == expected


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
    actual = parser.parse_args(["--config", "formula.yaml", *options])["model.init_args.parameters"]
    return {name: ParameterSpec.of(name, given) for name, given in actual.items()}


@pytest.mark.parametrize("place", ["model", "model.init_args"])
def test_one_entry_changes_and_its_neighbours_stay(place):
    specs = parameters_after(f"--{place}.parameters.b2.start=0.7")
    assert specs == {"b1": ParameterSpec(250), "b2": ParameterSpec(0.7, lower=0, unit="1/s")}


def test_a_parameter_given_as_a_number_keeps_it_as_its_start():
    assert parameters_after("--model.parameters.b1.lower=0")["b1"] == ParameterSpec(250, lower=0)


def test_null_takes_an_entry_away():
    assert parameters_after("--model.parameters.b2.lower=null")["b2"] == ParameterSpec(5e-4, unit="1/s")


@pytest.mark.parametrize(
    ("given", "expected"),
    [("0.7", ParameterSpec(0.7)), ("{start: 2, upper: 3}", ParameterSpec(2, upper=3))],
    ids=["number", "mapping"],
)
def test_a_parameter_given_as_a_whole_is_replaced(given, expected):
    assert parameters_after(f"--model.parameters.b2={given}") == {"b1": ParameterSpec(250), "b2": expected}
