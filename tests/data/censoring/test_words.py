"""Words for what is known of an observation."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from paramfit.data.censored_rows import complaint_about_word, status_of_word, statuses_of_words
from paramfit.errors import InputError

SAID = {"": 0, "none": 0, "observed": 0, "left": 1, "right": 2, "interval": 3, " Right ": 2, "LEFT": 1}


@pytest.mark.parametrize(("word", "status"), SAID.items())
def test_words_are_known(word: str, status: int) -> None:
    assert status_of_word(word) == status


@pytest.mark.parametrize("word", ["0", "1", "True", "censored", "NA", "r"])
def test_other_words_are_not(word: str) -> None:
    assert status_of_word(word) is None
    assert word in complaint_about_word(word)


@pytest.mark.parametrize(
    "values",
    [
        ["left", None, "right", float("nan")],
        np.array(["left", "", "right", "observed"]),
        pd.Series(["left", pd.NA, "right", None], dtype="string"),
        pd.Series(["left", "none", "right", "none"], dtype="category"),
    ],
    ids=["list", "numpy", "pandas", "categories"],
)
def test_a_missing_word_is_an_observed_value(values: Any) -> None:
    assert statuses_of_words(values, str).tolist() == [1.0, 0.0, 2.0, 0.0]


def test_other_word_is_refused_by_its_place() -> None:
    with pytest.raises(InputError, match=r"row 1: expected a word .* but got '1'"):
        statuses_of_words(["left", 1], lambda row: f"row {row}")
