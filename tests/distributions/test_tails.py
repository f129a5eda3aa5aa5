"""Tails far out, at an edge and of distributions without a cdf."""

import pytest
import torch
from torch.distributions import Normal, Weibull

from paramfit import InputError
from paramfit.distributions.tails import log_cdf, log_interval, log_survival
from tests.distributions.families import ROWS


def test_far_out_nothing_underflows():
    normal = ROWS["normal"].distribution()
    far = normal.loc + 50 * normal.scale
    assert log_survival(normal, far).item() == pytest.approx(ROWS["normal"].scipy().logsf(far.item()), rel=1e-12)
    assert log_interval(normal, far, far + 1).isfinite()


def test_interval_from_the_edge_of_the_support_has_finite_slopes():
    scale, concentration = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (1.5, 0.7))
    zero, upper = torch.zeros(1, dtype=torch.float64), torch.ones(1, dtype=torch.float64)
    interval = log_interval(Weibull(scale, concentration), zero, upper)
    expected = log_cdf(Weibull(scale, concentration), upper)
    torch.testing.assert_close(interval, expected)
    slopes = [torch.autograd.grad(value.sum(), (scale, concentration)) for value in (interval, expected)]
    torch.testing.assert_close(*slopes)


def test_mixture_of_rows_has_finite_slopes():
    loc = torch.zeros((), dtype=torch.float64, requires_grad=True)
    lower, upper = (torch.tensor(v, dtype=torch.float64) for v in ([-30.0, 0.0, 30.0], [-29.0, 1.0, 31.0]))
    (slope,) = torch.autograd.grad(log_interval(Normal(loc, 1.0), lower, upper).sum(), loc)
    assert slope.isfinite()


@pytest.mark.parametrize("name", ["gamma", "chi2", "inverse-gamma"])
def test_shape_of_an_incomplete_gamma_is_refused_by_name(name):
    row = ROWS[name]
    argument = "df" if name == "chi2" else "concentration"
    values = {key: torch.tensor(1.5, requires_grad=key == argument) for key in row.distribution().arg_constraints}
    refusal = f"parameters.{argument}: {row.kind.__name__} cannot take censored .* be differentiated by {argument}"
    with pytest.raises(InputError, match=refusal):
        log_survival(row.kind(**values), row.sample(3))


@pytest.mark.parametrize("name", ["beta", "student-t", "poisson"])
def test_distribution_without_cdf_is_refused(name):
    row = ROWS[name]
    with pytest.raises(InputError, match=f"{row.kind.__name__} cannot take censored observations: torch has no cdf"):
        log_survival(row.distribution(), row.sample(3))
