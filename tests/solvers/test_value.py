"""Values that are compared, saved and restored by their fields."""

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from paramfit.errors import InputError
from paramfit.solvers.standing import Finding, Standing
from paramfit.solvers.value import Value, as_plain, from_plain


@dataclass(frozen=True, eq=False)
class Leaf(Value):
    """Arrays of two kinds."""

    numbers: np.ndarray
    flags: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Tree(Value):
    """Everything that a state may hold."""

    leaf: Leaf
    standing: Standing
    pairs: tuple[tuple[int | None, int], ...]
    loss: float


TREE = Tree(
    Leaf(np.array([1.0, math.nan, -0.0]), np.array([True, False])),
    Standing(Finding.DIVERGENT, places=(3,)),
    ((None, 1), (2, 3)),
    math.inf,
)
KINDS = (Tree, Leaf, Standing, Finding)


def test_what_a_checkpoint_kept_is_the_same():
    torch.save(as_plain(TREE), "tree.pt")
    again = from_plain(torch.load("tree.pt", weights_only=True), KINDS)
    assert again == TREE
    assert again.standing.finding is Finding.DIVERGENT
    assert again.leaf.flags.dtype == np.bool_


@pytest.mark.parametrize("change", [
    {"loss": 1.0},
    {"pairs": ((0, 1), (2, 3))},
    {"pairs": ((None, 1),)},
    {"standing": Standing(Finding.UNDETERMINED, places=(3,))},
    {"leaf": Leaf(np.array([1.0, 2.0, 0.0]), np.array([True, False]))},
    {"leaf": Leaf(np.array([1.0, math.nan, -0.0]))},
], ids=["number", "pair", "length", "member", "element", "none"])  # fmt: skip
def test_values_differ_where_a_field_does(change):
    assert replace(TREE, **change) != TREE


def test_a_restored_array_is_one_of_its_own():
    plain = as_plain(TREE)
    again = from_plain(plain, KINDS)
    again.leaf.numbers[0] = 5.0
    assert TREE.leaf.numbers[0] == 1.0
    assert plain["leaf"]["numbers"][0] == 1.0


@pytest.mark.parametrize("plain", [{"theta": 1.0}, {"kind": "Forest"}], ids=["of before", "of afterwards"])
def test_what_another_version_kept_is_refused_in_one_line(plain):
    with pytest.raises(InputError, match="another version of paramfit"):
        from_plain(plain, KINDS)
