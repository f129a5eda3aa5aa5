"""Regressions: estimates and errors by the observed information against statsmodels, or scipy's densities."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
import statsmodels.api as sm
from numpy.typing import NDArray
from scipy import stats
from statsmodels.base.model import GenericLikelihoodModel
from statsmodels.miscmodels.tmodel import TLinearModel
from statsmodels.othermod.betareg import BetaModel

from paramfit import DistributionModel, FitResult, fit, ladder
from tests.reference.likelihood.truth import Array, Truth, estimates_of, maximum

ROWS = 250
VALUE, ERROR = 1e-6, 1e-4  # relative, as demanded
EXACT = {"tol": 1e-14, "maxiter": 200}  # of statsmodels' iterations, which stop at 1e-8 of the deviance otherwise


class Regression(NamedTuple):
    """A distribution whose arguments are formulas of x.

    Attributes:
        name: of torch's class.
        parameters: of ``DistributionModel``: formulas among them.
        coefficients: of the formulas.
        draw: the target, from x.
        truth: estimates and errors by statsmodels or scipy, from x and the target, in the order of the free parameters.
    """

    name: str
    parameters: dict[str, Any]
    coefficients: dict[str, Any]
    draw: Callable[[np.random.Generator, Array], NDArray[Any]]
    truth: Callable[[Array, Array], Truth]


def design(x: Array) -> Array:
    return np.column_stack([np.ones_like(x), x])


def observed(model: Any, actual: Any, scale: float = 1.0) -> Truth:
    """Of a generalised linear model, whose own errors are by the expected information."""
    hessian = -model.hessian(actual.params, scale=scale, observed=True)
    return Truth(actual.params, np.sqrt(np.diagonal(np.linalg.inv(hessian))), model.loglike(actual.params, scale=scale))


def poisson_regression(x: Array, y: Array) -> Truth:
    actual = sm.GLM(y, design(x), family=sm.families.Poisson()).fit(**EXACT)
    return Truth(actual.params, actual.bse, actual.llf)


def logistic_regression(x: Array, y: Array) -> Truth:
    actual = sm.Logit(y, design(x)).fit(disp=0, method="newton", tol=1e-12)
    return Truth(actual.params, actual.bse, actual.llf)


def probit_regression(x: Array, y: Array) -> Truth:
    actual = sm.Probit(y, design(x)).fit(disp=0, method="newton", tol=1e-12)
    return Truth(actual.params, actual.bse, actual.llf)


def ordinary_least_squares(x: Array, y: Array) -> Truth:
    """The variance of maximum likelihood is RSS / n, where statsmodels divides by n - p."""
    actual = sm.OLS(y, design(x)).fit()
    n = len(y)
    scale = np.sqrt(actual.ssr / n)
    errors = actual.bse * np.sqrt((n - 2) / n)
    return Truth(np.array([scale, *actual.params]), np.array([scale / np.sqrt(2 * n), *errors]), actual.llf)


class HeteroscedasticNormal(GenericLikelihoodModel):  # type: ignore[misc]  # statsmodels has no types
    """Mean ``a + b x`` and standard deviation ``exp(c + d x)``."""

    def loglikeobs(self, params: Array) -> Array:
        a, b, c, d = params
        x = self.exog[:, 1]
        return stats.norm.logpdf(self.endog, a + b * x, np.exp(c + d * x))


def polished(model: Any, start: list[float]) -> Truth:
    """Of a model that statsmodels maximises by differences of its likelihood, to fewer digits than are compared."""
    rough = model.fit(start_params=start, method="bfgs", disp=0, skip_hessian=True)
    return maximum(lambda *values: model.loglike(np.array(values)), rough.params)


def heteroscedastic_normal(x: Array, y: Array) -> Truth:
    return polished(HeteroscedasticNormal(y, design(x), extra_params_names=["c", "d"]), [0, 0, 0, 0])


def gamma_regression(x: Array, y: Array) -> Truth:
    """The mean by statsmodels' GLM, and the shape where scipy's density is largest given it."""
    model = sm.GLM(y, design(x), family=sm.families.Gamma(sm.families.links.Log()))
    actual = model.fit(**EXACT)
    shape = maximum(lambda k: stats.gamma.logpdf(y, k, scale=actual.mu / k).sum(), [2.0])
    means = observed(model, actual, scale=1 / shape.values[0])
    return Truth(
        np.array([*shape.values, *means.values]), np.array([*shape.errors, *means.errors]), shape.log_likelihood
    )


def exponential_regression(x: Array, y: Array) -> Truth:
    """A gamma regression of shape 1: survival times without censoring, by their hazard, the reciprocal mean."""
    model = sm.GLM(y, design(x), family=sm.families.Gamma(sm.families.links.Log()))
    means = observed(model, model.fit(scale=1.0, **EXACT))
    return means._replace(values=-means.values)


def negative_binomial_regression(x: Array, y: Array) -> Truth:
    actual = sm.NegativeBinomial(y, design(x), loglike_method="nb2").fit(
        disp=0, method="newton", tol=1e-12, start_params=[1, 0, 0.5]
    )
    return Truth(actual.params, actual.bse, actual.llf)


def student_regression(x: Array, y: Array) -> Truth:
    actual = polished(TLinearModel(y, design(x), fix_df=4), [0, 0, 1])
    order = [2, 0, 1]
    return actual._replace(values=actual.values[order], errors=actual.errors[order])


def weibull_regression(x: Array, y: Array) -> Truth:
    """Accelerated failure times, which statsmodels has not."""
    return maximum(
        lambda shape, a, b: stats.weibull_min.logpdf(y, shape, scale=np.exp(a + b * x)).sum(),
        [1.0, float(np.log(y.mean())), 0.0],
    )


def beta_regression(x: Array, y: Array) -> Truth:
    """Mean by the logistic function, and the logarithm of a precision."""
    return polished(BetaModel(y, design(x)), [0, 0, 1])


LINE = {"a": 0.0, "b": 0.0}
PROBIT = "0.5 * (1 + erf((a + b*x) / sqrt(2)))"
REGRESSIONS = {
    "Poisson": Regression("Poisson", {"rate": "exp(a + b*x)"}, LINE, lambda random, x: random.poisson(np.exp(0.5 + x)),
        poisson_regression),
    "logistic": Regression("Bernoulli", {"logits": "a + b*x"}, LINE,
        lambda random, x: random.binomial(1, 1 / (1 + np.exp(0.3 - 2 * x))), logistic_regression),
    "probit": Regression("Bernoulli", {"probs": PROBIT}, LINE,
        lambda random, x: random.binomial(1, stats.norm.cdf(0.4 + x)), probit_regression),
    "ordinary least squares": Regression("Normal", {"loc": "a + b*x", "scale": 1.0}, LINE,
        lambda random, x: random.normal(1 + 2 * x, 0.7), ordinary_least_squares),
    "heteroscedastic normal": Regression("Normal", {"loc": "a + b*x", "scale": "exp(c + d*x)"},
        {**LINE, "c": 0.0, "d": 0.0}, lambda random, x: random.normal(1 + 2 * x, np.exp(-0.5 + x)),
        heteroscedastic_normal),
    "gamma": Regression("Gamma", {"concentration": "shape", "rate": "shape / exp(a + b*x)"},
        {"shape": {"start": 1.0, "lower": 0.0}, **LINE}, lambda random, x: random.gamma(3, np.exp(0.5 + x) / 3),
        gamma_regression),
    "exponential survival": Regression("Exponential", {"rate": "exp(a + b*x)"}, LINE,
        lambda random, x: random.exponential(np.exp(-1 - 0.8 * x)), exponential_regression),
    "Weibull survival": Regression("Weibull", {"scale": "exp(a + b*x)", "concentration": 1.0}, LINE,
        lambda random, x: random.weibull(1.6, len(x)) * np.exp(2 + x), weibull_regression),
    "negative binomial with its dispersion": Regression("NegativeBinomial",
        {"total_count": "1 / alpha", "logits": "a + b*x + log(alpha)"}, {**LINE, "alpha": {"start": 1.0, "lower": 0.0}},
        lambda random, x: random.poisson(np.exp(1 + x) * random.gamma(2.0, 0.5, len(x))), negative_binomial_regression),
    "Student's t for outliers": Regression("StudentT",
        {"df": {"start": 4.0, "fixed": True}, "loc": "a + b*x", "scale": 1.0}, LINE,
        lambda random, x: 1 + 2 * x + 0.5 * random.standard_t(3, len(x)), student_regression),
    "beta": Regression("Beta",
        {"concentration1": "exp(p) * sigmoid(a + b*x)", "concentration0": "exp(p) * (1 - sigmoid(a + b*x))"},
        {**LINE, "p": 1.0}, lambda random, x: random.beta(8 / (1 + np.exp(-x)), 8 / (1 + np.exp(x))), beta_regression),
}  # fmt: skip


def drawn(name: str) -> tuple[Array, Array]:
    random = np.random.default_rng(2)
    x = random.uniform(-1, 1, ROWS)
    return x, np.asarray(REGRESSIONS[name].draw(random, x), dtype=float)


def fitted(name: str) -> FitResult:
    theirs = REGRESSIONS[name]
    model = DistributionModel(f"torch.distributions.{theirs.name}", theirs.parameters, theirs.coefficients)
    return fit(model, drawn(name))


@pytest.mark.parametrize("name", REGRESSIONS)
def test_estimates_errors_and_likelihood_are_statsmodels(name):
    result, truth = fitted(name), REGRESSIONS[name].truth(*drawn(name))
    values, errors = estimates_of(result)
    assert result.status == "converged"
    assert values == pytest.approx(truth.values, rel=VALUE)
    assert errors == pytest.approx(truth.errors, rel=ERROR)
    assert result.likelihood["log_likelihood"] == pytest.approx(truth.log_likelihood, rel=1e-9)


GENERALISED = {
    "Poisson": sm.families.Poisson(),
    "logistic": sm.families.Binomial(),
    "probit": sm.families.Binomial(sm.families.links.Probit()),
    "gamma": sm.families.Gamma(sm.families.links.Log()),
}


@pytest.mark.parametrize("name", GENERALISED)
def test_errors_by_the_expected_information_are_those_of_statsmodels_generalised_linear_model(name):
    """It reports these; in a probit or a gamma regression by the logarithm they are not those of the observed one."""
    result = fitted(name)
    x, y = drawn(name)
    scale = 1 / result.parameters["shape"].estimate if "shape" in result.parameters else 1.0
    errors = sm.GLM(y, design(x), family=GENERALISED[name]).fit(scale=scale, **EXACT).bse
    actual = ladder(result, profile=False).rung("expected information").standard_errors
    assert [actual["a"], actual["b"]] == pytest.approx(errors, rel=ERROR)


@pytest.mark.parametrize("name", ["Poisson", "logistic"])
def test_sandwich_errors_are_statsmodels_of_hc0(name):
    x, y = drawn(name)
    errors = sm.GLM(y, design(x), family=GENERALISED[name]).fit(cov_type="HC0", **EXACT).bse
    actual = ladder(fitted(name), profile=False).rung("sandwich").standard_errors
    assert [actual["a"], actual["b"]] == pytest.approx(errors, rel=ERROR)
