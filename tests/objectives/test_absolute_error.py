"""The absolute error."""

import pytest
import torch

from paramfit.objectives import AbsoluteError

PREDICTION, TARGET = torch.tensor([1.0, -2.0, 0.5]), torch.tensor([0.0, 1.0, 0.5])


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_loss_is_torchs_l1_loss(reduction):
    expected = torch.nn.functional.l1_loss(PREDICTION, TARGET, reduction=reduction)
    assert AbsoluteError(reduction)(PREDICTION, TARGET).item() == pytest.approx(expected.item())


def test_derivative_is_the_sign_and_zero_at_the_kink_as_autograd_has_it():
    prediction = PREDICTION.clone().requires_grad_()
    (prediction - TARGET).abs().sum().backward()
    assert AbsoluteError().derivative(PREDICTION, TARGET).tolist() == prediction.grad.tolist() == [1.0, -1.0, 0.0]
