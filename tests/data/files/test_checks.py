"""What the columns of a table have to be."""

import numpy as np
import pytest
import torch

from paramfit.data.files.checks import ColumnRequest, complete_rows
from paramfit.errors import InputError


def row(number: int) -> str:
    return f"row {number}"


def test_rows_that_lack_a_value_are_dropped_and_counted_for_each_column():
    values = np.array([[1.0, np.nan, np.inf, 4.0, np.nan], [1.0, 2.0, -np.inf, 4.0, 5.0]])
    table = complete_rows("f", ColumnRequest(("x", "y"), drop_missing=True), values, row)
    assert table.values.tolist() == [[1.0, 4.0], [1.0, 4.0]]
    assert (table.n_read, table.n_dropped, table.missing) == (5, 3, {"x": 3, "y": 1})


def test_the_first_wrong_row_is_named_before_the_first_wrong_column():
    values = np.array([[1.0, 2.0, np.nan], [1.0, np.inf, 3.0]])
    with pytest.raises(InputError, match=r"^f: row 1, column 'y': the value is inf; .*take it out of the table$"):
        complete_rows("f", ColumnRequest(("x", "y")), values, row)
    with pytest.raises(InputError, match="missing: drop"):
        complete_rows("f", ColumnRequest(("x", "y"), may_drop=True), values, row)


@pytest.mark.parametrize("sigma", [0.0, -0.0, -1.5])
def test_a_sigma_that_is_not_above_0_is_named_by_the_row_it_had_before_rows_were_dropped(sigma):
    values = np.array([[np.nan, 2.0, 3.0], [-1.0, 1.0, sigma]])
    with pytest.raises(InputError, match=r"row 2, column 's': a standard deviation .* above 0"):
        complete_rows("f", ColumnRequest(("x", "s"), "s", drop_missing=True), values, row)


@pytest.mark.parametrize(
    ("value", "complaint"), [(1e39, "too large for float32"), (1e-50, "too small for float32")], ids=["large", "small"]
)
def test_a_value_beyond_the_precision_is_refused_in_that_precision_only(value, complaint):
    values = np.array([[1.0, value]])
    assert complete_rows("f", ColumnRequest(("s",), "s"), values, row).n_dropped == 0
    with pytest.raises(InputError, match=f"row 1, column 's'.*{complaint}; give dtype: float64"):
        complete_rows("f", ColumnRequest(("s",), "s", dtype=torch.float32), values, row)
