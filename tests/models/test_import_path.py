"""Import paths that users give."""

import math

import pytest

from paramfit.errors import InputError
from paramfit.models.import_path import imported


def test_finds_what_is_there():
    assert imported("function", "math.sqrt", "decay.curve") is math.sqrt


@pytest.mark.parametrize(("path", "message"), [
    ("sqrt", "function: 'sqrt' is not a path such as decay.curve"),
    ("no_such_module.sqrt", "cannot be imported .ModuleNotFoundError"),
    ("math.sqr", "math has no 'sqr'; did you mean 'sqrt'"),
])  # fmt: skip
def test_says_what_is_missing(path, message):
    with pytest.raises(InputError, match=message):
        imported("function", path, "decay.curve")
