"""Parameters as a vector, the linear ones solved for, beside NumPy and autograd's derivative of the projection."""

from functools import reduce
from operator import add

import numpy as np
import pytest
import torch
from torch import Tensor

from paramfit.solvers.parameter_vector import ParameterVector
from paramfit.solvers.projection import Linearization, linearization
from paramfit.solvers.sums import Layout, ResidualSums

# f(x) = c exp(-k x) + d + sin(m x), theta = (c, k, d, m): linear in c and d, not in k and m.
LAYOUT = Layout(linear=(0, 2), nonlinear=(1, 3), slopes=((0, 0), (None, 1)))
X = torch.linspace(0.1, 4.0, 40, dtype=torch.float64)
Y = 2.5 * torch.exp(-0.8 * X) + 0.7 + torch.sin(1.9 * X) + 0.3 * torch.cos(40 * X)
K, M = 1.1, 1.7


def basis(k: Tensor) -> Tensor:
    return torch.stack([torch.exp(-k * X), torch.ones_like(X)], dim=1)


def projected_residual(nonlinear: Tensor) -> Tensor:
    """The part of ``y - phi_0`` that no linear parameters can explain."""
    k, m = nonlinear
    rest = Y - torch.sin(m * X)
    phi = basis(k)
    return rest - phi @ torch.linalg.solve(phi.T @ phi, phi.T @ rest)


def seen_from(k: float = K, m: float = M, batch: int = 40) -> Linearization:
    decay = torch.exp(-k * X)
    columns = torch.stack([decay, torch.ones_like(X), -X * decay, X * torch.cos(m * X), Y - torch.sin(m * X)])
    return linearization(reduce(add, [ResidualSums.of(LAYOUT, part) for part in columns.split(batch, dim=1)]))


def exact() -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    actual: np.ndarray[tuple[int], np.dtype[np.float64]] = np.linalg.lstsq(
        basis(torch.tensor(K, dtype=torch.float64)).numpy(), (Y - torch.sin(M * X)).numpy(), rcond=None
    )[0]
    return actual


@pytest.mark.parametrize("batch", [1, 7, 40])
def test_linear_parameters_are_numpys_least_squares(batch):
    np.testing.assert_allclose(seen_from(batch=batch).linear, exact(), rtol=1e-12)


def test_loss_is_the_squared_length_of_the_projected_residual():
    expected = projected_residual(torch.tensor([K, M], dtype=torch.float64)).square().sum().item()
    assert seen_from().loss == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("batch", [1, 40])
def test_factor_is_that_of_the_whole_jacobian_and_the_residual(batch):
    c, d = exact()
    decay = torch.exp(-K * X)
    rows = torch.stack(
        [decay, torch.ones_like(X), -c * X * decay, X * torch.cos(M * X), Y - c * decay - d - torch.sin(M * X)], dim=1
    ).numpy()
    factor = seen_from(batch=batch).factor
    np.testing.assert_allclose(factor.T @ factor, rows.T @ rows, atol=1e-11)


def test_curvature_is_that_of_the_projected_residual_by_autograd():
    jacobian = torch.func.jacfwd(projected_residual)(torch.tensor([K, M], dtype=torch.float64)).numpy()
    curved = seen_from().curved
    np.testing.assert_allclose(curved.T @ curved, jacobian.T @ jacobian, rtol=1e-10, atol=1e-10)


def test_slope_gives_the_gradient_of_the_projected_loss_by_autograd():
    point = torch.tensor([K, M], dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(projected_residual(point).square().sum() / 2, point)
    linearized = seen_from()
    # With the residual e = target - prediction the gradient of e^T e / 2 is -J^T e.
    np.testing.assert_allclose(-linearized.curved[:2].T @ linearized.slope, gradient.numpy(), rtol=1e-9)


def test_residual_has_no_part_along_the_linear_parameters():
    assert seen_from().factor[:2, -1].tolist() == [0.0, 0.0]


def test_without_linear_parameters_the_factor_is_the_sums_own():
    columns = torch.randn(4, 20, dtype=torch.float64)
    sums = ResidualSums.of(Layout.plain(3), columns)
    linearized = linearization(sums)
    assert linearized.linear.size == 0
    assert linearized.n == 20
    np.testing.assert_allclose(linearized.factor.T @ linearized.factor, (columns @ columns.T).numpy(), atol=1e-13)
    assert linearized.loss == pytest.approx(columns[-1].square().sum().item(), rel=1e-13)


def test_robust_total_is_the_loss():
    sums = ResidualSums.of(Layout.plain(1), torch.randn(2, 9, dtype=torch.float64), torch.tensor(3.5))
    assert linearization(sums).loss == 3.5


def test_equal_basis_functions_share_what_they_have_in_common():
    # Of all c with c_1 + c_2 = 6 the shortest has both 3.
    columns = torch.stack([X, X, 6 * X])
    linearized = linearization(ResidualSums.of(Layout((0, 1), (), ()), columns))
    assert linearized.linear == pytest.approx([3.0, 3.0], rel=1e-12)


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
