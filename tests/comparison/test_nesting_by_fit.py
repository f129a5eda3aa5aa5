"""Models within models, by fitting."""

import math

import pytest
import torch
from torch import nn

from paramfit.comparison.nesting_by_fit import containment
from paramfit.models import FormulaModel

X = torch.linspace(0.1, 4, 25, dtype=torch.float64)
HALVING = FormulaModel("h*2^(-x/t)", ["x"], {"h": 3, "t": 0.8})
DECAY = ("a*exp(-b*x) + c", ["x"], {"a": 2, "b": 1, "c": 0.1})


def test_larger_model_is_found_at_the_smaller_ones_estimates():
    nesting = containment(HALVING, FormulaModel(*DECAY), (X,), (X,))
    assert nesting.values == pytest.approx({"a": 3, "b": math.log(2) / 0.8, "c": 0}, abs=1e-8)
    assert nesting.undetermined == ()


def test_inputs_may_be_scaled_for_one_of_them():
    nesting = containment(HALVING, FormulaModel(*DECAY), (X,), (2 * X,))
    assert nesting.values["b"] == pytest.approx(math.log(2) / 1.6, rel=1e-8)


def test_model_that_only_comes_close_does_not_contain():
    class Series(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.c = nn.Parameter(torch.zeros(8, dtype=torch.float64))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.stack([x**power for power in range(8)]).T @ self.c

    assert containment(HALVING, Series(), (X,), (X,)) is None


def test_what_is_left_open_is_told():
    larger = FormulaModel("(a + b)*x + d", ["x"], {"a": 2, "b": 1, "d": 0.1})
    assert containment(FormulaModel("c*x", ["x"], {"c": 1.5}), larger, (X,), (X,)).undetermined == ("a", "b")


def test_fewer_rows_than_parameters_tell_nothing():
    assert containment(HALVING, FormulaModel(*DECAY), (X[:2],), (X[:2],)) is None
