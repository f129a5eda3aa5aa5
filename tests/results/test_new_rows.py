"""Other inputs than the fitted ones, as Python users give them."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

from paramfit import FitResult, FormulaModel, InputError, fit
from paramfit.fits.result import columns_of

KINDS: dict[str, Callable[[list[float]], Any]] = {
    "list": list,
    "tuple": tuple,
    "array": np.array,
    "float32": lambda values: np.array(values, dtype=np.float32),
    "objects": lambda values: [Decimal(str(value)) for value in values],
    "tensor": lambda values: torch.tensor(values, requires_grad=True),
    "series": lambda values: pd.Series(values, index=[7, 8, 9]),
    "pyarrow": pa.array,
}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_rows_of_numbers_become_float64(kind):
    (column,), sigma = columns_of([kind([1.0, 2.5, -4.0])], kind([1.0, 2.0, 3.0]))
    assert (column.dtype, column.tolist()) == (torch.float64, [1.0, 2.5, -4.0])
    assert sigma.tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("number", [4, 4.0, np.float32(4), torch.tensor(4.0)], ids=lambda given: type(given).__name__)
def test_one_number_is_one_row(number):
    assert columns_of([number])[0][0].tolist() == [4.0]


def line() -> FitResult:
    return fit(
        FormulaModel("a + b * s + c * t", ["s", "t"], dict.fromkeys("abc")), ([0, 1, 2, 3], [0, 1, 0, 1], [1, 4, 5, 9])
    )


REFUSED: dict[str, tuple[tuple[Any, ...], Any, str]] = {
    "text": (("abc", [1.0]), None, "input 0 is no row of numbers but str; give one row"),
    "None": (([1.0], None), None, "input 1 is no row of numbers but NoneType"),
    "texts": ((["1", "2"], [1.0, 2.0]), None, "input 0 is no row of numbers but list"),
    "complex": (([1j], [1.0]), None, "input 0 is no row of numbers"),
    "ragged": (([1.0, [2.0]], [1.0, 2.0]), None, "input 0 is no row of numbers"),
    "mapping": (({"s": [1.0]}, [1.0]), None, "input 0 is a table; give its columns one by one"),
    "matrix": (([[1.0, 2.0], [3.0, 4.0]],), None, r"input 0 has the shape \(2, 2\); .* predict\(x1, x2\)"),
    "one column": ((torch.ones(3, 1), torch.ones(3)), None, r"input 0 has the shape \(3, 1\)"),
    "unequal": (([1.0, 2.0], [3.0]), None, "input 1 has 1 values, but input 0 has 2"),
    "sigma's text": (([1.0], [1.0]), "error", "sigma is no row of numbers but str"),
    "sigma's length": (([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]), [0.1, 0.2], "sigma has 2 values, but the inputs have 3"),
    "too few": (([1.0],), None, "the formula has 2 variables .*, but the data have 1"),
}


@pytest.mark.parametrize(("inputs", "sigma", "words"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_predicted_at_is_refused_in_one_line(inputs, sigma, words):
    with pytest.raises(InputError, match=words) as refusal:
        line().predict(*inputs, sigma=sigma)
    assert "\n" not in str(refusal.value)


def test_one_sigma_counts_for_all_rows():
    weighted = fit(FormulaModel("a + b * t", ["t"], dict.fromkeys("ab")), ([0, 1, 2, 3], [1, 4, 5, 9]), sigma=0.5)
    one, each = weighted.predict([4.0, 5.0], sigma=0.3), weighted.predict([4.0, 5.0], sigma=[0.3, 0.3])
    assert one.prediction_band is not None
    assert each.prediction_band is not None
    assert torch.equal(torch.stack(one.prediction_band), torch.stack(each.prediction_band))
