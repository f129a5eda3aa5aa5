"""Observations from arrays, tensors and dataframes."""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

from paramfit import InputError, Observations
from paramfit.data.arrays import observations_from

X, Y = [1.0, 2.0, 3.0], [4.0, 5.0, 7.0]


@pytest.mark.parametrize("column", [list, np.array, torch.tensor, pd.Series], ids=["list", "numpy", "torch", "pandas"])
def test_arrays_become_inputs_and_target(column):
    observations, columns = observations_from((column(X), column(Y)))
    assert [values.tolist() for values in (*observations.inputs, observations.target)] == [X, Y]
    assert columns == (("input",), "target", None)


@pytest.mark.parametrize("frame", [
    pytest.param(dict, id="mapping"),
    pytest.param(pd.DataFrame, id="pandas"),
    pytest.param(lambda columns: pd.DataFrame(columns).convert_dtypes(), id="pandas, nullable"),
    pytest.param(pa.table, id="pyarrow"),
])  # fmt: skip
def test_columns_of_a_frame_are_taken_by_name(frame):
    data = frame({"note": ["a", "b", "c"], "t": X, "h": Y, "e": [0.5, 1.0, 2.0]})
    observations, columns = observations_from(data, ["t"], "h", "e")
    assert observations.inputs[0].tolist() == X
    assert observations.target.tolist() == Y
    assert observations.sigma.tolist() == [0.5, 1.0, 2.0]
    assert columns == (("t",), "h", "e")


@pytest.mark.parametrize("sigma", ["e", [0.5, 1.0, 2.0]], ids=["column", "array"])
@pytest.mark.parametrize("frame", [dict, pd.DataFrame, pa.table], ids=["mapping", "pandas", "pyarrow"])
def test_the_only_column_that_is_left_is_the_target(frame, sigma):
    columns: dict[str, Any] = {"s": X, "t": X, "h": Y}
    known_sigma = {"e": [0.5, 1.0, 2.0]} if sigma == "e" else {}
    observations, named = observations_from(frame(columns | known_sigma), ["s", "t"], sigma=sigma)
    assert named.target == "h"
    assert observations.target.tolist() == Y


def test_observations_pass_with_their_sigma():
    given = Observations((torch.tensor(X),), torch.tensor(Y), torch.tensor([1.0, 2.0, 3.0]))
    observations, columns = observations_from(given)
    assert observations.sigma.tolist() == [1.0, 2.0, 3.0]
    assert columns == (("input",), "target", "sigma")


@pytest.mark.parametrize(
    ("sigma", "expected"),
    [(np.array([1.0, 2.0, 3.0]), [1.0, 2.0, 3.0]), (0.5, [0.5, 0.5, 0.5]), (np.float32(2), [2.0, 2.0, 2.0])],
    ids=["array", "one number for all", "numpy number"],
)
def test_sigma_is_an_array_or_one_number(sigma, expected):
    observations, columns = observations_from((X, Y), sigma=sigma)
    assert (observations.sigma.tolist(), columns.sigma) == (expected, "sigma")


@pytest.mark.parametrize(("data", "options", "message"), [
    pytest.param({"time": X, "y": Y}, {"inputs": "tme", "target": "y"}, "'tme'; did you mean 'time'", id="input"),
    pytest.param({"t": X, "y": Y}, {"inputs": "t", "target": "y", "sigma": "s"}, "no column 's'", id="sigma"),
    pytest.param({"t": X, "y": Y}, {"target": "y"}, "inputs: say which .*'t', 'y'", id="inputs not given"),
    pytest.param({"t": X, "y": Y, "z": Y}, {"inputs": "t"}, "target: say which", id="target not given"),
    pytest.param((X, Y), {"inputs": ["a", "b"]}, "2 names, but the data have 1 input columns", id="too many names"),
    pytest.param(pd.DataFrame([[1, 2, 3]], columns=["t", "t", "y"]), {"inputs": "t", "target": "y"},
        "2 columns are called 't'", id="two of that name"),
    pytest.param((X, X[:2], Y), {"inputs": ["s", "t"]}, "'t' has 2 values, but the target 'target' has 3", id="short"),
    pytest.param((X, Y), {"sigma": [1.0, 1.0]}, "'sigma' has 2 values", id="short sigma"),
    pytest.param((X, Y), {"sigma": [1.0, 0.0, 1.0]}, "sigma is 0 in row 1", id="sigma of 0"),
    pytest.param((X, Y), {"sigma": [1.0, -1.0, 1.0]}, "sigma is -1 in row 1", id="sigma below 0"),
    pytest.param(np.array(Y), {}, r"got ndarray; give \(x, y\)", id="bare array"),
    pytest.param((), {}, r"expected \(x, y\)", id="nothing"),
    pytest.param(([], []), {}, "'target' is empty", id="no rows"),
])  # fmt: skip
def test_data_that_cannot_be_meant_are_refused_in_one_line(data, options, message):
    with pytest.raises(InputError, match=message) as caught:
        observations_from(data, **options)
    assert len(str(caught.value).splitlines()) == 1


BOUNDS = {"y": [1.0, 2.0, 3.0], "seen": ["", "interval", "right"], "until": [np.nan, 2.5, np.nan]}


@pytest.mark.parametrize("given", ["names", "arrays", "observations"])
def test_bounds_come_by_name_or_as_arrays(given):
    if given == "names":
        observations, _ = observations_from(pd.DataFrame(BOUNDS), inputs=[], censoring="seen", upper="until")
    else:
        observations, _ = observations_from((BOUNDS["y"],), censoring=BOUNDS["seen"], upper=BOUNDS["until"])
    if given == "observations":
        observations, _ = observations_from(observations)
    assert observations.censoring.status.tolist() == [0, 3, 2]
    assert observations.censoring.upper.tolist() == [np.inf, 2.5, np.inf]


@pytest.mark.parametrize(("options", "words"), [
    ({"censoring": ["", "right"]}, "'censoring' has 2 values, but the target 'target' has 3"),
    ({"censoring": ["", "right", "0"]}, "'censoring' in row 2: expected a word .* but got '0'"),
    ({"censoring": "seen"}, "censoring: 'seen' names a column, but the data have no names"),
    ({"upper": [1.0, 2.0, 3.0]}, "upper: upper ends belong to intervals; say which rows"),
    ({"censoring": BOUNDS["seen"]}, "row 1 is an interval, but there are no upper ends"),
    ({"censoring": BOUNDS["seen"], "upper": [0.0, 2.5]}, "'upper' has 2 values, but the target"),
    ({"censoring": BOUNDS["seen"], "upper": [0.0, np.nan, 0.0]}, "'upper' is nan in row 1"),
    ({"censoring": BOUNDS["seen"], "upper": [0.0, 2.0, 0.0]}, "row 1 is an interval from 2 to 2"),
], ids=["length", "word", "name", "ends alone", "no ends", "length of ends", "missing end", "no room"])  # fmt: skip
def test_bounds_that_cannot_be_used_are_named(options, words):
    with pytest.raises(InputError, match=words):
        observations_from((BOUNDS["y"],), **options)
