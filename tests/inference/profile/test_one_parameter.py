"""Profile intervals, beside closed forms, iminuit's MINOS, SciPy and published ones."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.optimize
import scipy.special
import scipy.stats
import torch
from iminuit import Minuit

import paramfit
from paramfit import FormulaModel, GaussianModel, InputError, Observations, PolynomialModel, SquaredError
from paramfit.inference.least_squares_errors import uncertainty
from paramfit.inference.loss_function import LossFunction
from paramfit.inference.profile.one_parameter import Profile, profile
from paramfit.shown.words import sentence
from tests.inference.likelihoods import GammaSample, PoissonSample, likelihood, optimum

RANDOM = np.random.default_rng(3)
X = np.linspace(0, 4, 20)
SIGMA = np.full(20, 0.2)
Y = 3 * np.exp(-0.7 * X) + 0.3 + RANDOM.normal(scale=SIGMA)


def least_squares(
    model: paramfit.ParametricModel, x: Any, y: Any, sigma: Any = None, *, absolute: bool = True
) -> tuple[LossFunction, Callable[..., Profile]]:
    """The fitted loss, and its profile of a parameter's number."""
    result = paramfit.fit(model, (x, y), sigma=sigma, sigma_is="absolute" if absolute else "relative")
    columns = [None if column is None else torch.as_tensor(column, dtype=torch.float64) for column in (x, y, sigma)]
    assert columns[0] is not None
    assert columns[1] is not None
    loss = LossFunction(result.curve.model, SquaredError(), Observations((columns[0],), columns[1], columns[2]))
    return loss, _profiles(loss, loss.theta, absolute_sigma=absolute)


def of_likelihood(loss: LossFunction) -> Callable[..., Profile]:
    return _profiles(loss, optimum(loss))


def _profiles(loss: LossFunction, theta: torch.Tensor, **words: bool) -> Callable[..., Profile]:
    covariance = uncertainty(loss, theta, **words).covariance
    assert covariance is not None
    theirs = covariance
    return lambda k, **options: profile(loss, theta, theirs, k, **words, **options)


def decay(**bounds: float) -> FormulaModel:
    return FormulaModel("a * exp(-b * x) + c", ["x"], {"a": None, "b": {"start": 1, **bounds}, "c": 0})


def minos(minuit: Minuit, name: str) -> list[float]:
    """The 95 % interval by MINOS, as exact as it can be."""
    minuit.strategy = 2
    minuit.tol = 1e-6
    minuit.migrad()
    minuit.minos(name, cl=0.95)
    actual = minuit.merrors[name]
    return [minuit.values[name] + actual.lower, minuit.values[name] + actual.upper]


@pytest.mark.parametrize("level", [0.68, 0.95])
def test_location_with_known_scale_has_the_parabola(level):
    sample = RANDOM.normal(2, 3, size=30)
    interval = of_likelihood(likelihood(GaussianModel(scale=3.0), sample))(0, level=level)
    error = 3 / math.sqrt(30)
    expected = (np.array(interval.values) - sample.mean()) / error
    np.testing.assert_allclose(interval.tau, expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(interval.deviance, expected**2, rtol=1e-9, atol=1e-12)
    half = scipy.stats.norm.ppf((1 + level) / 2) * error
    assert (interval.lower, interval.upper) == (
        pytest.approx(sample.mean() - half, rel=1e-9),
        pytest.approx(sample.mean() + half, rel=1e-9),
    )
    assert interval.notes == ()


@pytest.mark.parametrize("bounds", [{}, {"lower": 0}, {"upper": 100}, {"lower": 0, "upper": 100}], ids=str)
@pytest.mark.parametrize("counts", [[1], [0, 2, 1], [9, 11, 12, 7]], ids=str)
def test_poisson_mean_is_the_root_of_its_deviance(counts, bounds):
    n, mean = len(counts), float(np.mean(counts))
    interval = of_likelihood(likelihood(PoissonSample({"start": mean, **bounds}), counts))(0)

    def excess(rate: float) -> float:
        return 2 * n * (rate - mean - mean * math.log(rate / mean)) - float(scipy.stats.chi2(1).ppf(0.95))

    assert interval.lower == pytest.approx(scipy.optimize.brentq(excess, 1e-9, mean, rtol=1e-13), rel=1e-8)
    assert interval.upper == pytest.approx(scipy.optimize.brentq(excess, mean, 99, rtol=1e-13), rel=1e-8)
    assert list(interval.values) == sorted(interval.values)
    assert np.sign(interval.tau).tolist() == np.sign(np.array(interval.values) - interval.estimate).tolist()
    assert {interval.lower, interval.upper, interval.estimate} <= set(interval.values)


@pytest.mark.parametrize("bounds", [{}, {"lower": 0}, {"lower": 0, "upper": 5}, {"upper": 5}], ids=str)
def test_decay_with_known_sigma_is_minos(bounds):
    loss, profiled = least_squares(decay(**bounds), X, Y, SIGMA)
    minuit = Minuit(lambda a, b, c: float(np.sum(((a * np.exp(-b * X) + c - Y) / SIGMA) ** 2)), a=3, b=0.7, c=0.3)
    minuit.errordef = Minuit.LEAST_SQUARES
    for k, name in enumerate(loss.names):
        interval = profiled(k)
        # MINOS stops within a part of its tolerance, here some 1e-4 of an error.
        assert [interval.lower, interval.upper] == pytest.approx(minos(minuit, name), rel=1e-4)


def test_gamma_is_minos():
    sample = np.random.default_rng(3).gamma(1.5, 1 / 0.7, size=15)
    shape, _, scale = scipy.stats.gamma.fit(sample, floc=0)
    profiled = of_likelihood(likelihood(GammaSample(shape, 1 / scale), sample))
    minuit = Minuit(
        lambda concentration, rate: -float(scipy.stats.gamma.logpdf(sample, concentration, scale=1 / rate).sum()),
        concentration=shape,
        rate=1 / scale,
    )
    minuit.errordef = Minuit.LIKELIHOOD
    minuit.limits = [(1e-3, None), (1e-3, None)]
    for k, name in enumerate(("concentration", "rate")):
        interval = profiled(k)
        assert [interval.lower, interval.upper] == pytest.approx(minos(minuit, name), rel=1e-4)


def test_gammas_concentration_is_the_root_of_its_profile():
    # With the rate at its best, c / mean, the log-likelihood is n (c log(c / mean) - log Gamma(c) + (c - 1) L - c).
    sample = np.random.default_rng(4).gamma(2.5, size=12)
    mean, logs = sample.mean(), np.log(sample).mean()

    def log_likelihood(c: float) -> float:
        return 12 * float(c * np.log(c / mean) - scipy.special.gammaln(c) + (c - 1) * logs - c)

    best = scipy.optimize.brentq(lambda c: np.log(c / mean) - scipy.special.digamma(c) + logs, 0.1, 50, rtol=1e-14)
    interval = of_likelihood(likelihood(GammaSample(best, best / mean), sample))(0)

    def excess(c: float) -> float:
        return 2 * (log_likelihood(best) - log_likelihood(c)) - float(scipy.stats.chi2(1).ppf(0.95))

    assert interval.lower == pytest.approx(scipy.optimize.brentq(excess, 0.05, best, rtol=1e-13), rel=1e-8)
    assert interval.upper == pytest.approx(scipy.optimize.brentq(excess, best, 50, rtol=1e-13), rel=1e-8)
    np.testing.assert_allclose(np.array(interval.others["rate"]) * mean, interval.values, rtol=1e-8)


@pytest.mark.parametrize("absolute", [None, False], ids=["no sigma", "relative"])
def test_linear_least_squares_has_students_interval(absolute):
    sigma = None if absolute is None else 0.1 + X
    weights = np.ones_like(X) if sigma is None else 1 / sigma
    loss, profiled = least_squares(PolynomialModel(2), X, Y, sigma, absolute=absolute is None)
    coefficients, covariance = np.polyfit(X, Y, 2, w=weights, cov=True)
    for k in range(loss.p):
        interval = profiled(k)
        half = scipy.stats.t(17).ppf(0.975) * math.sqrt(covariance[2 - k, 2 - k])
        expected = [coefficients[2 - k] - half, coefficients[2 - k] + half]
        assert [interval.lower, interval.upper] == pytest.approx(expected, rel=1e-7)


def test_puromycin_has_the_published_intervals():
    # Treated enzyme of Bates and Watts (1988), appendix A1.3; the intervals are those that R's confint prints for
    # nls(rate ~ Vm * conc / (K + conc)), by splines through its profile.
    conc = [0.02, 0.02, 0.06, 0.06, 0.11, 0.11, 0.22, 0.22, 0.56, 0.56, 1.10, 1.10]
    rate = [76.0, 47, 97, 107, 123, 139, 159, 152, 191, 201, 207, 200]
    model = FormulaModel("Vm * x / (K + x)", ["x"], {"Vm": 200, "K": 0.05})
    _, profiled = least_squares(model, conc, rate)
    largest, half = profiled(0), profiled(1)
    assert (largest.lower, largest.upper) == (pytest.approx(197.302, rel=1e-5), pytest.approx(229.290, rel=1e-5))
    assert (half.lower, half.upper) == (pytest.approx(0.046925, rel=1e-4), pytest.approx(0.086160, rel=1e-4))


def test_unbounded_flat_likelihood_has_no_end():
    # Nearly a straight line: an ever larger height with an ever smaller rate explains it almost as well.
    x = np.arange(1.0, 7.0)
    y = np.array([0.12, 0.18, 0.33, 0.36, 0.51, 0.53])
    sigma = np.full(6, 0.05)
    model = FormulaModel(
        "a * (1 - exp(-b * x))", ["x"], {"a": {"start": 1, "lower": 0}, "b": {"start": 0.1, "lower": 0}}
    )
    loss, profiled = least_squares(model, x, y, sigma)
    interval = profiled(loss.names.index("a"))
    straight = np.square((y - x * (x @ y) / (x @ x)) / sigma).sum()
    excess = straight - loss(loss.theta).item() * 6
    assert excess < 3.84
    assert interval.upper == math.inf
    assert 0 < interval.lower < interval.estimate
    assert sentence(interval.notes[0]).startswith("a: its interval has no upper end: the likelihood is flat")
    assert f"deviance is {excess:.3g}, below 3.84" in sentence(interval.notes[0])


@pytest.mark.parametrize("side", ["lower", "upper"])
def test_bound_within_the_interval_is_its_end(side):
    sign = 1 if side == "lower" else -1
    sample = sign * np.array([0.2, 0.5, 0.8])
    model = GaussianModel(location={"start": 0.5 * sign, side: 0}, scale=1.0)
    interval = of_likelihood(likelihood(model, sample))(0)
    ends = (interval.lower, interval.upper)[::sign]
    assert ends == (0, pytest.approx(sign * (0.5 + scipy.stats.norm.ppf(0.975) / math.sqrt(3)), rel=1e-8))
    (note,) = interval.notes
    assert (
        sentence(note)
        == f"location: the {side} end of its interval is its bound 0, where the deviance is 0.75, below 3.84"
    )


def test_better_optimum_is_told():
    loss = likelihood(PoissonSample(3.0), [5.0])
    interval = profile(loss, loss.theta, torch.tensor([[1.0]], dtype=torch.float64), 0)  # 3 is not the optimum
    assert interval.upper is None
    assert "the likelihood is larger at" in sentence(interval.notes[0])


@pytest.mark.parametrize("k", [0, 1])
def test_units_leave_the_profile(k):
    _, plain = least_squares(FormulaModel("a * exp(-b * x)", ["x"], {"a": 3, "b": 0.5}), X, Y)
    _, tiny = least_squares(FormulaModel("a * exp(-b * x)", ["x"], {"a": 3e-9, "b": 0.5e9}), X * 1e-9, Y * 1e-9)
    unit = (1e-9, 1e9)[k]
    one, other = plain(k), tiny(k)
    assert [other.lower, other.upper] == pytest.approx([one.lower * unit, one.upper * unit], rel=1e-7)


@pytest.mark.parametrize(("options", "words"), [
    ({"level": 1.0}, "level: a probability"),
    ({"level": 1 - 1e-16}, "too near to 1"),
    ({"points": 1}, "points: expected at least 2"),
], ids=["level", "near 1", "points"])  # fmt: skip
def test_wrong_options_are_refused(options, words):
    _, profiled = least_squares(decay(), X, Y)
    with pytest.raises(InputError, match=words):
        profiled(1, **options)
