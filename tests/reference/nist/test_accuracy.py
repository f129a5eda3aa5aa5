"""The digits are counted as the README of the data defines them."""

import math

import pytest

from tests.reference.nist.accuracy import accuracy_of, log_relative_error
from tests.reference.nist.dataset import Dataset, Kind
from tests.reference.nist.problem import problems

DATASETS = {problem.dataset.name: problem.dataset for kind in Kind for problem in problems(kind)}


def certified_values(dataset: Dataset) -> tuple[dict[str, float], dict[str, float]]:
    estimates = {name: certified.estimate for name, certified in dataset.parameters.items()}
    return estimates, {name: certified.standard_error or 0.0 for name, certified in dataset.parameters.items()}


@pytest.mark.parametrize(("value", "certified", "digits"), [
    pytest.param(2.002, 2.0, 3.0, id="one part in a thousand"),
    pytest.param(-2e9 * 1.00001, -2e9, 5.0, id="large and negative"),
    pytest.param(1e-7, 0.0, 7.0, id="absolute where zero is certified"),
    pytest.param(3.0, 3.0, 11.0, id="the cap where nothing differs"),
    pytest.param(3.0 * (1 + 1e-13), 3.0, 11.0, id="the cap where less differs"),
    pytest.param(50.0, 3.0, 0.0, id="none, and not fewer"),
    pytest.param(math.nan, 3.0, 0.0, id="none of nan"),
    pytest.param(math.inf, 3.0, 0.0, id="none of infinity"),
])  # fmt: skip
def test_digits_of_a_value(value, certified, digits):
    assert log_relative_error(value, certified, cap=11) == pytest.approx(digits, abs=1e-4)


@pytest.mark.parametrize(("name", "renaming"), [
    ("MGH17", {"b2": "b3", "b3": "b2", "b4": "b5", "b5": "b4"}),
    ("Gauss2", {"b3": "b6", "b4": "b7", "b5": "b8", "b6": "b3", "b7": "b4", "b8": "b5"}),
    ("Lanczos1", {"b1": "b3", "b2": "b4", "b3": "b5", "b4": "b6", "b5": "b1", "b6": "b2"}),
])  # fmt: skip
def test_labels_of_interchangeable_terms_do_not_count(name, renaming):
    dataset = DATASETS[name]
    estimates, errors = (
        {renaming.get(key, key): value for key, value in values.items()} for values in certified_values(dataset)
    )
    assert accuracy_of(dataset, estimates, errors, cap=11) == (11, 11)
