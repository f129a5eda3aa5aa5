"""Cumulative probabilities, quantiles and tails, against scipy.stats."""

import math
from typing import Any, ClassVar

import numpy as np
import pytest
import scipy.stats
import torch
from torch import Tensor
from torch import distributions as dist

from paramfit import InputError
from paramfit.distributions.cdf import cumulative, mid_cumulative, mid_quantile, quantile, unrolled
from paramfit.distributions.tails import log_cdf, log_interval, log_survival
from tests.distributions.families import ROWS

P = torch.tensor([1e-4, 0.025, 0.3, 0.5, 0.9, 0.9999], dtype=torch.float64)


def number(value: float) -> Tensor:
    return torch.tensor(value, dtype=torch.float64)


class OwnGamma(dist.Distribution):
    """A user's own density, of which only the logarithm is known."""

    arg_constraints: ClassVar[dict[str, dist.constraints.Constraint]] = {}
    support = dist.constraints.positive

    def log_prob(self, value: Tensor) -> Tensor:
        return dist.Gamma(number(0.7), number(0.01), validate_args=True).log_prob(value)


class OwnCounts(dist.Distribution):
    """A user's own counts, of which only the logarithm of the mass is known."""

    arg_constraints: ClassVar[dict[str, dist.constraints.Constraint]] = {}
    support = dist.constraints.nonnegative_integer

    def log_prob(self, value: Tensor) -> Tensor:
        return dist.Poisson(number(3.5), validate_args=True).log_prob(value)


CONTINUOUS: list[tuple[dist.Distribution, Any]] = [
    (dist.Beta(number(0.4), number(3.0)), scipy.stats.beta(0.4, 3)),
    (dist.StudentT(number(1.5), number(1.0), number(2.0)), scipy.stats.t(1.5, 1, 2)),
    (dist.FisherSnedecor(number(4.0), number(7.0)), scipy.stats.f(4, 7)),
    (dist.Uniform(number(1.0), number(2.0)), scipy.stats.uniform(1, 1)),
    (dist.TransformedDistribution(dist.StudentT(number(3.0)), dist.AffineTransform(1.0, 2.0)), scipy.stats.t(3, 1, 2)),
    (OwnGamma(validate_args=False), scipy.stats.gamma(0.7, scale=100)),
    *((row.distribution(), row.scipy()) for row in ROWS.values() if not row.discrete),
]
DISCRETE: list[tuple[dist.Distribution, Any]] = [
    (OwnCounts(validate_args=False), scipy.stats.poisson(3.5)),
    *((row.distribution(), row.scipy()) for row in ROWS.values() if row.discrete),
]


def named(case: Any) -> str:
    return type(case).__name__ if isinstance(case, dist.Distribution) else ""


@pytest.mark.parametrize(("ours", "scipys"), CONTINUOUS, ids=named)
def test_cumulative_probabilities_are_scipys(ours, scipys):
    at = torch.from_numpy(scipys.ppf(P.numpy()))
    assert cumulative(ours, at).numpy() == pytest.approx(P.numpy(), rel=1e-7, abs=1e-9)


@pytest.mark.parametrize(("ours", "scipys"), CONTINUOUS, ids=named)
def test_quantiles_are_scipys(ours, scipys):
    near = torch.from_numpy(scipys.ppf([0.1, 0.9]))
    assert quantile(ours, P, near).numpy() == pytest.approx(scipys.ppf(P.numpy()), rel=5e-6, abs=1e-9)


def test_many_quantiles_are_interpolated_closer_than_the_eye_sees():
    probability = torch.linspace(1e-6, 1 - 1e-6, 3000, dtype=torch.float64)
    computed = quantile(
        dist.Gamma(number(2.5), number(0.5)), probability, torch.tensor([1.0, 9.0], dtype=torch.float64)
    )
    assert computed.numpy() == pytest.approx(scipy.stats.gamma(2.5, scale=2).ppf(probability.numpy()), rel=5e-4)


@pytest.mark.parametrize(("ours", "scipys"), DISCRETE, ids=named)
def test_cumulative_probabilities_of_integers_are_scipys(ours, scipys):
    integers = torch.arange(-2, 13, dtype=torch.float64)
    assert cumulative(ours, integers).numpy() == pytest.approx(scipys.cdf(integers.numpy()), rel=1e-12, abs=1e-15)


@pytest.mark.parametrize(("ours", "scipys"), DISCRETE, ids=named)
def test_mid_distribution_counts_half_of_the_value_itself(ours, scipys):
    integers = torch.arange(0, 13, dtype=torch.float64)
    expected = scipys.cdf(integers.numpy()) - scipys.pmf(integers.numpy()) / 2
    assert mid_cumulative(ours, integers).numpy() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("ours", "scipys"), DISCRETE, ids=named)
def test_mid_quantiles_invert_the_mid_distribution_and_are_straight_between(ours, scipys):
    support = np.arange(0, 200)
    support = support[scipys.pmf(support) > 1e-12]
    middle = scipys.cdf(support) - scipys.pmf(support) / 2
    expected = np.interp(P.numpy(), middle, support)
    near = torch.tensor([0.0, 1.0], dtype=torch.float64)
    assert mid_quantile(ours, P, near).numpy() == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_mixture_of_what_has_no_cdf_is_that_of_its_components():
    pair = torch.tensor([-1.0, 3.0], dtype=torch.float64)
    mixture = dist.MixtureSameFamily(
        dist.Categorical(number(0.5).expand(2)), dist.StudentT(number(4.0).expand(2), pair, number(1.0))
    )
    expected = (scipy.stats.t(4, -1).cdf([-2.0, 1.0, 5.0]) + scipy.stats.t(4, 3).cdf([-2.0, 1.0, 5.0])) / 2
    computed = cumulative(mixture, torch.tensor([-2.0, 1.0, 5.0], dtype=torch.float64))
    assert computed.numpy() == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize(("rows", "expected"), [
    (dist.Poisson(torch.tensor([1.0, 20.0, 3.0], dtype=torch.float64)),
        scipy.stats.poisson([1.0, 20.0, 3.0]).cdf([2, 2, 2])),
    (dist.Exponential(torch.tensor([1.0, 0.1, 3.0], dtype=torch.float64)), 1 - np.exp([-2.0, -0.2, -6.0])),
    (dist.Binomial(torch.tensor([2.0, 9.0, 3.0]).double(), number(0.3)),
        scipy.stats.binom([2, 9, 3], 0.3).cdf([2, 2, 2])),
], ids=named)  # fmt: skip
def test_each_row_has_its_own_distribution(rows, expected):
    assert cumulative(rows, torch.full((3,), 2.0, dtype=torch.float64)).numpy() == pytest.approx(expected, rel=1e-12)


def test_outside_the_support_is_zero_or_one():
    computed = cumulative(
        dist.Uniform(number(1.0), number(2.0), validate_args=True), torch.tensor([0.0, 1.0, 2.0, 9.0])
    )
    assert computed.tolist() == [0.0, 0.0, 1.0, 1.0]


def test_large_counts_need_no_sum_over_integers():
    many = dist.Poisson(number(1e9))
    assert mid_quantile(many, number(0.5).reshape(1), number(1e9).reshape(1)).item() == pytest.approx(1e9, abs=1.0)


def test_circle_is_cut_opposite_the_location():
    computed = unrolled(dist.VonMises(number(3.0), number(1.0)), torch.tensor([-3.0, 3.0, 0.0], dtype=torch.float64))
    assert computed.tolist() == pytest.approx([2 * math.pi - 3.0, 3.0, 0.0])
    assert unrolled(dist.Normal(0.0, 1.0), P) is P


def test_far_out_nothing_underflows():
    normal = ROWS["normal"].distribution()
    far = normal.loc + 50 * normal.scale
    assert log_survival(normal, far).item() == pytest.approx(ROWS["normal"].scipy().logsf(far.item()), rel=1e-12)
    assert log_interval(normal, far, far + 1).isfinite()


def test_interval_from_the_edge_of_the_support_has_finite_slopes():
    scale, concentration = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (1.5, 0.7))
    zero, upper = torch.zeros(1, dtype=torch.float64), torch.ones(1, dtype=torch.float64)
    interval = log_interval(dist.Weibull(scale, concentration), zero, upper)
    expected = log_cdf(dist.Weibull(scale, concentration), upper)
    torch.testing.assert_close(interval, expected)
    slopes = [torch.autograd.grad(value.sum(), (scale, concentration)) for value in (interval, expected)]
    torch.testing.assert_close(*slopes)


def test_mixture_of_rows_has_finite_slopes():
    loc = torch.zeros((), dtype=torch.float64, requires_grad=True)
    lower, upper = (torch.tensor(v, dtype=torch.float64) for v in ([-30.0, 0.0, 30.0], [-29.0, 1.0, 31.0]))
    (slope,) = torch.autograd.grad(log_interval(dist.Normal(loc, 1.0), lower, upper).sum(), loc)
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
    with pytest.raises(InputError, match=f"{row.kind.__name__} cannot take censored .*: its class has no cdf"):
        log_survival(row.distribution(), row.sample(3))
