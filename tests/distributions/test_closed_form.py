"""Symmetric matrices from the entries that are asked for."""

from functools import singledispatch

import pytest
import torch
from torch.distributions import Chi2, Distribution, Gamma

from paramfit.distributions.closed_form import Entries, broadcast_shape, closed_form_of, covers, symmetric_matrix

ENTRIES: Entries = {
    ("a", "a"): lambda: torch.tensor([1.0, 2.0]),
    ("a", "b"): lambda: torch.tensor(3.0),
    ("c", "c"): lambda: torch.tensor(4.0),
}


def test_matrix_is_symmetric_and_zero_where_nothing_is_said() -> None:
    found = symmetric_matrix(["b", "a"], ENTRIES, torch.zeros(()))
    assert found.tolist() == [[[0.0, 3.0], [3.0, 1.0]], [[0.0, 3.0], [3.0, 2.0]]]


def test_only_entries_asked_for_are_computed() -> None:
    def fails() -> torch.Tensor:
        pytest.fail("it was not asked for")

    found = symmetric_matrix(["c"], {**ENTRIES, ("d", "d"): fails}, torch.zeros(()))
    assert found.tolist() == [[4.0]]


def test_names_without_entries_are_not_covered() -> None:
    assert covers(ENTRIES, ["b", "c"])
    assert not covers(ENTRIES, ["a", "d"])
    assert not covers({}, ["a"])


def test_rule_is_that_of_exactly_the_class() -> None:
    @singledispatch
    def rule(distribution: Distribution) -> str:
        return "any"

    @rule.register
    def _(distribution: Gamma) -> str:
        return "gamma"

    found = closed_form_of(rule, Gamma(1.0, 1.0))
    assert found is not None
    assert found(Gamma(1.0, 1.0)) == "gamma"
    assert closed_form_of(rule, Chi2(1.0)) is None  # a subclass of Gamma


def test_shape_is_that_to_which_all_broadcast() -> None:
    assert broadcast_shape(torch.zeros(3, 1), torch.zeros(()), torch.zeros(2)) == (3, 2)
