"""Torch's threads, put aside for a while."""

from collections.abc import Iterator

import pytest
import torch

from paramfit.one_thread import one_thread


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    """Two, whatever the machine has."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(("wanted", "threads"), [(True, 1), (False, 2)])
def test_there_is_one_thread_inside_where_wanted_and_as_many_as_before_outside(wanted: bool, threads: int) -> None:
    with one_thread(wanted):
        assert torch.get_num_threads() == threads
    assert torch.get_num_threads() == 2


def test_threads_are_back_after_a_failure() -> None:
    with pytest.raises(ZeroDivisionError), one_thread():
        raise ZeroDivisionError
    assert torch.get_num_threads() == 2
