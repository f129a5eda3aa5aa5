"""From a fitted model to estimates in both units."""

import math
from typing import Any

import numpy as np
import pytest
import scipy.optimize
import scipy.stats
import torch
from torch import nn
from torch.distributions import Poisson
from torch.optim import SGD

from paramfit import Fact, FactKind, HuberError, NegativeLogLikelihood, Objective, Observations, SquaredError, fit
from paramfit.fits.solved_model import solve_model
from paramfit.inference.loss_function import LossFunction
from paramfit.models import FormulaModel, LinearModel, PolynomialModel
from paramfit.passes.residual_rows import ResidualRows
from paramfit.results.summary import Summary, summarise
from paramfit.shown.words import sentence
from paramfit.solvers.gauss_newton import GaussNewton
from tests.inference.cases import Wide, thermometer
from tests.inference.likelihoods import GammaSample, LogLinear, PoissonSample, likelihood
from tests.thermometer import BIAS, CELSIUS, READINGS, STANDARD_ERRORS, WEIGHT

PLAIN = SGD([nn.Parameter(torch.tensor(0.0))], lr=1e-2)
TRUTH = {"weight": 5 / 9, "bias": -160 / 9}


def test_scaled_fit_is_told_in_the_datas_own_units():
    summary = summarise(thermometer(0.1, weight=10 * WEIGHT, bias=BIAS), PLAIN, [(0.0, 0.1)], TRUTH)
    for name, value in (("weight", WEIGHT), ("bias", BIAS)):
        estimate = summary.original_units[name]
        assert estimate.estimate == pytest.approx(value, rel=1e-12)
        assert estimate.standard_error == pytest.approx(STANDARD_ERRORS[name], rel=1e-5)
        assert estimate.closed_form == pytest.approx(value, rel=1e-10)
        assert estimate.truth == TRUTH[name]
    assert summary.parameters["weight"].estimate == pytest.approx(10 * WEIGHT, rel=1e-12)
    assert summary.parameters["weight"].standard_error == pytest.approx(10 * STANDARD_ERRORS["weight"], rel=1e-5)
    assert summary.parameters["weight"].truth is None


def test_standardised_fit_has_the_errors_of_the_raw_one():
    # Undoing a shift mixes weight and bias: the bias's error rests on their covariance.
    x = np.array(READINGS)
    shift, scale = float(x.mean()), float(1 / x.std())
    z = torch.from_numpy((x - shift) * scale)
    model = LinearModel(weight=WEIGHT / scale, bias=BIAS + WEIGHT * shift, dtype="float64")
    loss = LossFunction(model, SquaredError(), Observations((z,), torch.tensor(CELSIUS, dtype=torch.float64)))
    actual = summarise(loss, PLAIN, [(shift, scale)], None).original_units
    regression = scipy.stats.linregress(READINGS, CELSIUS)
    assert actual["weight"].standard_error == pytest.approx(regression.stderr, rel=1e-9)
    assert actual["bias"].standard_error == pytest.approx(regression.intercept_stderr, rel=1e-9)
    assert actual["bias"].estimate == pytest.approx(regression.intercept, rel=1e-9)


def test_interval_is_students():
    summary = summarise(thermometer(weight=WEIGHT, bias=BIAS), PLAIN, [(0.0, 1.0)], None)
    regression = scipy.stats.linregress(READINGS, CELSIUS)
    expected = scipy.stats.t(9, loc=regression.slope, scale=regression.stderr).interval(0.95)
    assert summary.parameters["weight"].interval_95 == pytest.approx(expected, rel=1e-9)


def test_gradient_at_the_end_is_told():
    loss = thermometer(weight=2.0, bias=1.0)
    actual = summarise(loss, PLAIN, [(0.0, 1.0)], None).parameters
    residual = 2.0 * np.array(READINGS) + 1.0 - np.array(CELSIUS)
    assert actual["bias"].gradient == pytest.approx(2 * residual.mean(), rel=1e-12)
    assert actual["weight"].gradient == pytest.approx(2 * (residual * np.array(READINGS)).mean(), rel=1e-12)


def test_untrusted_fit_has_no_errors():
    summary = summarise(thermometer(), PLAIN, [(0.0, 1.0)], None, untrusted=Fact(FactKind.DIVERGED))
    assert summary.parameters["weight"].standard_error is None
    reasons = (summary.errors.reasons, summary.distance.reasons, summary.updates_left_reasons)
    assert reasons == ((Fact(FactKind.DIVERGED),),) * 3


@pytest.mark.parametrize(("model", "columns"), [(Wide(1), 1), (Wide(2), 2)], ids=["any module", "two columns"])
def test_normalisation_that_cannot_be_undone_leaves_scaled_units(model, columns):
    inputs = tuple(torch.randn(9, dtype=torch.float64) for _ in range(columns))
    loss = LossFunction(model, SquaredError(), Observations(inputs, torch.randn(9, dtype=torch.float64)))
    assert summarise(loss, PLAIN, [(0.0, 0.1)] * columns, None).original_units is None


def test_polynomial_is_told_in_the_datas_own_units():
    x = torch.tensor(READINGS, dtype=torch.float64)
    shift, scale = x.mean().item(), 0.05
    loss = LossFunction(
        PolynomialModel(2),
        SquaredError(),
        Observations(((x - shift) * scale,), torch.tensor(CELSIUS, dtype=torch.float64)),
    )
    actual = summarise(loss, PLAIN, [(shift, scale)], None).original_units
    expected = np.polyfit(READINGS, CELSIUS, 2)[::-1]
    assert [estimate.closed_form for estimate in actual.values()] == pytest.approx(expected.tolist(), rel=1e-8)


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_likelihood_has_its_criteria_whatever_made_the_updates(reduction):
    sample = np.array([0.3, 1.2, 0.8, 2.5, 0.1, 1.9])
    shape, _, scale = scipy.stats.gamma.fit(sample, floc=0)
    summary = summarise(likelihood(GammaSample(shape, 1 / scale), sample, reduction=reduction), PLAIN, [], None)
    largest = scipy.stats.gamma(shape, scale=scale).logpdf(sample).sum()
    assert summary.likelihood.log_likelihood == pytest.approx(largest, rel=1e-12)
    assert summary.likelihood.n_parameters == 2
    assert summary.likelihood.aic == pytest.approx(4 - 2 * largest, rel=1e-12)


def test_what_is_no_largest_likelihood_has_no_criteria():
    counts = torch.tensor([1.0, 3.0, 2.0], dtype=torch.float64)
    penalised = LossFunction(PoissonSample(2.0), NegativeLogLikelihood(l2=0.1), Observations((), counts))
    assert summarise(penalised, PLAIN, [], None).likelihood is None
    assert summarise(thermometer(weight=WEIGHT, bias=BIAS), PLAIN, [(0.0, 1.0)], None).likelihood is None


def test_descended_likelihood_is_warned_of_as_a_solved_one():
    loss = likelihood(LogLinear(Poisson), [2.0, 2.0, 2.0], [1.0, 3.0, 2.0])  # the input never changes
    caution = summarise(loss, PLAIN, [(0.0, 1.0)], None).cautions[0]
    assert isinstance(caution, Fact)
    assert caution.kind is FactKind.INSEPARABLE


Array = np.ndarray[tuple[int], np.dtype[np.float64]]


def decay(x: Array, a: float, k: float, c: float) -> Array:
    return a * np.exp(-k * x) + c


def slopes(x: Array, a: float, k: float, c: float) -> Any:
    del c
    return np.stack([np.exp(-k * x), -a * x * np.exp(-k * x), np.ones_like(x)], axis=1)


X = np.linspace(0.0, 5.0, 30)
SIGMA = 0.02 + 0.02 * np.arange(30)
Y = decay(X, 3.0, 0.8, 0.5) + SIGMA * np.random.default_rng(6).normal(size=30)


def rows(sigma: Array | None = None) -> Observations:
    known_sigma = None if sigma is None else torch.from_numpy(sigma)
    return Observations((torch.from_numpy(X),), torch.from_numpy(Y), known_sigma)


def formula(**given: Any) -> FormulaModel:
    return FormulaModel("a * exp(-k * x) + c", ["x"], {"a": 2, "k": 1, "c": 0, **given})


def summary(
    model: nn.Module,
    observations: Observations,
    objective: Objective | None = None,
    *,
    absolute_sigma: bool = True,
    normalization: list[tuple[float, float]] | None = None,
) -> Summary:
    """Solve, and sum up."""
    how = objective or SquaredError()
    solve_model(ResidualRows(model, how), observations, GaussNewton())
    loss = LossFunction(model, how, observations)
    return summarise(loss, None, normalization or [(0.0, 1.0)], None, absolute_sigma=absolute_sigma)


def errors(actual: Summary) -> dict[str, float | None]:
    return {name: estimate.standard_error for name, estimate in actual.parameters.items()}


@pytest.mark.parametrize(
    ("sigma", "absolute"), [(None, True), (SIGMA, True), (SIGMA, False)], ids=["no sigma", "absolute", "relative"]
)
def test_covariance_is_that_of_curve_fit(sigma, absolute):
    _, expected = scipy.optimize.curve_fit(
        decay,
        X,
        Y,
        p0=(3, 0.8, 0.5),
        sigma=sigma,
        absolute_sigma=absolute and sigma is not None,
        jac=slopes,
        xtol=1e-15,
        ftol=1e-15,
        gtol=1e-15,
    )
    actual = summary(formula(), rows(sigma), absolute_sigma=absolute)
    np.testing.assert_allclose(actual.covariance.numpy(), expected, rtol=1e-6)
    deviation = np.sqrt(np.diag(expected))
    np.testing.assert_allclose(actual.correlation.numpy(), expected / np.outer(deviation, deviation), rtol=1e-6)


@pytest.mark.parametrize(("sigma", "absolute", "quantile"), [
    (None, True, scipy.stats.t(27).ppf(0.975)),
    (SIGMA, False, scipy.stats.t(27).ppf(0.975)),
    (SIGMA, True, scipy.stats.norm.ppf(0.975)),
], ids=["no sigma", "relative", "absolute"])  # fmt: skip
def test_intervals_are_students_or_normal_and_say_which(sigma, absolute, quantile):
    actual = summary(formula(), rows(sigma), absolute_sigma=absolute)
    for estimate in actual.parameters.values():
        half = (estimate.interval_95[1] - estimate.interval_95[0]) / 2
        assert half == pytest.approx(quantile * estimate.standard_error, rel=1e-9)
    normal = sigma is not None and absolute
    assert ("normal distribution" if normal else "Student's t with 27") in sentence(actual.errors.method)


BOUNDED: dict[str, tuple[dict[str, float], float]] = {
    "lower": ({"start": 1.0, "lower": 0.7}, 0.7),
    "upper": ({"start": 0.2, "upper": 0.3}, 0.3),
    "both": ({"start": 0.2, "lower": 0.0, "upper": 0.3}, 0.3),
}


@pytest.mark.parametrize("weighted", [False, True], ids=["no sigma", "sigma"])
@pytest.mark.parametrize(("spec", "bound"), BOUNDED.values(), ids=BOUNDED)
def test_parameter_at_its_bound_has_no_error_and_the_others_those_of_the_fit_with_it_fixed(spec, bound, weighted):
    observations = rows(SIGMA if weighted else None)
    actual = summary(formula(c=spec), observations)
    fixed = summary(formula(c={"start": bound, "fixed": True}), observations)
    place = actual.parameters["c"]
    assert place.estimate == pytest.approx(bound, rel=1e-4)
    assert place.at_bound == ("lower" if bound == spec.get("lower") else "upper")
    assert (place.standard_error, place.interval_95) == (None, None)
    for name in ("a", "k"):
        assert actual.parameters[name].estimate == pytest.approx(fixed.parameters[name].estimate, rel=1e-4)
        assert errors(actual)[name] == pytest.approx(errors(fixed)[name], rel=1e-3)
    assert actual.statistics.degrees_of_freedom == fixed.statistics.degrees_of_freedom == 28
    assert FactKind.AT_BOUND in [fact.kind for fact in actual.cautions if isinstance(fact, Fact)]


@pytest.mark.parametrize(
    "spec",
    [{"start": 1.0, "lower": 0}, {"start": 1.0, "upper": 30}, {"start": 1.0, "lower": -5, "upper": 5}],
    ids=["lower", "upper", "both"],
)
def test_bound_that_is_far_away_changes_no_error(spec):
    bounded, free = (summary(formula(k=given), rows()) for given in (spec, 1.0))
    assert bounded.parameters["k"].estimate == pytest.approx(free.parameters["k"].estimate, rel=1e-8)
    assert errors(bounded) == pytest.approx(errors(free), rel=1e-6)
    np.testing.assert_allclose(bounded.covariance.numpy(), free.covariance.numpy(), rtol=1e-6)
    assert all(estimate.at_bound is None for estimate in bounded.parameters.values())


def test_only_parameter_at_its_bound_leaves_no_error_at_all():
    model = FormulaModel("a * x", ["x"], {"a": {"start": -1.0, "upper": -0.5}})
    rising = Observations((torch.from_numpy(X),), torch.from_numpy(2 * X + 0.1 * np.cos(9 * X)))
    actual = summary(model, rising)
    assert actual.parameters["a"].at_bound == "upper"
    assert actual.covariance is None
    assert actual.curve is None


def test_normalised_line_has_its_published_numbers_in_the_datas_own_units():
    shift, scale = 51.8, 0.07
    x = (torch.tensor(READINGS, dtype=torch.float64) - shift) * scale
    observations = Observations((x,), torch.tensor(CELSIUS, dtype=torch.float64))
    actual = summary(LinearModel(dtype="float64"), observations, normalization=[(shift, scale)]).original_units
    assert [actual["weight"].estimate, actual["bias"].estimate] == pytest.approx([WEIGHT, BIAS], rel=1e-12)
    ours = [actual["weight"].standard_error, actual["bias"].standard_error]
    assert ours == pytest.approx(list(STANDARD_ERRORS.values()), rel=1e-6)


def test_robust_covariance_of_a_line_is_hubers():
    # H1 of Huber (1973): K^2 [sum psi^2 / (n - p)] / [mean psi']^2 (X^T X)^-1.
    n, scale = 40, 0.3
    x = np.linspace(0, 4, n)
    y = 1.5 * x - 2 + np.random.default_rng(9).standard_t(2, size=n) * 0.3
    actual = summary(
        LinearModel(dtype="float64"), Observations((torch.from_numpy(x),), torch.from_numpy(y)), HuberError(scale)
    )
    weight, bias = (estimate.estimate for estimate in actual.parameters.values())
    residual = y - weight * x - bias
    psi, inside = np.clip(residual, -scale, scale), np.abs(residual) < scale
    assert [psi @ x, psi.sum()] == pytest.approx([0.0, 0.0], abs=1e-8)  # they solve Huber's equations
    correction = 1 + 2 / n * inside.var() / inside.mean() ** 2
    design = np.stack([x, np.ones(n)], axis=1)
    expected = (correction / inside.mean()) ** 2 * (psi @ psi / (n - 2)) * np.linalg.inv(design.T @ design)
    np.testing.assert_allclose(actual.covariance.numpy(), expected, rtol=1e-8)


def test_converged_fit_is_at_no_distance():
    actual = summary(formula(), rows())
    assert actual.distance.total < 1e-6
    assert len(actual.distance.per_parameter) == 3


def test_distance_of_an_unfinished_line_is_what_is_left_in_standard_errors():
    model = LinearModel(0.5, -16.0, dtype="float64")
    x, y = np.array(READINGS), np.array(CELSIUS)
    observations = Observations((torch.from_numpy(x),), torch.from_numpy(y))
    actual = summarise(LossFunction(model, SquaredError(), observations), None, [(0.0, 1.0)], None)
    design = np.stack([x, np.ones(11)], axis=1)
    rest = y - 0.5 * x + 16.0
    covariance = rest @ rest / 9 * np.linalg.inv(design.T @ design)
    step = np.array([WEIGHT - 0.5, BIAS + 16.0])
    assert actual.distance.total == pytest.approx(math.sqrt(step @ np.linalg.inv(covariance) @ step), rel=1e-8)
    assert actual.distance.per_parameter == pytest.approx(np.abs(step) / np.sqrt(np.diag(covariance)), rel=1e-8)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_reduction_changes_no_error(reduction):
    actual = summary(formula(), rows(), SquaredError(reduction))
    assert errors(actual) == pytest.approx(errors(summary(formula(), rows())), rel=1e-9)


def test_as_many_parameters_as_observations_leave_no_errors_but_those_of_sigma():
    three = rows().rows(slice(0, 3))
    actual = summary(FormulaModel("a + b * x + c * x**2", ["x"], dict.fromkeys("abc")), three)
    assert actual.covariance is None
    assert actual.errors.reasons == (Fact(FactKind.TOO_FEW_OBSERVATIONS, numbers={"observations": 3, "parameters": 3}),)
    assert Fact(FactKind.AS_MANY_PARAMETERS) in actual.cautions
    theirs = three._replace(sigma=torch.tensor([0.1, 0.2, 0.3], dtype=torch.float64))
    weighted = summary(FormulaModel("a + b * x + c * x**2", ["x"], dict.fromkeys("abc")), theirs)
    design = np.stack([X[:3] ** k for k in range(3)], axis=1)
    inverse = np.linalg.inv(design)
    expected = np.sqrt(np.diag(inverse @ np.diag([0.01, 0.04, 0.09]) @ inverse.T))
    assert list(errors(weighted).values()) == pytest.approx(list(expected), rel=1e-8)


def test_estimates_that_are_not_finite_have_no_errors():
    model = LinearModel(dtype="float64")
    model.weight.data.fill_(math.nan)
    actual = summarise(LossFunction(model, SquaredError(), rows()), None, [(0.0, 1.0)], None)
    assert actual.covariance is None
    assert actual.errors.reasons == (Fact(FactKind.ESTIMATES_NOT_FINITE),)


def test_untrusted_fit_has_estimates_and_statistics_but_no_errors():
    loss = LossFunction(LinearModel(dtype="float64"), SquaredError(), rows())
    actual = summarise(loss, None, [(0.0, 1.0)], None, Fact(FactKind.DIVERGED))
    assert (actual.covariance, actual.curve) == (None, None)
    assert actual.errors.reasons == (Fact(FactKind.DIVERGED),)
    assert actual.statistics.residual_sum_of_squares == pytest.approx(np.square(Y - X).sum(), rel=1e-12)


def test_bands_of_the_summary_are_those_of_its_covariance():
    result = fit(formula(), (X, Y))
    at = np.array([0.3, 2.2, 9.0])
    estimates = [estimate.estimate for estimate in result.parameters.values()]
    jacobian = slopes(at, *estimates)
    expected = np.sqrt(np.diag(jacobian @ np.array(result.covariance["matrix"]) @ jacobian.T))
    np.testing.assert_allclose(result.predict(at).standard_error.numpy(), expected, rtol=1e-9)
