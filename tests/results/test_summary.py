"""From a fitted model to estimates in both units."""

import numpy as np
import pytest
import scipy.stats
import torch
from torch import nn
from torch.distributions import Poisson
from torch.optim import SGD

from paramfit import Fact, FactKind, LinearModel, NegativeLogLikelihood, Observations, PolynomialModel, SquaredError
from paramfit.inference.loss_function import LossFunction
from paramfit.results.summary import summarise
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
