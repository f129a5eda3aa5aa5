"""One line out of many."""

import pytest
from jsonargparse import ArgumentParser

from paramfit.cli.error_line import explained, input_error_in
from paramfit.errors import InputError


def test_an_input_error_is_found_inside_what_wraps_it() -> None:
    own, wrapped = InputError("scale: must not be 0"), ValueError("many lines\nof something else")
    wrapped.__cause__ = own
    assert input_error_in(wrapped) is own
    assert explained(wrapped) == "scale: must not be 0"
    assert input_error_in(ValueError("a bug")) is None


def test_an_option_gets_its_dots_where_only_one_can_be_meant() -> None:
    error = InputError("scale: must not be 0")
    known = ["data.init_args.normalization.init_args.scale", "model.weight"]
    assert explained(error, known) == "data.normalization.scale: must not be 0"
    assert explained(error, [*known, "model.init_args.scale"]) == "scale: must not be 0"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--count", "many"], "count: expected int, but got 'many'"),
        (["--coun", "3"], "coun: there is no such option; did you mean 'count'?"),
        (["--zzz", "3"], "zzz: there is no such option; paramfit fit --help lists all of them"),
    ],
)
def test_the_parsers_errors_become_one_line(arguments: list[str], expected: str) -> None:
    parser = ArgumentParser(exit_on_error=False, allow_abbrev=False)
    parser.add_argument("--count", type=int)
    with pytest.raises(Exception) as refused:  # noqa: PT011  # whatever the parser raises
        parser.parse_args(arguments)
    assert explained(refused.value, ["count"]) == expected
