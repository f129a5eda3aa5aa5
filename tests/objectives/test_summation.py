"""Two orders of adding up."""

import numpy as np
import pytest
import torch

from paramfit.objectives.summation import Pairwise, Sequential

BOTH = pytest.mark.parametrize("summation", [Pairwise(), Sequential()], ids=lambda made: type(made).__name__)
VALUES = torch.randn(997, generator=torch.Generator().manual_seed(3)) * 100
COLUMN = torch.randn(997, generator=torch.Generator().manual_seed(4))


def left_to_right(values: torch.Tensor) -> float:
    total = np.float32(0.0)
    for value in values.numpy():
        total = np.float32(total + value)
    return float(total)


def test_sequential_is_a_float32_loop_bit_for_bit():
    assert Sequential().add_up(VALUES).item() == left_to_right(VALUES)


def test_sequential_contraction_multiplies_then_adds_then_divides_once():
    actual = Sequential().contract(VALUES, {"weight": COLUMN}, 997)["weight"]
    assert actual.item() == float(np.float32(left_to_right(VALUES * COLUMN)) / np.float32(997))


def test_pairwise_is_torchs_own_sum_bit_for_bit():
    assert Pairwise().add_up(VALUES).item() == VALUES.sum().item()


def test_pairwise_contraction_divides_first():
    actual = Pairwise().contract(VALUES, {"weight": COLUMN}, 997)["weight"]
    assert actual.item() == ((VALUES / 997) * COLUMN).sum().item()


def test_the_orders_differ_in_the_last_digits_of_float32():
    # Otherwise the tests above could not tell one from the other.
    assert Pairwise().add_up(VALUES).item() != Sequential().add_up(VALUES).item()


@BOTH
@pytest.mark.parametrize("count", [1, 997], ids=["sum", "mean"])
@pytest.mark.parametrize("number", [1.0, -2.5], ids=str)
def test_number_for_all_rows_equals_a_column_of_it(summation, count, number):
    double = VALUES.double()
    actual = summation.contract(double, {"a": number, "b": torch.full_like(double, number)}, count)
    assert actual["a"].item() == pytest.approx(actual["b"].item(), rel=1e-12)


@BOTH
def test_leading_dimensions_are_kept(summation):
    values = torch.arange(24.0).view(2, 3, 4)
    assert torch.equal(summation.add_up(values), values.sum(-1))
