"""Central differences."""

from functools import partial

import pytest
import torch
from torch import Tensor, nn

from paramfit import InputError, LinearModel, NumericalGradient, Observations, SquaredError
from tests.own_module import OwnModule

# A prediction w^3 * x, whose loss has a third derivative, with a matrix of parameters.
Cubic = partial(OwnModule, lambda self, x: (self.w**3).sum() * x, w=[[0.5, -1.0], [2.0, 0.25]])


OBSERVATIONS = Observations((torch.tensor([1.0, 2.0]).double(),), torch.tensor([1.0, -1.0]).double())


def exact(model: nn.Module) -> Tensor:
    nn.functional.mse_loss(model(*OBSERVATIONS.inputs), OBSERVATIONS.target).backward()
    gradient = next(model.parameters()).grad
    assert gradient is not None
    return gradient


def test_parameter_of_any_shape_is_differentiated_element_by_element():
    model = Cubic()
    _, gradients = NumericalGradient(1e-5)(model, SquaredError(), OBSERVATIONS)
    torch.testing.assert_close(gradients["w"], exact(model), rtol=1e-7, atol=1e-7)


def test_error_is_of_second_order_in_delta():
    model = Cubic()
    truth = exact(model)
    wide, narrow = (
        (NumericalGradient(delta)(model, SquaredError(), OBSERVATIONS)[1]["w"] - truth).abs().max().item()
        for delta in (1e-2, 5e-3)
    )
    assert wide / narrow == pytest.approx(4.0, rel=0.05)


def test_parameters_are_left_bit_for_bit():
    model = LinearModel(weight=0.1, bias=1e7)
    x = torch.tensor([1.0, 2.0])
    NumericalGradient(0.1)(model, SquaredError(), Observations((x,), x))
    assert torch.equal(model.weight, torch.tensor(0.1))
    assert torch.equal(model.bias, torch.tensor(1e7))


def test_large_float32_parameter_seems_to_have_no_slope():
    # 2^24 is where float32 has no halves left: w + 0.1 rounds back to w.
    model = LinearModel(weight=2.0**25, bias=0.0)
    x = torch.tensor([1.0, 2.0])
    loss, gradients = NumericalGradient(0.1)(model, SquaredError(), Observations((x,), x))
    assert torch.isfinite(loss)
    assert loss > 1e14
    assert gradients["weight"].item() == 0.0


@pytest.mark.parametrize("delta", [0.0, -0.1, float("nan")], ids=str)
def test_delta_that_is_not_positive_is_refused(delta):
    with pytest.raises(InputError, match="delta: a finite difference needs a step above 0"):
        NumericalGradient(delta)
