"""Starts and statistics of a sample, against the arguments that made it, NumPy's and SciPy's fits."""

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor, distributions
from torch.distributions import Normal

from paramfit import InputError
from paramfit.distributions import argument_bounds, moment_start
from paramfit.distributions.family import Sample
from tests.distributions.families import ROWS


def column(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize(("name", "scipys"), [
    ("gamma", lambda y: (lambda a, _, scale: [a, 1 / scale])(*stats.gamma.fit(y, floc=0))),
    ("weibull", lambda y: (lambda k, _, scale: [scale, k])(*stats.weibull_min.fit(y, floc=0))),
    ("gumbel", lambda y: list(stats.gumbel_r.fit(y))),
    ("inverse-gamma", lambda y: (lambda a, _, scale: [a, scale])(*stats.invgamma.fit(y, floc=0))),
    ("log-logistic", lambda y: (lambda c, _, scale: [scale, c])(*stats.fisk.fit(y, floc=0))),
    ("generalized pareto", lambda y: (lambda c, _, scale: [scale, c])(*stats.genpareto.fit(y, floc=0.5))),
    ("beta", lambda y: list(stats.beta.fit(y, floc=0, fscale=1)[:2])),
])  # fmt: skip
def test_start_is_near_scipys_fit(name, scipys):
    row = ROWS[name]
    sample = row.sample(500)
    assert callable(scipys)
    given = {argument: row.arguments[argument] for argument in row.fixed}
    starts = moment_start(row.kind, row.names, sample, given)
    np.testing.assert_allclose(list(starts.values()), scipys(sample.numpy()), rtol=0.1)


@pytest.mark.parametrize(("kind", "sample", "expected"), [
    (distributions.Normal, column(1, 2, 6), {"loc": 3.0, "scale": (14 / 3) ** 0.5}),
    (distributions.Exponential, column(1, 2, 6), {"rate": 1 / 3}),
    (distributions.Poisson, column(1, 2, 6), {"rate": 3.0}),
    (distributions.Bernoulli, column(1, 0, 0, 0), {"probs": 0.25}),
    (distributions.Bernoulli, column(1, 0, 0, 0), {"logits": -np.log(3)}),
    (distributions.Geometric, column(1, 0, 2), {"probs": 0.5}),
    (distributions.Laplace, column(1, 2, 6), {"loc": 2.0, "scale": 5 / 3}),
    (distributions.HalfNormal, column(3, 4), {"scale": 12.5**0.5}),
])  # fmt: skip
def test_start_is_the_maximum_where_that_is_a_moment(kind, sample, expected):
    assert moment_start(kind, list(expected), sample) == pytest.approx(expected)


@pytest.mark.parametrize(("kind", "name", "given", "expected"), [
    (distributions.Normal, "scale", {"loc": 0.0}, (41 / 3) ** 0.5),
    (distributions.Gamma, "rate", {"concentration": 6.0}, 2.0),
    (distributions.Gamma, "concentration", {"rate": 2.0}, 6.0),
    (distributions.NegativeBinomial, "probs", {"total_count": 3.0}, 0.5),
    (distributions.Binomial, "probs", {"total_count": 12.0}, 0.25),
])  # fmt: skip
def test_given_argument_is_used(kind, name, given, expected):
    assert moment_start(kind, [name], column(1, 2, 6), given)[name] == pytest.approx(expected)


@pytest.mark.parametrize(("kind", "names", "sample"), [
    (distributions.Poisson, ["rate"], column(0, 0)),
    (distributions.Bernoulli, ["probs"], column(0, 0)),
    (distributions.Bernoulli, ["probs"], column(1, 1)),
    (distributions.Bernoulli, ["logits"], column(1, 1)),
    (distributions.Geometric, ["probs"], column(0, 0)),
    (distributions.NegativeBinomial, ["total_count", "probs"], column(2, 2, 3)),
    (distributions.Cauchy, ["loc", "scale"], column(1, 1, 1, 1, 1, 9)),
    (distributions.StudentT, ["df", "loc", "scale"], column(-1, 1)),
    (distributions.HalfCauchy, ["scale"], column(0, 0, 3)),
    (distributions.Gamma, ["concentration", "rate"], column(1, 1 + 1e-12)),
    (distributions.Normal, ["loc"], column(2, 2)),
    (distributions.VonMises, ["loc", "concentration"], column(1, 1 + 1e-9)),
    (distributions.Gumbel, ["loc", "scale"], column(1, 1 + 1e-12)),
    (distributions.ContinuousBernoulli, ["probs"], column(0, 0)),
])  # fmt: skip
def test_start_is_inside_its_bounds(kind, names, sample):
    for name, start in moment_start(kind, names, sample).items():
        lower, upper = argument_bounds(kind, name)
        assert np.isfinite(start)
        assert lower is None or start > lower
        assert upper is None or start < upper


@pytest.mark.parametrize(
    "name",
    ["normal", "log-normal", "laplace", "cauchy", "student-t", "gumbel", "gamma", "inverse-gamma", "beta", "weibull"],
)
def test_sample_without_spread_has_no_maximum(name):
    row = ROWS[name]
    with pytest.raises(InputError, match="all 4 observations are equal: with a spread of 0 the likelihood"):
        moment_start(row.kind, row.names, column(0.3, 0.3, 0.3, 0.3))


@pytest.mark.parametrize("name", ["exponential", "half-normal", "half-cauchy", "negative binomial by probs"])
def test_sample_of_zeros_has_no_maximum(name):
    row = ROWS[name]
    with pytest.raises(InputError, match="all 2 observations are 0"):
        moment_start(row.kind, row.names, column(0, 0))


def test_no_rule_asks_for_a_start():
    with pytest.raises(InputError, match=r"parameters.df1.start: .*FisherSnedecor's df1; give a start"):
        moment_start(distributions.FisherSnedecor, ["df1"], column(1, 2))
    with pytest.raises(InputError, match=r"Pareto's alpha; give a start"):
        moment_start(distributions.Pareto, ["alpha"], column(1, 2))


def test_small_units_are_kept():
    assert moment_start(distributions.HalfNormal, ["scale"], column(1e-20, 1e-20))["scale"] == pytest.approx(1e-20)


def test_given_scale_allows_a_sample_without_spread():
    start = moment_start(distributions.Gumbel, ["loc"], column(1, 1), {"scale": 2.0})
    assert start["loc"] == pytest.approx(1 - 2 * np.euler_gamma)


VALUES = np.random.default_rng(0).normal(size=101)
SAMPLE = Sample(Normal, torch.from_numpy(VALUES))


def test_statistics_are_numpys():
    assert SAMPLE.mean() == pytest.approx(VALUES.mean())
    assert SAMPLE.variance() == pytest.approx(VALUES.var())
    for share in (0.0, 0.25, 0.5, 1.0):
        assert SAMPLE.quantile(share) == np.quantile(VALUES, share, method="inverted_cdf")
    assert SAMPLE.half_range() == (SAMPLE.quantile(0.75) - SAMPLE.quantile(0.25)) / 2


def test_quartiles_that_are_equal_leave_the_standard_deviation():
    assert Sample(Normal, torch.tensor([1.0, 1.0, 1.0, 1.0, 6.0])).half_range() == 2.0


def test_sample_without_spread_is_refused():
    same = SAMPLE.of(torch.ones(3))
    for statistic in (same.variance, same.half_range, same.must_vary):
        with pytest.raises(InputError, match=r"all 3 observations are equal: .* likelihood of Normal has no maximum"):
            statistic()


def test_sample_of_zeros_is_refused():
    with pytest.raises(InputError, match="all 2 observations are 0"):
        SAMPLE.of(torch.zeros(2)).must_not_be_zero()
    SAMPLE.of(torch.tensor([0.0, 1.0])).must_not_be_zero()
