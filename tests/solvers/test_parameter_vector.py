"""Parameters as one vector."""

import numpy as np
import pytest
import torch

from paramfit.solvers.parameter_vector import ParameterVector


@pytest.mark.parametrize("shapes", [[(), (), ()], [(), (2,), (1, 2)]], ids=["scalars", "shapes"])
def test_what_is_written_is_read(shapes):
    parameters = [torch.nn.Parameter(torch.zeros(shape, dtype=torch.float64)) for shape in shapes]
    vector = ParameterVector(parameters)
    values = np.arange(1.0, 1 + len(vector.read()))
    for theta in (values, -values):  # the second time through views
        vector.write(theta)
        np.testing.assert_array_equal(vector.read(), theta)
    vector.fill_gradients(values)
    gradients = torch.cat([parameter.grad.reshape(-1) for parameter in parameters if parameter.grad is not None])
    np.testing.assert_array_equal(gradients.numpy(), values)


def test_parameters_that_moved_elsewhere_are_found():
    parameter = torch.nn.Parameter(torch.tensor(1.0, dtype=torch.float64))
    vector = ParameterVector([parameter])
    vector.write(np.array([2.0]))
    parameter.data = torch.tensor(5.0, dtype=torch.float64)
    vector.write(np.array([3.0]))
    assert parameter.item() == 3.0
