"""Names of precisions."""

import pytest
import torch

from paramfit.errors import InputError
from paramfit.parameters import dtype_named


@pytest.mark.parametrize(("name", "dtype"), [
    ("float32", torch.float32),
    ("float64", torch.float64),
    (torch.float32, torch.float32),
    (torch.float64, torch.float64),
], ids=str)  # fmt: skip
def test_names_and_dtypes_are_understood(name, dtype):
    assert dtype_named(name) is dtype


@pytest.mark.parametrize("name", ["float16", "double", "", torch.float16, torch.int64], ids=str)
def test_another_precision_is_refused_with_the_choices(name):
    with pytest.raises(InputError, match="expected one of float32, float64, but got"):
        dtype_named(name)
