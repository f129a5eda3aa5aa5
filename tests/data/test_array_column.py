"""One column of numbers, whatever it comes in."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

from paramfit.data.array_column import float_column
from paramfit.errors import InputError

X = [1.0, 2.0, 3.0]


@pytest.mark.parametrize("column", [
    pytest.param(list, id="list"),
    pytest.param(np.array, id="float64"),
    pytest.param(lambda values: np.array(values, np.float32), id="float32"),
    pytest.param(lambda values: np.array(values, np.int16), id="integers"),
    pytest.param(lambda values: np.array(values, object), id="Python objects"),
    pytest.param(lambda values: np.array(values[::-1])[::-1], id="reversed view"),
    pytest.param(lambda values: torch.tensor(values, dtype=torch.bfloat16), id="half precision"),
    pytest.param(lambda values: torch.tensor(values, requires_grad=True), id="tensor with gradient"),
    pytest.param(pd.Series, id="Series"),
    pytest.param(lambda values: pd.Series(values, dtype="Float64"), id="nullable Series"),
    pytest.param(pa.array, id="pyarrow"),
])  # fmt: skip
def test_a_column_may_be_of_any_kind(column):
    actual = float_column("t", column(X), torch.float64)
    assert (actual.tolist(), actual.dtype) == (X, torch.float64)


@pytest.mark.parametrize("kind", [np.array, lambda values: torch.tensor(values, dtype=torch.float64)])
def test_later_changes_of_the_array_do_not_reach_the_column(kind):
    values = kind(X)
    column = float_column("t", values, torch.float64)
    values[0] = 99.0
    assert column.tolist() == X


def test_single_precision_is_the_rounded_value():
    column = float_column("t", [0.7], torch.float32)
    assert (column.dtype, column.item()) == (torch.float32, float(np.float32(0.7)))


@pytest.mark.parametrize(("values", "shown"), [
    pytest.param([1.0, 2.0, float("nan")], "nan in row 2", id="NaN"),
    pytest.param(np.array([1.0, -np.inf, 3.0]), "-inf in row 1", id="infinity"),
    pytest.param([1.0, None, 3.0], "nan in row 1", id="None"),
    pytest.param(np.ma.array([1.0, 2.0, 3.0], mask=[0, 0, 1]), "nan in row 2", id="masked"),
    pytest.param(pd.Series([1, None, 3], dtype="Int64"), "nan in row 1", id="nullable Series"),
    pytest.param(pa.array([1, None, 3]), "nan in row 1", id="pyarrow null"),
])  # fmt: skip
def test_a_value_that_is_not_finite_is_refused_with_column_and_row(values, shown):
    with pytest.raises(InputError, match=f"data: 't' is {shown}"):
        float_column("t", values, torch.float64)


@pytest.mark.parametrize(("values", "message"), [
    pytest.param(["1", "2", "3"], "holds <U1, not numbers", id="text"),
    pytest.param([True, False, True], "holds bool, not numbers", id="bool"),
    pytest.param(np.array([1j, 2j, 3j]), "holds complex128", id="complex"),
    pytest.param(np.array(["2020-01-01"] * 3, "M8[D]"), "holds datetime64", id="dates"),
    pytest.param(np.array([1, "b", 3], object), "is 'b' in row 1", id="mixed"),
    pytest.param([[1.0], [2.0, 3.0], [4.0]], "unequal lengths", id="ragged"),
    pytest.param(np.ones((3, 2)), r"shape \(3, 2\), .* give it column by column, as \(x1, x2, y\)", id="2-d"),
    pytest.param(5.0, r"shape \(\)", id="number"),
])  # fmt: skip
def test_what_is_no_column_of_numbers_is_refused(values, message):
    with pytest.raises(InputError, match=message):
        float_column("t", values, torch.float64)
