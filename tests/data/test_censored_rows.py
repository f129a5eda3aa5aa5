"""Which observations are bounds, and the words for it."""

import numpy as np
import pandas as pd
import pytest
import torch

from paramfit import TableDataModule
from paramfit.data.arrays import observations_from
from paramfit.data.censored_rows import (
    censored,
    check_censored,
    complaint_about_word,
    status_of_word,
    statuses_of_words,
)
from paramfit.errors import InputError
from paramfit.observations import Censored, Observations

INF = torch.inf


def test_upper_ends_are_read_of_intervals_only():
    bounds = censored(torch.tensor([0.0, 3.0, 2.0]), torch.tensor([7.0, 8.0, 9.0]))
    assert bounds.status.tolist() == [0, 3, 2]
    assert bounds.upper.tolist() == [INF, 8.0, INF]


@pytest.mark.parametrize(("status", "upper", "words"), [
    ([0, 2], [INF, INF], r"one status for each observation, but there are \(2,\)"),
    ([0, 2, 2], [INF], r"one upper for each observation"),
    ([0, 2, 5], [INF, INF, INF], "row 2 has the censoring 5"),
    ([0, 3, 2], [INF, INF, INF], "row 1 is an interval from 2 to inf"),
    ([0, 3, 2], [INF, 2.0, INF], "row 1 is an interval from 2 to 2"),
], ids=["statuses", "ends", "unknown", "endless", "without room"])  # fmt: skip
def test_what_does_not_belong_to_the_observations_is_refused(status, upper, words):
    observations = Observations(
        (), torch.tensor([1.0, 2.0, 3.0]), None, Censored(torch.tensor(status), torch.tensor(upper))
    )
    with pytest.raises(InputError, match=words):
        check_censored(observations)


SAID = {"": 0, "none": 0, "observed": 0, "left": 1, "right": 2, "interval": 3, " Right ": 2, "LEFT": 1}


@pytest.mark.parametrize(("word", "status"), SAID.items())
def test_words_are_known(word, status):
    assert status_of_word(word) == status


@pytest.mark.parametrize("word", ["0", "1", "True", "censored", "NA", "r"])
def test_other_words_are_not(word):
    assert status_of_word(word) is None
    assert word in complaint_about_word(word)


@pytest.mark.parametrize("values", [
    ["left", None, "right", float("nan")],
    np.array(["left", "", "right", "observed"]),
    pd.Series(["left", pd.NA, "right", None], dtype="string"),
    pd.Series(["left", "none", "right", "none"], dtype="category"),
], ids=["list", "numpy", "pandas", "categories"])  # fmt: skip
def test_a_missing_word_is_an_observed_value(values):
    assert statuses_of_words(values, str).tolist() == [1.0, 0.0, 2.0, 0.0]


def test_other_word_is_refused_by_its_place():
    with pytest.raises(InputError, match=r"row 1: expected a word .* but got '1'"):
        statuses_of_words(["left", 1], lambda row: f"row {row}")


ENDLESS = {
    "y": [2.0, 6.0, -np.inf, 1.0, 4.0],
    "kind": ["interval", "interval", "interval", "none", "right"],
    "until": [3.0, np.inf, 2.5, np.inf, np.nan],
}


def read(how, rows, folder):
    """The observations of a table, in each of the ways in which one is given."""
    names = {"inputs": [], "target": "y", "censoring": "kind", "upper": "until"}
    if how == "columns":
        return observations_from(rows, **names)[0]
    if how == "arrays":
        return observations_from((rows["y"],), censoring=rows["kind"], upper=rows["until"])[0]
    if how == "observations":
        status = torch.from_numpy(statuses_of_words(rows["kind"], str)).long()
        bounds = Censored(status, torch.tensor(rows["until"], dtype=torch.float64))
        return observations_from(Observations((), torch.tensor(rows["y"], dtype=torch.float64), None, bounds))[0]
    path = folder / f"rows.{how}"
    table = pd.DataFrame(rows)
    table.to_csv(path, index=False) if how == "csv" else table.to_parquet(path)
    return TableDataModule(str(path), **names).read()


WAYS = ["csv", "parquet", "columns", "arrays", "observations"]


@pytest.mark.parametrize("how", WAYS)
def test_an_interval_without_an_end_is_censored_on_one_side(how, tmp_path):
    observations = read(how, ENDLESS, tmp_path)
    assert observations.target.tolist() == [2.0, 6.0, 2.5, 1.0, 4.0]
    status, upper = observations.censoring
    assert status.tolist() == [3, 2, 1, 0, 2]
    assert upper[0] == 3.0


@pytest.mark.parametrize("how", WAYS)
def test_an_interval_without_both_ends_is_refused_with_its_row(how, tmp_path):
    rows = {**ENDLESS, "y": [2.0, -np.inf, -np.inf, 1.0, 4.0]}
    place = {"csv": "line 3", "parquet": "row 1"}.get(how, "row 1")
    with pytest.raises(InputError, match=rf"(?=.*{place}).*(says nothing of the value; leave the row out|is -inf)"):
        read(how, rows, tmp_path)
