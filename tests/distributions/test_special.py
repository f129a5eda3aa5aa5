"""Special functions: values from SciPy and mpmath, derivatives from finite differences and in all modes."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import special
from torch import Tensor

from paramfit.distributions.special import (
    log1p_ratio,
    log_gamma_ratio,
    log_gamma_ratio_curvature,
    log_gamma_ratio_slope,
    lower_gamma,
    upper_gamma,
)

BOTH = {"lower": (lower_gamma, special.gammainc), "upper": (upper_gamma, special.gammaincc)}
Function = Callable[[Tensor, Tensor], Tensor]

SHAPE = torch.tensor(2.5, dtype=torch.float64)
X = torch.linspace(0.3, 6.0, 5, dtype=torch.float64)


@pytest.mark.parametrize(("function", "scipys"), BOTH.values(), ids=BOTH)
def test_value_and_derivatives_by_the_argument(function, scipys):
    np.testing.assert_allclose(function(SHAPE, X).numpy(), scipys(2.5, X.numpy()), rtol=1e-13)

    def of_x(x: Tensor) -> Tensor:
        return function(SHAPE, x)

    at = X.clone().requires_grad_()
    assert torch.autograd.gradcheck(of_x, at, check_forward_ad=True, check_batched_grad=True)
    assert torch.autograd.gradgradcheck(of_x, at)
    curved = torch.func.hessian(lambda x: of_x(x).sum())(X)
    torch.testing.assert_close(curved, torch.autograd.functional.hessian(lambda x: of_x(x).sum(), X))
    rows = torch.func.vmap(torch.func.jacfwd(of_x))(torch.stack([X, 2 * X]))
    torch.testing.assert_close(rows[1], torch.func.jacrev(of_x)(2 * X))


@pytest.mark.parametrize(("function", "scipys"), BOTH.values(), ids=BOTH)
def test_shapes_broadcast_in_the_derivative(function, scipys):
    shapes, x = X.unsqueeze(1), torch.tensor(1.5, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(function(shapes, x).sum(), x)
    step = 1e-5
    upper, lower = (np.sum(scipys(shapes.numpy(), 1.5 + sign * step)) for sign in (1, -1))
    assert slope.item() == pytest.approx((upper - lower) / (2 * step), rel=1e-8)


@pytest.mark.parametrize("function", [lower_gamma, upper_gamma])
def test_derivative_by_the_shape_is_refused_instead_of_zero(function):
    shape = SHAPE.clone().requires_grad_()
    with pytest.raises(NotImplementedError, match="cannot be differentiated by its shape"):
        torch.autograd.grad(function(shape, X).sum(), shape)
    with pytest.raises(NotImplementedError, match="cannot be differentiated by its shape"):
        torch.func.jvp(lambda a: function(a, X), (SHAPE,), (torch.ones_like(SHAPE),))


# By mpmath 1.3 with 400 digits: 2 loggamma((x + 1)/2) - 2 loggamma(x/2) - log(x/2), its derivative, and its second
# derivative plus 1/x^3, each written with psi.
TRUTH = {
    3.0: (-0.16390063283767394, 0.052961027786557286, 0.0032140812999217117),
    19.9: (-0.025115085449330549, 0.0012610082005402837, 3.1803758308724463e-7),
    20.0: (-0.02498961434945764, 0.0012484452309652676, 3.1018872049354087e-7),
    1e6: (-4.9999999999991667e-7, 4.9999999999975e-13, 9.99999999997e-31),
    1e30: (-5.0e-31, 5.0e-61, 1.0e-150),
}


@pytest.mark.parametrize("x", TRUTH, ids=str)
def test_gamma_ratios_are_mpmaths(x):
    at = torch.tensor(x, dtype=torch.float64)
    value, slope, curved = TRUTH[x]
    assert log_gamma_ratio(at).item() == pytest.approx(value, rel=1e-11)
    assert log_gamma_ratio_slope(at).item() == pytest.approx(slope, rel=1e-10)
    # Below the series by torch's trigammas, which have nine digits and cancel: what counts is what they add to 1/x^3.
    least = 1e-8 / x**3 if x < 20 else 0.0
    assert log_gamma_ratio_curvature(at).item() == pytest.approx(curved, rel=1e-8, abs=least)


# By mpmath 1.3 with 60 digits: log1p(x)/x and its first two derivatives.
RATIOS = {
    0.0: (1.0, -1 / 2, 2 / 3),
    -0.999: (6.9146699489310672, -994.07940946052857, 999010.85203311028),
    -0.05000001: (1.0258658931041489, -0.53531383140827377, 0.74811188053159089),
    -1e-09: (1.0000000005, -0.50000000066666667, 0.66666666816666667),
    1e-12: (0.9999999999995, -0.49999999999933333, 0.66666666666516667),
    0.0499: (0.97585013103724547, -0.46850635409315673, 0.59740355760217553),
    0.0501: (0.97575644171278705, -0.46838689904445339, 0.59714695554137093),
    3.0: (0.46209812037329687, -0.070699373457765624, 0.026299582305177083),
    1000000.0: (1.3815511557963774e-5, -1.2815512557962774e-11, 2.4631027115922548e-17),
}


@pytest.mark.parametrize("x", RATIOS, ids=str)
def test_ratio_of_the_logarithm_is_smooth_at_zero(x):
    at = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    for order, expected in enumerate(RATIOS[x]):
        ratio = log1p_ratio(at, order)
        assert ratio.item() == pytest.approx(expected, rel=1e-12)
        if order < 2:
            (slope,) = torch.autograd.grad(ratio, at)
            assert slope.item() == pytest.approx(RATIOS[x][order + 1], rel=1e-12)
