"""What torch costs on small work."""

from collections.abc import Iterator

import pytest
import torch

from paramfit.torch_overhead import one_thread, scalar

BOTH = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)


@BOTH
def test_product_is_that_of_the_python_number_bit_for_bit(dtype):
    values = torch.randn(1000, dtype=dtype)
    assert torch.equal(scalar(0.1, values) * values, 0.1 * values)


def test_scalar_first_made_in_inference_mode_can_be_used_by_autograd():
    # 0.123 is used nowhere else, so that it is made here.
    with torch.inference_mode():
        scalar(0.123, torch.zeros((), dtype=torch.float64))
    parameter = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    (scalar(0.123, parameter) * parameter).backward()
    assert parameter.grad.item() == 0.123


@pytest.fixture
def two_threads() -> Iterator[None]:
    """Two, whatever the machine has."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize(("wanted", "threads"), [(True, 1), (False, 2)])
def test_there_is_one_thread_inside_where_wanted_and_as_many_as_before_outside(wanted, threads):
    with one_thread(wanted):
        assert torch.get_num_threads() == threads
    assert torch.get_num_threads() == 2
