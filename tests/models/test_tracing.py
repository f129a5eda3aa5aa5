"""Whether torch follows a function."""

import pytest
import torch
from torch import Tensor

from paramfit.errors import InputError
from paramfit.models.tracing import check_followed

X = {"x": torch.linspace(1.0, 2.0, 4)}


@pytest.mark.parametrize("leave", [float, Tensor.item, Tensor.tolist, lambda a: complex(a).real])
def test_a_number_that_depends_on_a_parameter_may_not_leave(leave):
    with pytest.raises(InputError, match="curve makes a plain number"):
        check_followed(lambda x, a: x * leave(2 * a), "curve", X, {"a": 1.0})  # type: ignore[operator]


def test_inputs_may_and_other_mistakes_are_left_to_the_use():
    check_followed(lambda x, a: a * x.numpy().max(), "curve", X, {"a": 1.0})
    check_followed(lambda x, a: x[7] * a, "curve", X, {"a": 1.0})
