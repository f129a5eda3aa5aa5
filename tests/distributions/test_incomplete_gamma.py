"""The incomplete gamma functions: values from SciPy, derivatives from finite differences and in all modes."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import special
from torch import Tensor

from paramfit.distributions.incomplete_gamma import lower_gamma, upper_gamma

BOTH = {"lower": (lower_gamma, special.gammainc), "upper": (upper_gamma, special.gammaincc)}
Function = Callable[[Tensor, Tensor], Tensor]

SHAPE = torch.tensor(2.5, dtype=torch.float64)
X = torch.linspace(0.3, 6.0, 5, dtype=torch.float64)


@pytest.mark.parametrize(("function", "scipys"), BOTH.values(), ids=BOTH)
def test_value_and_derivatives_by_the_argument(function: Function, scipys: Callable[..., object]) -> None:
    np.testing.assert_allclose(function(SHAPE, X).numpy(), scipys(2.5, X.numpy()), rtol=1e-13)

    def of_x(x: Tensor) -> Tensor:
        return function(SHAPE, x)

    there = X.clone().requires_grad_()
    assert torch.autograd.gradcheck(of_x, there, check_forward_ad=True, check_batched_grad=True)
    assert torch.autograd.gradgradcheck(of_x, there)
    curved = torch.func.hessian(lambda x: of_x(x).sum())(X)
    torch.testing.assert_close(curved, torch.autograd.functional.hessian(lambda x: of_x(x).sum(), X))
    rows = torch.func.vmap(torch.func.jacfwd(of_x))(torch.stack([X, 2 * X]))
    torch.testing.assert_close(rows[1], torch.func.jacrev(of_x)(2 * X))


@pytest.mark.parametrize(("function", "scipys"), BOTH.values(), ids=BOTH)
def test_shapes_broadcast_in_the_derivative(function: Function, scipys: Callable[..., object]) -> None:
    shapes, x = X.unsqueeze(1), torch.tensor(1.5, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(function(shapes, x).sum(), x)
    step = 1e-5
    upper, lower = (np.sum(scipys(shapes.numpy(), 1.5 + sign * step)) for sign in (1, -1))
    assert slope.item() == pytest.approx((upper - lower) / (2 * step), rel=1e-8)


@pytest.mark.parametrize("function", [lower_gamma, upper_gamma])
def test_derivative_by_the_shape_is_refused_instead_of_zero(function: Function) -> None:
    shape = SHAPE.clone().requires_grad_()
    with pytest.raises(NotImplementedError, match="cannot be differentiated by its shape"):
        torch.autograd.grad(function(shape, X).sum(), shape)
    with pytest.raises(NotImplementedError, match="cannot be differentiated by its shape"):
        torch.func.jvp(lambda a: function(a, X), (SHAPE,), (torch.ones_like(SHAPE),))
