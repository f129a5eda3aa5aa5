"""The bootstrap and the jackknife, beside closed forms, SciPy's bootstrap and single fits."""

import math

import numpy as np
import pytest
import scipy.stats
import torch
from torch import Tensor, nn
from torch.distributions import Gamma

import paramfit
from paramfit import Fact, FactKind, FormulaModel, GaussianModel, InputError, LinearModel, Observations
from paramfit.inference.bootstrap import resamples as module
from paramfit.inference.bootstrap.resamples import Bootstrap, acceleration, bootstrap, influences, left_out
from paramfit.inference.bootstrap.weighted_losses import WeightedLoss, weighted_loss
from paramfit.inference.loss_function import LossFunction
from paramfit.objectives import AbsoluteError, HuberError, NegativeLogLikelihood, Objective, SquaredError

RANDOM = np.random.default_rng(5)
X = np.linspace(0.0, 5.0, 40)
Y = 3 * np.exp(-0.7 * X) + 0.4 + RANDOM.normal(0, 0.05, 40)
SIGMA = np.linspace(0.03, 0.09, 40)
SAMPLE = RANDOM.gamma(2.0, 1.5, 30)
LINE = 1.0 + 2.0 * X + RANDOM.standard_t(3, 40)


class Decay(nn.Module):
    """The same curve as a plain module, which torch.func has to differentiate."""

    def __init__(self, a: float, b: float, c: float) -> None:
        super().__init__()
        self.shape = nn.Parameter(torch.tensor([a, b], dtype=torch.float64))
        self.c = nn.Parameter(torch.tensor(c, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return self.shape[0] * torch.exp(-self.shape[1] * x) + self.c


class GammaSample(nn.Module):
    """A gamma distribution by the logarithms of its parameters, which checks its arguments as torch does."""

    def __init__(self) -> None:
        super().__init__()
        self.concentration = nn.Parameter(torch.tensor(0.7, dtype=torch.float64))
        self.rate = nn.Parameter(torch.tensor(-0.4, dtype=torch.float64))

    def forward(self) -> Gamma:
        return Gamma(self.concentration.exp(), self.rate.exp())


def data(x: np.ndarray | None, y: np.ndarray, sigma: np.ndarray | None = None) -> Observations:
    inputs = () if x is None else (torch.from_numpy(x),)
    return Observations(inputs, torch.from_numpy(y), None if sigma is None else torch.from_numpy(sigma))


def formula(**starts: object) -> FormulaModel:
    return FormulaModel("a * exp(-b * x) + c", ["x"], {"a": 3, "b": 0.7, "c": 0.4, **starts})


def fitted(model: nn.Module, observations: Observations, objective: Objective | None = None) -> LossFunction:
    """The loss of a fitted copy."""
    result = paramfit.fit(model, observations, objective=objective)
    return LossFunction(result.curve.model, objective or SquaredError(), observations)


def resample(loss: LossFunction, number: int = 60, seed: int = 3) -> Bootstrap:
    return bootstrap(loss, loss.theta, number, seed)


def drawn(n: int, resamples: int, seed: int) -> np.ndarray:
    """The rows of each resample, as the seed gives them."""
    return torch.randint(n, (resamples, n), generator=torch.Generator().manual_seed(seed)).numpy()


def sample_loss(objective: Objective | None = None) -> LossFunction:
    model = GaussianModel(location=float(SAMPLE.mean()))
    return LossFunction(model, objective or NegativeLogLikelihood(), data(None, SAMPLE))


def test_standard_error_of_a_mean_is_its_closed_form():
    resampled = bootstrap(sample_loss(), sample_loss().theta, 20_000, 1)
    expected = SAMPLE.std() / math.sqrt(len(SAMPLE))
    assert resampled.standard_errors.item() == pytest.approx(expected, rel=4 / math.sqrt(2 * 20_000) * 1.2)
    assert (resampled.failed, resampled.reasons, len(resampled.estimates)) == (0, (), 20_000)


@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_intervals_of_a_mean_are_scipys(method):
    loss = sample_loss()
    resampled = bootstrap(loss, loss.theta, 20_000, 1)
    theirs = scipy.stats.bootstrap(
        (SAMPLE,), np.mean, method="BCa" if method == "bca" else method, n_resamples=20_000, rng=2
    )
    interval = getattr(resampled, method)(0.95)[0].tolist()
    assert interval == pytest.approx(list(theirs.confidence_interval), abs=0.05 * theirs.standard_error)


@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_intervals_of_a_slope_are_scipys(method):
    def slope(x: np.ndarray, y: np.ndarray, axis: int) -> np.ndarray:
        away = x - x.mean(axis, keepdims=True)
        resampled: np.ndarray = (away * y).sum(axis) / np.square(away).sum(axis)
        return resampled

    loss = fitted(LinearModel(dtype="float64"), data(X, LINE))
    resampled = bootstrap(loss, loss.theta, 20_000, 1)
    theirs = scipy.stats.bootstrap(
        (X, LINE),
        slope,
        paired=True,
        method="BCa" if method == "bca" else method,
        n_resamples=20_000,
        confidence_level=0.9,
        rng=2,
    )
    interval = getattr(resampled, method)(0.9)[0].tolist()
    assert interval == pytest.approx(list(theirs.confidence_interval), abs=0.06 * theirs.standard_error)


@pytest.mark.parametrize(
    ("sigma", "objective"),
    [(None, SquaredError()), (SIGMA, SquaredError("sum")), (None, HuberError(0.05))],
    ids=["plain", "sigma", "robust"],
)
@pytest.mark.parametrize("bounded", [False, True])
def test_each_fit_is_that_of_the_repeated_rows(sigma, objective, bounded):
    model = formula(b={"start": 0.7, "lower": 0.1, "upper": 4}) if bounded else formula()
    loss = fitted(model, data(X, Y, sigma), objective)
    resampled = resample(loss, 5)
    for rows, estimates in zip(drawn(40, 5, 3), resampled.estimates, strict=True):
        again = data(X[rows], Y[rows], None if sigma is None else sigma[rows])
        single = paramfit.fit(model, again, objective=objective)
        expected = [single.parameters[name].estimate for name in "abc"]
        assert ((estimates - torch.tensor(expected)).abs() < 2e-4 * resampled.standard_errors).all()


def test_fits_of_a_likelihood_are_those_of_scipy():
    loss = LossFunction(GammaSample(), NegativeLogLikelihood(), data(None, SAMPLE))
    shape, _, scale = scipy.stats.gamma.fit(SAMPLE, floc=0)
    resampled = bootstrap(loss, torch.tensor([shape, 1 / scale], dtype=torch.float64).log(), 5, 3)
    for rows, estimates in zip(drawn(30, 5, 3), resampled.estimates, strict=True):
        shape, _, scale = scipy.stats.gamma.fit(SAMPLE[rows], floc=0)
        assert estimates.exp().tolist() == pytest.approx([shape, 1 / scale], rel=1e-4)


def test_plain_module_agrees_with_the_formula():
    fast, loss = resample(fitted(formula(), data(X, Y))), fitted(formula(), data(X, Y))
    plain = LossFunction(Decay(*loss.theta.tolist()), SquaredError(), data(X, Y))
    slow = resample(plain)
    assert torch.allclose(fast.estimates, slow.estimates, rtol=1e-9)
    assert torch.allclose(fast.bca(), slow.bca(), rtol=1e-7)


def test_badly_conditioned_columns_lose_no_digits():
    """Powers of numbers near 1000: the normal equations of the raw columns have condition 1e30."""
    model = FormulaModel("a + b * x + c * x**2 + d * x**3", ["x"], {"a": None, "b": None, "c": None, "d": None})
    near, far = (fitted(model, data(X + shift, LINE)) for shift in (0.0, 1000.0))
    leading = resample(near).estimates[:, 3], resample(far).estimates[:, 3]
    assert torch.allclose(*leading, atol=1e-3 * leading[0].std().item())


def test_resamples_that_determine_nothing_are_left_out_and_told():
    x, y = np.array([0.0, 0.0, 1.0]), np.array([0.0, 0.2, 1.0])
    loss = fitted(LinearModel(dtype="float64"), data(x, y))
    resampled = bootstrap(loss, loss.theta, 300, 1)
    rows = drawn(3, 300, 1)
    one_place = ((x[rows] == 0).all(1) | (x[rows] == 1).all(1)).sum()
    assert resampled.failed == one_place > 0
    assert len(resampled.estimates) == 300 - one_place
    assert resampled.reasons == (Fact(FactKind.RESAMPLES_FAILED, numbers={"failed": one_place, "resamples": 300}),)


def test_parameters_that_cannot_be_told_apart_have_no_estimates():
    model = FormulaModel("a * b * x + c", ["x"], {"a": 1.5, "b": 1.3, "c": None})
    loss = fitted(model, data(X, LINE))
    resampled, line = resample(loss), resample(fitted(LinearModel(dtype="float64"), data(X, LINE)))
    assert resampled.estimates[:, :2].isnan().all()
    assert torch.allclose(resampled.estimates[:, 2], line.estimates[:, 1], atol=1e-5)
    assert resampled.bca()[0].isnan().all()
    assert [(fact.kind, fact.parameters) for fact in resampled.reasons] == [(FactKind.INSEPARABLE, ("a", "b"))]


@pytest.mark.parametrize(
    ("objective", "message"), [(AbsoluteError(), "AbsoluteError has no curvature"), (SquaredError(l2=0.1), "a penalty")]
)
def test_objective_that_cannot_be_resampled_is_refused(objective, message):
    loss = LossFunction(formula(), objective, data(X, Y))
    with pytest.raises(InputError, match=message):
        resample(loss)


def test_no_resamples_and_no_rows_are_refused():
    loss = sample_loss()
    with pytest.raises(InputError, match="at least 1"):
        bootstrap(loss, loss.theta, 0)
    alone = LossFunction(loss.model, loss.objective, data(None, SAMPLE[:1]))
    with pytest.raises(InputError, match="at least 2"):
        bootstrap(alone, alone.theta)


def test_a_direction_that_is_not_determined_takes_no_resample_of_the_others():
    x = np.linspace(0.0, 1.0, 60)
    counts = np.random.default_rng(101).poisson(np.exp(1 + 0.5 * x)).astype(float)
    starts = {"a": 0.0, "b": 0.0, "c": 0.0}
    model = paramfit.DistributionModel(
        "torch.distributions.Poisson", {"rate": "exp(a + b*x + c*z)"}, starts, ["x", "z"]
    )
    rungs = paramfit.ladder(paramfit.fit(model, (x, 2 * x, counts)), profile=False, bootstrap=100)
    percentile = rungs.rung("bootstrap percentile")
    assert percentile.reasons == ()
    assert set(percentile.intervals) == {"a"}


def test_a_parameter_at_its_bound_stays_there_in_all_resamples():
    x = np.linspace(0.0, 1.0, 60)
    counts = np.random.default_rng(101).poisson(np.exp(1 - 0.05 * x)).astype(float)
    model = paramfit.DistributionModel(
        "torch.distributions.Poisson", {"rate": "exp(a + b*x)"}, {"a": 0.0, "b": {"start": 1, "lower": 0}}
    )
    rungs = paramfit.ladder(paramfit.fit(model, (x, counts)), profile=False, bootstrap=200)
    assert not any("resamples" in warning for warning in rungs.warnings)
    # Without b the estimate of each resample is the logarithm of its mean.
    rows = drawn(60, 200, 0)
    expected = np.log(counts[rows].mean(1)).std(ddof=1)
    assert rungs.rung("bootstrap percentile").standard_errors == {"a": pytest.approx(expected, rel=1e-5)}


WAITS = np.random.default_rng(1).exponential(2.0, 50)


def mean() -> WeightedLoss:
    data = Observations((), torch.from_numpy(WAITS))
    loss = LossFunction(GaussianModel(float(WAITS.mean())), NegativeLogLikelihood(), data)
    return weighted_loss(loss, loss.theta)


def test_acceleration_of_a_mean_is_its_skewness():
    away = WAITS - WAITS.mean()
    assert acceleration(mean()).item() == pytest.approx((away**3).sum() / (6 * (away**2).sum() ** 1.5), rel=1e-8)


def test_estimates_without_one_observation_are_means_of_the_others():
    actual = left_out(mean())
    assert actual[:, 0].tolist() == pytest.approx([np.delete(WAITS, i).mean() for i in range(50)], rel=1e-12)


def test_influence_on_a_mean_is_the_distance_from_it():
    assert influences(mean())[:, 0].tolist() == pytest.approx(((WAITS - WAITS.mean()) / 50).tolist(), abs=1e-12)


def test_influence_on_a_line_is_the_hat_row_times_the_residual():
    x = np.linspace(-1, 3, 50)
    design = np.stack([x, np.ones(50)], 1)
    theta, *_ = np.linalg.lstsq(design, WAITS, rcond=None)
    loss = LossFunction(
        LinearModel(*theta, dtype="float64"),
        SquaredError(),
        Observations((torch.from_numpy(x),), torch.from_numpy(WAITS)),
    )
    expected = np.linalg.inv(design.T @ design) @ design.T * (WAITS - design @ theta)
    assert np.allclose(influences(weighted_loss(loss, loss.theta)).numpy(), expected.T, atol=1e-12)


def test_many_observations_are_not_left_out_one_by_one(monkeypatch):
    exact = acceleration(mean())
    monkeypatch.setattr(module, "_MOST_LEFT_OUT", 10)
    assert acceleration(mean()).item() == pytest.approx(exact.item(), rel=1e-8)
