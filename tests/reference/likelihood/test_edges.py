"""Maxima on the edge of what a distribution allows, against SciPy's constrained optimisation of SciPy's likelihoods."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import optimize, stats
from torch import distributions as dist
from torch import nn

from paramfit import DistributionModel, fit
from paramfit.facts import FactKind
from tests.distributions.bounded_arguments import Stretched, Tilted, ZeroInflated
from tests.distributions.families import ROWS

X = np.linspace(0.0, 1.0, 30)
_INSIDE = 1e-7


def ends(row, name):
    constraint = row.kind.arg_constraints[name]
    given = getattr(constraint, "lower_bound", None), getattr(constraint, "upper_bound", None)
    return tuple(end if end is None or np.isfinite(end) else None for end in given)


def constrained(log_likelihood, start, low, high):
    """The largest log-likelihood of a line between two ends, by its values there: the ends are then a box."""
    low, high = (-np.inf if low is None else low), (np.inf if high is None else high)

    def loss(at: np.ndarray) -> float:
        with np.errstate(all="ignore"):
            value = log_likelihood(np.clip(at[0] + (at[1] - at[0]) * X, low, high))
        return -value if np.isfinite(value) else 1e10

    box = optimize.Bounds(low + _INSIDE, high - _INSIDE)
    options = {"maxiter": 5000, "xatol": 1e-11, "fatol": 1e-11}
    best = np.inf
    ends_of_lines = [np.clip([intercept, intercept + slope], box.lb, box.ub) for intercept, slope in start]
    for at in sorted(ends_of_lines, key=loss)[:3]:
        for _ in range(2):  # a simplex that has collapsed too early begins anew
            ended = optimize.minimize(loss, at, method="Nelder-Mead", bounds=box, options=options)
            at, best = ended.x, min(best, ended.fun)
    return -best


def hinge(value, end):
    """Nearly the end up to 0.4, and a line from there: the best line would cross the end."""
    return end + (value - end) * np.maximum(2 * (X - 0.4), 0.02)


def judged(result, truth):
    assert result.status == "converged", result.reason
    assert result.likelihood.log_likelihood == pytest.approx(truth, abs=1e-3)


# At arguments near 0 the sample is 0 or 1, or beyond what SciPy can take.
NOT_HERE = {("beta", "concentration0"), ("student-t", "df"), ("weibull", "concentration"), ("pareto", "alpha")}
CASES = [
    pytest.param(key, name, end, marks=() if finite else pytest.mark.slow, id=f"{key}, {name} at {end:g}")
    for key, row in ROWS.items()
    for name in row.names
    for end in ends(row, name)
    if end is not None and (key, name) not in NOT_HERE
    for finite in [row.discrete]
]


@pytest.mark.parametrize(("key", "name", "end"), CASES)
def test_a_line_for_any_argument_reaches_the_constrained_maximum(key, name, end):
    row, value = ROWS[key], ROWS[key].arguments[name]
    sampled = row.truth(*{**row.arguments, name: hinge(value, end)}.values())
    y = np.asarray(sampled.rvs(size=len(X), random_state=np.random.default_rng(0)), dtype=float)
    arguments = {own: {"start": held, "fixed": True} for own, held in row.arguments.items()} | {name: "a + b*x"}
    result = fit(DistributionModel(row.kind, arguments, {"a": value, "b": 0.0}, ["x"]), (X, y))

    def log_likelihood(line: np.ndarray) -> float:
        made = row.truth(*{**row.arguments, name: line}.values())
        return (made.logpmf if row.discrete else made.logpdf)(y).sum()

    low, high = ends(row, name)
    places = end + np.array([0.001, 0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0, 1.5, 3.0]) * (value - end)
    lines = [(one, other - one) for one in places for other in places]
    judged(result, constrained(log_likelihood, lines, low, high))


class Mixed(nn.Module):
    """A share that is a line, of two normal distributions."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Parameter(torch.tensor(0.5)), nn.Parameter(torch.tensor(0.0))

    def forward(self, x):
        share = self.a + self.b * x
        weights = dist.Categorical(torch.stack([share, 1 - share], -1), validate_args=False)
        places = torch.tensor([0.0, 3.0], dtype=x.dtype).expand(*share.shape, 2)
        return dist.MixtureSameFamily(weights, dist.Normal(places, torch.ones_like(places)))


class Reaching(nn.Module):
    """A slope whose ends another argument sets, in a class that checks them itself."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Parameter(torch.tensor(0.0)), nn.Parameter(torch.tensor(0.0))

    def forward(self, x):
        return Stretched(self.a + self.b * x, torch.full_like(x, 2.0), validate_args=True)


def tilted(line, y):
    return np.log((1 + line * y) / 2).sum()


def inflated(line, y):
    return np.log(line * (y == 0) + (1 - line) * stats.poisson(3.0).pmf(y)).sum()


def mixed(line, y):
    return np.log(line * stats.norm(0, 1).pdf(y) + (1 - line) * stats.norm(3, 1).pdf(y)).sum()


RANDOM = np.random.default_rng(5)
RISING = 2 * RANDOM.random(30) ** (1 / (1 + 4 * X)) - 1
OTHERS = {
    "interval": (DistributionModel(Tilted, {"slope": "a + b*x"}, {"a": 0.0, "b": 0.0}, ["x"]), RISING, tilted, -1, 1),
    "interval by another argument": (Reaching(), RISING, lambda line, y: tilted(2 * line, y), -0.5, 0.5),
    "unit interval": (
        DistributionModel(ZeroInflated, {"share": "a + b*x", "rate": {"start": 3.0, "fixed": True}},
            {"a": 0.5, "b": 0.0}, ["x"]),
        np.where(X > 0.6, 0.0, 1 + RANDOM.poisson(3.0, 30)), inflated, 0, 1,
    ),
    "mixture in a module": (Mixed(), np.where(X > 0.5, 0.0, 3.0) + RANDOM.normal(0, 0.3, 30), mixed, 0, 1),
}  # fmt: skip


@pytest.mark.parametrize(("model", "y", "log_likelihood", "low", "high"), OTHERS.values(), ids=OTHERS)
def test_the_constraints_of_other_classes_are_kept(model, y, log_likelihood, low, high):
    middle = (low + high) / 2
    result = fit(model, (X, y))
    most = 0.9 * (high - low)
    starts = [(middle, 0.0), (middle - most / 2, most), (middle + most / 2, -most)]
    judged(result, constrained(lambda line: log_likelihood(line, y), starts, low, high))
    a, b = (result.parameters[name].estimate for name in ("a", "b"))
    line = a + b * X
    assert np.minimum(np.abs(line - low), np.abs(line - high)).min() == pytest.approx(0, abs=1e-9)
    assert any("on the edge of the domain" in warning for warning in result.warnings)


# --- Poisson counts with the rate a + b*x, whose best line is 0 at x = 1: one number is left to estimate ---

COUNTED = np.arange(1.0, 8.0), np.array([0.0, 0.0, 0.0, 2.0, 3.0, 4.0, 7.0])


def poisson_line():
    return DistributionModel("torch.distributions.Poisson", {"rate": "a + b*x"}, {"a": 1.0, "b": 1.0}, ["x"])


def test_errors_on_an_edge_are_those_along_it():
    """With a = -b the counts have rates b (x - 1): b is a ratio of sums, its error b over the root of the count."""
    result = fit(poisson_line(), COUNTED)
    b = COUNTED[1].sum() / (COUNTED[0] - 1).sum()
    estimates = result.parameters
    assert (estimates["a"].estimate, estimates["b"].estimate) == pytest.approx((-b, b), rel=1e-12)
    for name in ("a", "b"):
        assert estimates[name].standard_error == pytest.approx(b / np.sqrt(COUNTED[1].sum()), rel=1e-9)
    (caution,) = [fact for fact in result.warnings if "edge" in fact]
    assert "rate is 0 in row 0 (input 1)" in caution


@pytest.mark.slow
def test_a_profile_follows_the_edge():
    x, y = COUNTED
    ladder = fit(poisson_line(), COUNTED).ladder()

    def loss(a: float, b: float) -> float:
        rate = a + b * x
        return -stats.poisson(np.maximum(rate, 0)).logpmf(y).sum() if rate.min() > -1e-12 else np.inf

    def profiled(inner: Callable[[float], float], least: float) -> float:
        """Over the other parameter, which is at its least, on the edge, or above."""
        within = optimize.minimize_scalar(inner, bounds=(least, 30), method="bounded", options={"xatol": 1e-12})
        return min(inner(least), within.fun)

    best = loss(-16 / 21, 16 / 21)
    along = {
        "a": (lambda a: profiled(lambda b: loss(a, b), np.max(-a / x)), (-3.0, 3.0)),
        "b": (lambda b: profiled(lambda a: loss(a, b), np.max(-b * x)), (0.1, 3.0)),
    }
    for name, (profile, brackets) in along.items():
        middle = {"a": -16 / 21, "b": 16 / 21}[name]

        def beyond(value: float, profile: Callable[[float], float] = profile) -> float:
            return 2 * (profile(value) - best) - stats.chi2.ppf(0.95, 1)

        ends = [optimize.brentq(beyond, middle, bracket) for bracket in brackets]
        assert ladder.rung("profile likelihood").intervals[name] == pytest.approx(ends, rel=1e-6)


def test_a_vertex_leaves_no_freedom():
    y = np.array([0.0, 0, 0, 1, 0, 1, 0, 1, 1, 1])
    model = DistributionModel("torch.distributions.Bernoulli", {"probs": "a + b*x"}, {"a": 0.5, "b": 0.0}, ["x"])
    result = fit(model, (np.arange(10.0), y))
    assert result.likelihood.log_likelihood == pytest.approx(-4.110992835015037, abs=1e-9)
    assert result.parameters["a"].estimate == pytest.approx(0, abs=1e-12)
    assert result.parameters["b"].estimate == pytest.approx(1 / 9, rel=1e-12)
    assert all(estimate.standard_error is None for estimate in result.parameters.values())


@pytest.mark.parametrize(
    ("start", "y", "truth"),
    [((-1.0, 1.0), [0, 1, 1, 2, 0, 1, 4, 9], -13.445979143271762), ((0.0, 1.0), [1, 2, 3, 4, 3, 6, 7, 6], None)],
    ids=["in one row", "in none"],
)
def test_a_start_on_the_edge_is_left(start, y, truth):
    x = np.arange(1.0, 9.0)
    a, b = start
    result = fit(DistributionModel("torch.distributions.Poisson", {"rate": "a + b*x"}, {"a": a, "b": b}, ["x"]), (x, y))
    if truth is None:
        tries = optimize.minimize(
            lambda p: -stats.poisson.logpmf(y, p[0] + p[1] * x).sum(), (1, 1), method="Nelder-Mead"
        )
        truth = -tries.fun
    judged(result, truth)


@pytest.mark.parametrize(
    ("kind", "y"),
    [("Normal", [0.001, -0.5, 1, -1, 2, -2, 3, -4]), ("LogNormal", [1, 1.001, 0.99, 1.05, 1.5, 0.4, 3, 9])],
)
def test_a_spread_that_vanishes_where_a_value_is_met_has_no_maximum(kind, y):
    starts = {"m": 0.0, "a": 1.0, "b": 0.1}
    model = DistributionModel(f"torch.distributions.{kind}", {"loc": "m", "scale": "a + b*x"}, starts, ["x"])
    result = fit(model, (np.arange(1.0, 9.0), y))
    reason = result.stop_reason
    assert reason.kind is FactKind.ENDLESS_AT_EDGE
    assert (reason.numbers["argument"], reason.numbers["row"]) == ("scale", 0)
    assert result.likelihood.aic is None
    assert all(estimate.standard_error is None for estimate in result.parameters.values())


def test_a_barrier_does_not_lead_away_from_overdispersed_counts_beside_a_group_of_zeros():
    group, y = np.array([1.0, 1, 0, 0, 1, 0, 1, 0]), np.array([0.0, 0, 3, 11, 0, 6, 0, 2])

    def loss(theta):
        return -stats.nbinom.logpmf(y[group == 0], np.exp(theta[1]), 1 / (1 + np.exp(theta[0] - theta[1]))).sum()

    arguments = {"total_count": "r", "logits": "a + b*g - log(r)"}
    starts = {"a": 0.0, "b": 0.0, "r": 1.0}
    result = fit(DistributionModel("torch.distributions.NegativeBinomial", arguments, starts, ["g"]), (group, y))
    truth = optimize.minimize(loss, (1.7, 1.0), method="Nelder-Mead")
    assert result.likelihood.log_likelihood == pytest.approx(-truth.fun, abs=1e-6)
    assert result.parameters["r"].estimate == pytest.approx(np.exp(truth.x[1]), rel=1e-3)
    assert result.parameters["b"].standard_error is None


def test_a_bounded_coefficient_reaches_its_bound_and_has_an_interval():
    exposure = np.array([1.0, 2, 3, 4])
    model = DistributionModel("torch.distributions.Poisson", {"rate": "m*t"}, {"m": {"start": 0.3, "lower": 0}}, ["t"])
    result = fit(model, (exposure, np.zeros(4)))
    assert result.parameters["m"].estimate == 0
    low, high = result.ladder().rung("profile likelihood").intervals["m"]
    assert (low, high) == (0, pytest.approx(stats.chi2.ppf(0.95, 1) / 2 / exposure.sum(), rel=1e-5))


@pytest.mark.parametrize(("rows", "start"), [(1, 0.5), (10, 0.03), (20000, 0.9)])
@pytest.mark.parametrize(
    ("kind", "fixed", "formula", "outcome", "p", "edge"),
    [
        ("Binomial", 5, "p", 5.0, 1.0, 1.0),
        ("Binomial", 5, "p", 0.0, 0.0, 0.0),
        ("Bernoulli", None, "p", 1.0, 1.0, 1.0),
        ("Bernoulli", None, "p", 0.0, 0.0, 0.0),
        ("Bernoulli", None, "1 - p", 1.0, 0.0, 1.0),
        ("Bernoulli", None, "1 - p", 0.0, 1.0, 0.0),
        ("Geometric", None, "p", 0.0, 1.0, 1.0),
    ],
)
def test_outcomes_that_are_all_alike_have_a_probability_on_the_edge(
    kind, fixed, formula, outcome, p, edge, rows, start
):
    given = {} if fixed is None else {"total_count": fixed}
    model = DistributionModel(f"torch.distributions.{kind}", {**given, "probs": formula}, {"p": start})
    result = fit(model, (np.full(rows, outcome),))
    assert result.status == "converged", result.reason
    assert result.parameters["p"].estimate == p
    assert result.likelihood.log_likelihood == pytest.approx(0, abs=1e-9 * rows)
    (caution,) = [fact for fact in result.warnings if "on the edge of the domain" in fact]
    assert f"probs is {edge:g} in " in caution
