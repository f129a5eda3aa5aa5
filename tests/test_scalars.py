"""Numbers as tensors."""

import pytest
import torch

from paramfit.scalars import scalar

BOTH = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)


@BOTH
def test_scalar_has_the_precision_of_its_model(dtype: torch.dtype) -> None:
    made = scalar(0.1, torch.zeros(3, dtype=dtype))
    assert made.dtype is dtype
    assert made.shape == ()


@BOTH
def test_product_is_that_of_the_python_number_bit_for_bit(dtype: torch.dtype) -> None:
    values = torch.randn(1000, dtype=dtype)
    assert torch.equal(scalar(0.1, values) * values, 0.1 * values)


def test_scalar_first_made_in_inference_mode_can_be_used_by_autograd() -> None:
    # 0.123 is used nowhere else, so that it is made here.
    with torch.inference_mode():
        scalar(0.123, torch.zeros((), dtype=torch.float64))
    parameter = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    (scalar(0.123, parameter) * parameter).backward()
    assert parameter.grad is not None
    assert parameter.grad.item() == 0.123
