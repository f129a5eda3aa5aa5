"""Which rows train, and which validate."""

import pytest
import torch

from paramfit.data.split import split_rows
from paramfit.errors import InputError


@pytest.mark.parametrize(("n", "fraction", "n_validation"), [
    pytest.param(11, 0.2, 2, id="lesson"),
    pytest.param(11, 0.5, 5, id="half-rounds-down"),
    pytest.param(10, 0.99, 9, id="nearly-all"),
    pytest.param(1, 0.9, 0, id="one-row"),
])  # fmt: skip
def test_int_of_fraction_times_n_rows_validate(n, fraction, n_validation):
    split = split_rows(n, fraction)
    assert len(split.validation) == n_validation
    assert sorted([*split.train.tolist(), *split.validation.tolist()]) == list(range(n))


@pytest.mark.parametrize("seed", [0, 1, 42])
def test_last_rows_of_the_seeded_permutation_validate(seed):
    order = torch.randperm(11, generator=torch.Generator().manual_seed(seed))
    split = split_rows(11, 0.2, seed=seed)
    assert set(split.validation.tolist()) == set(order[-2:].tolist())
    assert set(split.train.tolist()) == set(order[:-2].tolist())


def test_split_does_not_depend_on_the_global_random_state():
    first = split_rows(50, 0.4, seed=3)
    torch.manual_seed(1234)
    assert torch.equal(split_rows(50, 0.4, seed=3).validation, first.validation)


def test_explicit_rows_validate():
    split = split_rows(6, validation_rows=[4, 0])
    assert split.validation.tolist() == [0, 4]
    assert split.train.tolist() == [1, 2, 3, 5]


@pytest.mark.parametrize(("arguments", "complaint"), [
    pytest.param((11, 0.0, [3, 11]), "row 11 is outside 0 to 10", id="behind-the-data"),
    pytest.param((11, 0.0, [-1]), "row -1 is outside 0 to 10", id="negative"),
    pytest.param((11, 0.0, [2, 2]), "given twice", id="twice"),
    pytest.param((11, 0.0, list(range(11))), "none is left for training", id="all"),
    pytest.param((11, 0.2, [1]), "exclude each other", id="both"),
    pytest.param((11, -0.1), r"validation_fraction.*\[0, 1\)", id="negative-fraction"),
    pytest.param((11, 1.0), r"validation_fraction.*\[0, 1\)", id="fraction-of-1"),
    pytest.param((11, float("nan")), r"validation_fraction.*\[0, 1\)", id="nan"),
    pytest.param((0,), "no observation", id="no-rows"),
])  # fmt: skip
def test_what_cannot_be_split_is_refused(arguments, complaint):
    with pytest.raises(InputError, match=complaint):
        split_rows(*arguments)
