"""Samples in one column: estimates and errors of each family against scipy.stats.

The start is scipy's own fit where it has one. Some of its fits stop at four digits, so they are carried to the maximum
of scipy's own density; errors are those of its curvature there.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest
from scipy import stats

from paramfit import DistributionModel, fit
from tests.reference.likelihood.truth import Array, estimates_of, maximum

ROWS = 300
VALUE, ERROR = 1e-6, 1e-4  # relative, as demanded


class Family(NamedTuple):
    """A distribution, in torch's words and in scipy's."""

    name: str  # of torch's class
    parameters: dict[str, Any]  # what DistributionModel is given
    sample: Any  # scipy's distribution that the sample is drawn from
    log_density: Callable[..., Array]  # of the sample and the free parameters, by scipy
    begin: Callable[[Array], Sequence[float]]  # where the search for scipy's maximum starts


def fixed(value: float) -> dict[str, Any]:
    return {"start": value, "fixed": True}


def gammas(y: Array) -> Sequence[float]:
    shape, _, scale = stats.gamma.fit(y, floc=0)
    return shape, 1 / scale


def weibulls(y: Array) -> Sequence[float]:
    shape, _, scale = stats.weibull_min.fit(y, floc=0)
    return scale, shape


def log_normals(y: Array) -> Sequence[float]:
    shape, _, scale = stats.lognorm.fit(y, floc=0)
    return np.log(scale), shape


def inverse_gammas(y: Array) -> Sequence[float]:
    shape, _, scale = stats.invgamma.fit(y, floc=0)
    return shape, scale


def von_mises(y: Array) -> Sequence[float]:
    concentration, loc, _ = stats.vonmises.fit(y, fscale=1)
    return loc, concentration


FAMILIES = {
    "normal": Family("Normal", {"loc": None, "scale": None}, stats.norm(3, 2), stats.norm.logpdf,
        lambda y: stats.norm.fit(y)),
    "exponential": Family("Exponential", {"rate": None}, stats.expon(scale=4),
        lambda y, rate: stats.expon.logpdf(y, scale=1 / rate), lambda y: [1 / stats.expon.fit(y, floc=0)[1]]),
    "gamma": Family("Gamma", {"concentration": None, "rate": None}, stats.gamma(2.5, scale=0.2),
        lambda y, shape, rate: stats.gamma.logpdf(y, shape, scale=1 / rate), gammas),
    "Weibull": Family("Weibull", {"scale": None, "concentration": None}, stats.weibull_min(1.7, scale=30),
        lambda y, scale, shape: stats.weibull_min.logpdf(y, shape, scale=scale), weibulls),
    "log-normal": Family("LogNormal", {"loc": None, "scale": None}, stats.lognorm(0.6, scale=np.exp(1.5)),
        lambda y, loc, scale: stats.lognorm.logpdf(y, scale, scale=np.exp(loc)), log_normals),
    "beta": Family("Beta", {"concentration1": None, "concentration0": None}, stats.beta(2, 5), stats.beta.logpdf,
        lambda y: stats.beta.fit(y, floc=0, fscale=1)[:2]),
    "Poisson": Family("Poisson", {"rate": None}, stats.poisson(3.2), stats.poisson.logpmf, lambda y: [3.2]),
    # torch counts the failures before the first success, scipy the trials; likewise their negative binomials agree on
    # failures, but torch's probs is that of what is counted.
    "geometric": Family("Geometric", {"probs": None}, stats.geom(0.3, loc=-1), lambda y, p: stats.geom.logpmf(y, p, -1),
        lambda y: [0.3]),
    "geometric by logits": Family("Geometric", {"logits": None}, stats.geom(0.3, loc=-1),
        lambda y, logit: stats.geom.logpmf(y, 1 / (1 + np.exp(-logit)), -1), lambda y: [-0.8]),
    "negative binomial": Family("NegativeBinomial", {"total_count": fixed(5), "probs": None}, stats.nbinom(5, 0.4),
        lambda y, p: stats.nbinom.logpmf(y, 5, 1 - p), lambda y: [0.6]),
    "negative binomial of unknown count": Family("NegativeBinomial", {"total_count": None, "probs": None},
        stats.nbinom(5, 0.4), lambda y, count, p: stats.nbinom.logpmf(y, count, 1 - p), lambda y: [5, 0.6]),
    "binomial": Family("Binomial", {"total_count": 12, "probs": None}, stats.binom(12, 0.3),
        lambda y, p: stats.binom.logpmf(y, 12, p), lambda y: [0.3]),
    # The density has a kink at loc, where curvature says nothing of it: known here, and estimated in test_kink.py.
    "Laplace about a known median": Family("Laplace", {"loc": fixed(1.0), "scale": None}, stats.laplace(1, 2),
        lambda y, scale: stats.laplace.logpdf(y, 1, scale), lambda y: [stats.laplace.fit(y, floc=1)[1]]),
    "Student's t": Family("StudentT", {"df": fixed(4), "loc": None, "scale": None}, stats.t(4, 3, 2),
        lambda y, loc, scale: stats.t.logpdf(y, 4, loc, scale), lambda y: stats.t.fit(y, fdf=4)[1:]),
    "Student's t of unknown df": Family("StudentT", {"df": 5.0, "loc": 0.0, "scale": 1.0}, stats.t(3, 3, 2),
        stats.t.logpdf, lambda y: stats.t.fit(y)),
    "Gumbel": Family("Gumbel", {"loc": None, "scale": None}, stats.gumbel_r(3, 2), stats.gumbel_r.logpdf,
        lambda y: stats.gumbel_r.fit(y)),
    "inverse gamma": Family("InverseGamma", {"concentration": None, "rate": None}, stats.invgamma(3, scale=2),
        lambda y, shape, scale: stats.invgamma.logpdf(y, shape, scale=scale), inverse_gammas),
    "half-normal": Family("HalfNormal", {"scale": None}, stats.halfnorm(scale=2),
        lambda y, scale: stats.halfnorm.logpdf(y, scale=scale), lambda y: [stats.halfnorm.fit(y, floc=0)[1]]),
    "half-Cauchy": Family("HalfCauchy", {"scale": None}, stats.halfcauchy(scale=2),
        lambda y, scale: stats.halfcauchy.logpdf(y, scale=scale), lambda y: [stats.halfcauchy.fit(y, floc=0)[1]]),
    "Cauchy": Family("Cauchy", {"loc": None, "scale": None}, stats.cauchy(3, 2), stats.cauchy.logpdf,
        lambda y: stats.cauchy.fit(y)),
    "Pareto from a known scale": Family("Pareto", {"scale": fixed(2.0), "alpha": None}, stats.pareto(3, scale=2),
        lambda y, alpha: stats.pareto.logpdf(y, alpha, scale=2), lambda y: [stats.pareto.fit(y, floc=0, fscale=2)[0]]),
    "chi-square": Family("Chi2", {"df": None}, stats.chi2(5), stats.chi2.logpdf,
        lambda y: [stats.chi2.fit(y, floc=0, fscale=1)[0]]),
    "von Mises": Family("VonMises", {"loc": None, "concentration": None}, stats.vonmises(2, loc=0.5),
        lambda y, loc, concentration: stats.vonmises.logpdf(y, concentration, loc), von_mises),
    "F": Family("FisherSnedecor", {"df1": 5.0, "df2": 10.0}, stats.f(6, 9), stats.f.logpdf,
        lambda y: stats.f.fit(y, floc=0, fscale=1)[:2]),
}  # fmt: skip


@pytest.mark.parametrize("name", FAMILIES)
def test_estimates_errors_and_likelihood_are_scipys(name):
    family = FAMILIES[name]
    sample = np.asarray(family.sample.rvs(ROWS, random_state=np.random.default_rng(1)), dtype=float)
    result = fit(DistributionModel(f"torch.distributions.{family.name}", family.parameters), (sample,))
    truth = maximum(lambda *values: family.log_density(sample, *values).sum(), family.begin(sample))
    values, errors = estimates_of(result)
    assert result.status == "converged"
    assert values == pytest.approx(truth.values, rel=VALUE)
    assert errors == pytest.approx(truth.errors, rel=ERROR)
    # torch's Bessel function, in von Mises' density, is a polynomial with nine digits; the others agree to 1e-13.
    assert result.likelihood["log_likelihood"] == pytest.approx(truth.log_likelihood, rel=1e-8)
