"""The squared error."""

import pytest
import torch

from paramfit import InputError, SquaredError

PREDICTION, FOUR = torch.tensor([1.0, -2.0, 0.5]), torch.tensor([0.0, 1.0, 0.5])


@pytest.mark.parametrize("summation", ["pairwise", "sequential"])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_loss_is_torchs_mse_loss(reduction, summation):
    expected = torch.nn.functional.mse_loss(PREDICTION, FOUR, reduction=reduction)
    assert SquaredError(reduction, summation)(PREDICTION, FOUR).item() == pytest.approx(expected.item())


def test_each_observation_has_its_square():
    assert SquaredError().per_observation(PREDICTION, FOUR).tolist() == [1.0, 9.0, 0.0]


def test_derivative_is_twice_the_residual():
    assert SquaredError().derivative(PREDICTION, FOUR).tolist() == [2.0, -6.0, 0.0]


def test_mean_is_taken_and_the_order_is_torchs_by_default():
    values = torch.randn(1000)
    expected = torch.nn.functional.mse_loss(values, torch.zeros(1000))
    # The last bits are those of the order of the sum.
    assert SquaredError()(values, torch.zeros(1000)).item() == (values.square().sum() / 1000).item()
    assert SquaredError()(values, torch.zeros(1000)).item() == pytest.approx(expected.item(), rel=1e-6)


def test_another_summation_is_refused_with_the_choices():
    with pytest.raises(InputError, match="summation: expected one of pairwise, sequential, but got 'kahan'"):
        SquaredError(summation="kahan")
