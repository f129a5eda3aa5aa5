"""What a formula's value depends on near its parameters, against finite moves and against what only underflows."""

import numpy as np
import pytest
import torch

from paramfit import FormulaModel

X = torch.arange(11, dtype=torch.float64)


@pytest.mark.parametrize(
    ("text", "starts", "needed"),
    [
        ("max(a, b*x)", {"a": 100, "b": 1}, "a"),
        ("max(a, b*x)", {"a": -1, "b": 1}, "b"),
        ("max(a, b*x)", {"a": 5, "b": 1}, "ab"),
        ("max(a, b*x)", {"a": 10, "b": 1}, "ab"),  # equal at the last row
        ("min(a, b*x)", {"a": -3, "b": 1}, "a"),
        ("max(a, min(b*x, c))", {"a": 3, "b": -1, "c": 5}, "a"),
        ("max(a, min(b*x, c))", {"a": 3, "b": 100, "c": 5}, "ac"),  # a in the first row, where b x is 0 for any b
        ("max(a, min(b*(x+1), c))", {"a": 3, "b": 100, "c": 5}, "c"),
        ("d+b*max(0, x-c)", {"d": 1, "b": 1, "c": 12}, "d"),
        ("d+b*max(0, x-c)**2", {"d": 1, "b": 1, "c": 12}, "d"),
        ("d+max(0, x-c)/b", {"d": 1, "b": 1, "c": 12}, "d"),
        ("d+max(0, x-c)**b", {"d": 1, "b": 1, "c": 12}, "d"),
        ("d+b*max(0, x-c)", {"d": 1, "b": 0, "c": 2}, "dbc"),  # c has a part as soon as b is not 0
        ("abs(a-x)+0*b+b", {"a": 0, "b": 1}, "ab"),
        ("d+exp(-k*(x+1))", {"d": 1, "k": 2000}, "dk"),  # has underflowed: the derivative is 0
        ("d+tanh(k*(x+1))", {"d": 1, "k": 300}, "dk"),
        ("max(a, exp(-k*(x+1)))", {"a": 1, "k": 2000}, "a"),
    ],
)
def test_parameters_that_kinks_leave_out_are_not_needed(text, starts, needed):
    model = FormulaModel(text, ["x"], {name: float(value) for name, value in starts.items()})
    assert sorted(model.locally_needed(X)) == sorted(needed)


def test_fixed_parameter_counts_as_a_number():
    model = FormulaModel("d+a*b*x", ["x"], {"d": 1.0, "a": {"start": 0.0, "fixed": True}, "b": 1.0})
    assert list(model.locally_needed(X)) == ["d"]


def test_rows_are_taken_piece_by_piece(monkeypatch):
    monkeypatch.setattr("paramfit.formulas.local_dependence._AT_ONCE", 1)
    model = FormulaModel("max(a, b*x)", ["x"], {"a": 9.5, "b": 1.0})
    assert sorted(model.locally_needed(X)) == ["a", "b"]


def random_formula(random):
    leaves = ["a", "b", "c", "x", "2"]

    def tree(depth):
        if not depth or random.random() < 0.2:
            return leaves[random.integers(len(leaves))]
        operation = ["max", "min", "+", "*", "-", "abs"][random.integers(6)]
        if operation == "abs":
            return f"abs({tree(depth - 1)})"
        one, other = tree(depth - 1), tree(depth - 1)
        return f"{operation}({one}, {other})" if operation.isalpha() else f"({one} {operation} {other})"

    # All names are in it, so that it can be made; b and c have a part only where they are very large.
    return f"a + x + {tree(5)} + max(-1e6, b)*max(0, x-99) + max(0, c-99)*x"


def test_what_is_not_needed_changes_no_prediction():
    random = np.random.default_rng(0)
    left_out = 0
    for _ in range(60):
        text = random_formula(random)
        starts = {name: float(random.normal(0, 3)) for name in "abc"}
        model = FormulaModel(text, ["x"], starts)
        for name in set(starts) - set(model.locally_needed(X)):
            left_out += 1
            moved = FormulaModel(text, ["x"], {**starts, name: starts[name] * (1 + 1e-9)})
            with torch.no_grad():
                assert torch.equal(moved(X), model(X))
    assert left_out > 20
