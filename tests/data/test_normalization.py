"""Shift and scale of an input column, against numpy."""

import numpy as np
import pytest
import torch

from paramfit import FixedScale, InputError, Standardize


def test_standardize_agrees_with_numpy():
    column = torch.tensor([35.7, 55.9, 58.2, 81.9], dtype=torch.float64)
    shift, scale = Standardize().fit(column)
    assert shift == pytest.approx(np.mean(column.numpy()), rel=1e-15)
    assert scale == pytest.approx(1 / np.std(column.numpy()), rel=1e-15)


def test_standardize_keeps_the_digits_of_a_small_spread_on_a_large_offset():
    # In float32 arithmetic the squares of these numbers have no digit of the spread left.
    column = torch.tensor([1e6, 1e6 + 1, 1e6 + 2], dtype=torch.float32)
    shift, scale = Standardize().fit(column)
    assert shift == 1e6 + 1
    assert scale == pytest.approx(1 / np.sqrt(2 / 3), rel=1e-12)


@pytest.mark.parametrize("values", [[2.0, 2.0, 2.0], [5.0]], ids=["constant", "single"])
def test_standardize_refuses_an_input_that_does_not_vary(values):
    with pytest.raises(InputError, match="needs an input that varies"):
        Standardize().fit(torch.tensor(values))


def test_fixed_scale_does_not_look_at_the_data():
    assert FixedScale(0.1).fit(torch.tensor([1.0, 100.0])) == (0.0, 0.1)


@pytest.mark.parametrize("scale", [0.0, float("inf"), float("-inf"), float("nan")])
def test_fixed_scale_refuses_what_cannot_be_undone(scale):
    with pytest.raises(InputError, match="scale"):
        FixedScale(scale)
