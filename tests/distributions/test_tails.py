"""Tails, against SciPy's, and their slopes against finite differences of SciPy's."""

import numpy as np
import pytest
import torch
from torch.distributions import Normal, Weibull

from paramfit import InputError
from paramfit.distributions.tails import closed_tails, log_cdf, log_interval, log_survival
from tests.distributions.families import FAMILIES

TAILED = [name for name, family in FAMILIES.items() if family.kind in closed_tails.registry]
SHARES = np.array([1e-12, 1e-3, 0.3, 0.5, 0.7, 0.999])


@pytest.mark.parametrize("name", TAILED)
def test_tails_are_scipys(name: str) -> None:
    family = FAMILIES[name]
    truth, distribution = family.scipy(), family.distribution()
    y = np.concatenate([truth.ppf(SHARES), truth.isf([1e-6, 1e-12])])
    there = torch.from_numpy(y)
    np.testing.assert_allclose(log_cdf(distribution, there).numpy(), truth.logcdf(y), rtol=1e-9, atol=0)
    np.testing.assert_allclose(log_survival(distribution, there).numpy(), truth.logsf(y), rtol=1e-9, atol=0)


@pytest.mark.parametrize("name", TAILED)
def test_interval_keeps_its_digits_in_both_tails(name: str) -> None:
    family = FAMILIES[name]
    truth, distribution = family.scipy(), family.distribution()
    for lower, upper, expected in (
        (truth.ppf(1e-9), truth.ppf(3e-9), 2e-9),
        (truth.ppf(0.2), truth.ppf(0.7), 0.5),
        (truth.isf(3e-9), truth.isf(1e-9), 2e-9),
    ):
        ends = [torch.tensor([end], dtype=torch.float64) for end in (lower, upper)]
        np.testing.assert_allclose(log_interval(distribution, *ends).exp().numpy(), [expected], rtol=1e-6)


def test_far_out_nothing_underflows() -> None:
    normal = FAMILIES["normal"].distribution()
    far = normal.loc + 50 * normal.scale
    assert log_survival(normal, far).item() == pytest.approx(FAMILIES["normal"].scipy().logsf(far.item()), rel=1e-12)
    assert log_interval(normal, far, far + 1).isfinite()


def test_interval_from_the_edge_of_the_support_has_finite_slopes() -> None:
    scale, concentration = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (1.5, 0.7))
    zero, upper = torch.zeros(1, dtype=torch.float64), torch.ones(1, dtype=torch.float64)
    found = log_interval(Weibull(scale, concentration), zero, upper)
    expected = log_cdf(Weibull(scale, concentration), upper)
    torch.testing.assert_close(found, expected)
    slopes = [torch.autograd.grad(value.sum(), (scale, concentration)) for value in (found, expected)]
    torch.testing.assert_close(*slopes)


def test_mixture_of_rows_has_finite_slopes() -> None:
    loc = torch.zeros((), dtype=torch.float64, requires_grad=True)
    lower, upper = (torch.tensor(v, dtype=torch.float64) for v in ([-30.0, 0.0, 30.0], [-29.0, 1.0, 31.0]))
    (slope,) = torch.autograd.grad(log_interval(Normal(loc, 1.0), lower, upper).sum(), loc)
    assert slope.isfinite()


@pytest.mark.parametrize("name", ["gamma", "chi2", "inverse-gamma"])
def test_shape_of_an_incomplete_gamma_is_refused_by_name(name: str) -> None:
    family = FAMILIES[name]
    argument = "df" if name == "chi2" else "concentration"
    values = {key: torch.tensor(1.5, requires_grad=key == argument) for key in family.distribution().arg_constraints}
    refusal = f"parameters.{argument}: {family.kind.__name__} cannot take censored .* be differentiated by {argument}"
    with pytest.raises(InputError, match=refusal):
        log_survival(family.kind(**values), family.sample(3))


@pytest.mark.parametrize("name", ["beta", "student-t", "poisson"])
def test_distribution_without_cdf_is_refused(name: str) -> None:
    family = FAMILIES[name]
    with pytest.raises(InputError, match=f"{family.kind.__name__} cannot take censored observations: torch has no cdf"):
        log_survival(family.distribution(), family.sample(3))
