"""Which rows train, and which validate."""

import numpy as np
import pytest
import torch

from paramfit.data.split import split_rows
from paramfit.errors import InputError


@pytest.mark.parametrize(
    ("n", "fraction", "n_validation"),
    [
        pytest.param(11, 0.2, 2, id="lesson"),
        pytest.param(11, 0.5, 5, id="half-rounds-down"),
        pytest.param(10, 0.99, 9, id="nearly-all"),
        pytest.param(1, 0.9, 0, id="one-row"),
    ],
)
def test_int_of_fraction_times_n_rows_validate(n: int, fraction: float, n_validation: int) -> None:
    split = split_rows(n, fraction)

    assert len(split.validation) == n_validation
    assert sorted([*split.train.tolist(), *split.validation.tolist()]) == list(range(n))


@pytest.mark.parametrize("seed", [0, 1, 42])
def test_last_rows_of_the_seeded_permutation_validate(seed: int) -> None:
    order = torch.randperm(11, generator=torch.Generator().manual_seed(seed))

    split = split_rows(11, 0.2, seed=seed)

    assert set(split.validation.tolist()) == set(order[-2:].tolist())
    assert set(split.train.tolist()) == set(order[:-2].tolist())


def test_each_part_keeps_the_order_of_the_data() -> None:
    split = split_rows(100, 0.3)

    assert bool(np.all(np.diff(split.train.numpy()) > 0))
    assert bool(np.all(np.diff(split.validation.numpy()) > 0))


@pytest.mark.parametrize("fraction", [0.0, 0.05], ids=["none-asked-for", "less-than-one-row"])
def test_no_row_is_lost_where_none_validates(fraction: float) -> None:
    split = split_rows(11, fraction)

    assert split.train.tolist() == list(range(11))
    assert split.validation.tolist() == []


def test_split_does_not_depend_on_the_global_random_state() -> None:
    first = split_rows(50, 0.4, seed=3)
    torch.manual_seed(1234)

    assert torch.equal(split_rows(50, 0.4, seed=3).validation, first.validation)


def test_split_leaves_the_global_random_state_alone() -> None:
    before = torch.random.get_rng_state()

    split_rows(50, 0.4, seed=3)

    assert torch.equal(torch.random.get_rng_state(), before)


def test_explicit_rows_validate() -> None:
    split = split_rows(6, validation_indices=[4, 0])

    assert split.validation.tolist() == [0, 4]
    assert split.train.tolist() == [1, 2, 3, 5]


def test_explicit_rows_may_be_none() -> None:
    assert split_rows(3, validation_indices=[]).train.tolist() == [0, 1, 2]


@pytest.mark.parametrize("fraction", [-0.1, 1.0, 1.5, float("nan")])
def test_fraction_outside_its_range_is_refused(fraction: float) -> None:
    with pytest.raises(InputError, match=r"validation_fraction.*\[0, 1\)"):
        split_rows(11, fraction)


@pytest.mark.parametrize(
    ("indices", "complaint"),
    [
        pytest.param([3, 11], "row 11 is outside 0 to 10", id="behind-the-data"),
        pytest.param([-1], "row -1 is outside 0 to 10", id="negative"),
        pytest.param([2, 2], "given twice", id="twice"),
        pytest.param(list(range(11)), "none is left for training", id="all"),
    ],
)
def test_wrong_explicit_rows_are_refused(indices: list[int], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        split_rows(11, validation_indices=indices)


def test_fraction_and_explicit_rows_exclude_each_other() -> None:
    with pytest.raises(InputError, match="exclude each other"):
        split_rows(11, 0.2, [1])


def test_data_without_rows_are_refused() -> None:
    with pytest.raises(InputError, match="no observation"):
        split_rows(0)
