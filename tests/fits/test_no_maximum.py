"""Likelihoods without a maximum are named as what they are, within a few iterations, and no error is told of them."""

import re
from itertools import product
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
import torch
from scipy import stats
from scipy.optimize import linprog, minimize
from torch import nn
from torch.distributions import Bernoulli

from paramfit import DistributionModel, fit
from paramfit.facts import Fact, FactKind

RANDOM = np.random.default_rng(3)
N = 60
X, Z = RANDOM.normal(size=(2, N))
GROUP = (np.arange(N) % 3 == 0).astype(float)
COIN = (RANDOM.random(N) < 1 / (1 + np.exp(-0.3 - X))).astype(float)
TIME = RANDOM.exponential(size=N)
EVEN = RANDOM.binomial(8, 0.5, N).astype(float)  # varies less than Poisson's
_CURES_OF_OTHER_ENDS = ("other start", "fix one of them", "or bounds")
_FEW = 40


class Logistic(nn.Module):
    """A user's own."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(3, dtype=torch.float64))

    def forward(self, x, z):
        return Bernoulli(logits=self.weight[0] + self.weight[1] * x + self.weight[2] * z)


def model(kind: str, coefficients: str = "", **arguments: Any) -> DistributionModel:
    starts = dict.fromkeys(coefficients, 0.0)
    variables = [name for name in "xzg" if any(name in str(text).replace("exp", "") for text in arguments.values())]
    return DistributionModel(f"torch.distributions.{kind}", arguments, starts, variables)


SEP, GROUP_ENDS, NO_BOUND = FactKind.SEPARATED, FactKind.GROUP_WITHOUT_MAXIMUM, FactKind.LIKELIHOOD_WITHOUT_BOUND
SEPARATED = (X + 0.5 * Z > 0).astype(float)
RIGHT, LEFT = ["right"] * N, ["left"] * N


@pytest.mark.parametrize(("made", "data", "censoring", "kind", "names"), [
    (model("Bernoulli", "abc", logits="a + b*x + c*z"), (X, Z, SEPARATED), None, SEP, "abc"),
    (model("Bernoulli", "abc", probs="1/(1+exp(-(a + b*x + c*z)))"), (X, Z, SEPARATED), None, SEP, "abc"),
    (Logistic(), (X, Z, SEPARATED), None, SEP, ("weight[0]", "weight[1]", "weight[2]")),
    (model("Binomial", "ab", total_count=5.0, logits="a + b*x"), (X, 5.0 * (X > 0.1)), None, SEP, "ab"),
    (model("Bernoulli", "ab", logits="a + b*g"), (GROUP, np.maximum(GROUP, COIN)), None, GROUP_ENDS,
        "b"),
    (model("Poisson", "ab", rate="exp(a + b*g)"), (GROUP, EVEN * GROUP), None, GROUP_ENDS, "ab"),
    (model("Poisson", "a", rate="exp(a)"), (np.zeros(8),), None, GROUP_ENDS, "a"),
    (model("Bernoulli", logits=0.0), (np.ones(8),), None, GROUP_ENDS, ("logits",)),
    (model("Geometric", "ab", logits="a + b*g"), (GROUP, EVEN * (1 - GROUP)), None, GROUP_ENDS, "b"),
    (model("Weibull", "ab", scale="exp(a + b*g)", concentration=1.0), (GROUP, TIME),
        ["right" if one else "" for one in GROUP], GROUP_ENDS, "b"),
    (model("Weibull", scale=1.0, concentration=1.0), (TIME,), RIGHT, GROUP_ENDS,
        ("scale", "concentration")),
    (model("LogNormal", loc=0.0, scale=1.0), (TIME,), RIGHT, GROUP_ENDS, ("loc", "scale")),
    (model("Exponential", rate=1.0), (TIME,), RIGHT, GROUP_ENDS, ("rate",)),
    (model("Exponential", rate=1.0), (TIME,), LEFT, GROUP_ENDS, ("rate",)),
    (model("Normal", "ab", loc="a + b*x", scale=1.0), (X, 1 + 2 * X), None, NO_BOUND,
        ("scale",)),
    (model("Gamma", concentration=1.0, rate=1.0), (np.full(9, 3.0),), None, NO_BOUND,
        ("concentration", "rate")),
])  # fmt: skip
def test_a_likelihood_without_maximum_is_named(made, data, censoring, kind, names):
    result = fit(made, data, censoring=censoring)
    assert isinstance(result.stop_reason, Fact)
    assert (result.stop_reason.kind, set(result.stop_reason.parameters)) == (kind, set(names))
    assert result.status == "stalled"
    assert result.updates < _FEW
    assert not any(cure in f"{result.reason} {result.warnings}" for cure in _CURES_OF_OTHER_ENDS)
    assert all(result.parameters[name].standard_error is None for name in names)
    assert result.likelihood is not None
    assert result.likelihood.aic is result.likelihood.aicc is result.likelihood.bic is None


MEAN = "exp(a + b*x)"


@pytest.mark.parametrize(("arguments", "name"), [
    ({"total_count": 5.0, "logits": 0.0}, "total_count"),
    ({"total_count": 5.0, "probs": 0.5}, "total_count"),
    ({"total_count": 5.0, "logits": "a + b*x"}, "total_count"),
    ({"total_count": "r", "probs": f"{MEAN}/({MEAN} + r)"}, "r"),
    ({"total_count": "r", "logits": "a + b*x - log(r)"}, "r"),
    ({"total_count": "exp(t)", "logits": "a + b*x - t"}, "t"),
    ({"total_count": "1/k", "logits": "a + b*x + log(k)"}, "k"),
])  # fmt: skip
def test_a_negative_binomial_that_prefers_poisson_is_named_in_every_parametrisation(arguments, name):
    text = " ".join(map(str, arguments.values()))
    used = {letter: 1.0 if letter in "rk" else 0.0 for letter in "abrtk" if letter in text.replace("exp", "")}
    starts = {key: {"start": start, "lower": 0.0} if key in "rk" else start for key, start in used.items()}
    with_x = "x" in text.replace("exp", "")
    made = DistributionModel("torch.distributions.NegativeBinomial", arguments, starts, ["x"] if with_x else [])
    result = fit(made, (X, EVEN) if with_x else (EVEN,))
    assert isinstance(result.stop_reason, Fact)
    assert (result.stop_reason.kind, result.stop_reason.parameters) == (FactKind.PREFERS_LIMIT, (name,))
    assert "take Poisson instead" in result.reason
    assert result.covariance is None
    assert result.likelihood is not None
    assert result.likelihood.aic is None


COUNTS = np.array([2.0, 2, 3, 3, 4, 4, 5, 6])
UNBOUNDED = [
    ({"total_count": "1/k", "logits": "log(k) + a + b*x"}, {"k": 1.0, "a": 0.0, "b": 0.0}),
    ({"total_count": "k^2", "probs": "m/(m + k^2)"}, {"k": 1.0, "m": 2.0}),
    ({"total_count": "exp(k)", "logits": "a + b*x - k"}, {"k": 0.0, "a": 0.0, "b": 0.0}),
    ({"total_count": "exp(k)", "logits": "c"}, {"k": 0.0, "c": 0.0}),
    ({"total_count": "exp(-k)", "probs": "m/(m + exp(-k))"}, {"k": 0.0, "m": 2.0}),
    ({"total_count": "1/k", "probs": "k*m/(1 + k*m)"}, {"k": 1.0, "m": 2.0}),
    ({"total_count": "1/k^2", "logits": "2*log(k) + a + b*x"}, {"k": 1.0, "a": 0.0, "b": 0.0}),
    ({"total_count": "1/sqrt(k)", "logits": "0.5*log(k) + a + b*x"}, {"k": 1.0, "a": 0.0, "b": 0.0}),
    ({"total_count": "exp(a + b*x)/k", "probs": "k/(1 + k)"}, {"k": 1.0, "a": 0.0, "b": 0.0}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("arguments", "starts"), UNBOUNDED)
def test_a_formula_without_bounds_reaches_poisson_as_well(arguments, starts):
    """Its own domain ends on the way there or just beyond, in argument or formula, and is no cause."""
    x = np.arange(1.0, 9.0)
    variables = ["x"] if "b" in starts else []
    made = DistributionModel("torch.distributions.NegativeBinomial", arguments, starts, variables)
    result = fit(made, (x, COUNTS) if variables else (COUNTS,))
    assert isinstance(result.stop_reason, Fact)
    assert (result.stop_reason.kind, result.stop_reason.parameters) == (FactKind.PREFERS_LIMIT, ("k",))


@pytest.mark.parametrize(("arguments", "starts"), [case for case in UNBOUNDED if "b" not in case[1]])
def test_overdispersed_counts_prefer_no_limit_in_any_of_these(arguments, starts):
    counts = np.array([0.0, 1, 2, 3, 3, 5, 9, 14])
    result = fit(DistributionModel("torch.distributions.NegativeBinomial", arguments, starts, []), (counts,))
    reference = sm.NegativeBinomial(counts, np.ones(8)).fit(disp=0, gtol=1e-10, maxiter=500)
    assert result.status == "converged"
    assert result.likelihood is not None
    assert result.likelihood.log_likelihood == pytest.approx(reference.llf, abs=1e-7)


LINE = np.linspace(0, 10, 15)


def student_t_line(y: np.ndarray, start: tuple[float, ...]) -> Any:
    arguments = {"df": "d", "loc": "a + b*x", "scale": "s"}
    made = DistributionModel("torch.distributions.StudentT", arguments, dict(zip("dabs", start, strict=True)), ["x"])
    return fit(made, (LINE, y))


STARTS = [(5.0, 0.0, 0.0, 1.0), (2.0, 0.0, 0.0, 3.0), (30.0, 0.0, 0.0, 0.1), (1.0, 10.0, -1.0, 1.0)]


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("seed", [1, 3, 7])
def test_heavy_tails_are_found_from_plain_starts(start, seed):
    """Beyond the maximum the likelihood only falls to that of normal tails, and no barrier leads there."""
    y = 1 + LINE + 0.5 * np.random.default_rng(seed).standard_t(2, 15)
    result = student_t_line(y, start)

    def loss(theta: np.ndarray) -> float:
        return -float(stats.t.logpdf(y, np.exp(theta[0]), theta[1] + theta[2] * LINE, np.exp(theta[3])).sum())

    plain = np.polyfit(LINE, y, 1)[::-1]
    begun = [np.array([np.log(d), *plain, np.log(s)]) for d in (0.5, 1.0, 3.0) for s in (0.2, 0.6)]
    options = {"maxiter": 9999, "maxfev": 9999, "xatol": 1e-8, "fatol": 1e-12}
    answers = [minimize(loss, at, method="Nelder-Mead", options=options) for at in begun]
    best = min(answers, key=lambda answer: answer.fun)
    assert result.status == "converged"
    assert result.likelihood is not None
    assert result.likelihood.log_likelihood == pytest.approx(-best.fun, abs=1e-8)
    assert result.parameters["d"].estimate == pytest.approx(np.exp(best.x[0]), rel=1e-4)


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("seed", [0, 2, 4])
def test_tails_lighter_than_normal_ones_are_told_as_the_limit(start, seed):
    """By the kurtosis of the residuals about the least-squares line, below 3: more than the normal nobody reaches."""
    y = 1 + LINE + np.random.default_rng(seed).uniform(-1, 1, 15)
    residual = y - np.polyval(np.polyfit(LINE, y, 1), LINE)
    assert stats.kurtosis(residual, fisher=False) < 3
    result = student_t_line(y, start)
    assert isinstance(result.stop_reason, Fact)
    assert (result.stop_reason.kind, result.stop_reason.parameters) == (FactKind.PREFERS_LIMIT, ("d",))
    assert "take Normal instead" in result.reason


def test_the_rest_of_a_quasi_separated_fit_has_its_estimates_and_errors():
    """Those of the rows that are left when the separated group is left out."""
    outcome = np.maximum(GROUP, COIN)
    result = fit(model("Bernoulli", "abc", logits="a + b*x + c*g"), (X, GROUP, outcome))
    rest = sm.GLM(COIN[GROUP == 0], sm.add_constant(X[GROUP == 0]), family=sm.families.Binomial()).fit(tol=1e-12)
    for name, value, error in zip("ab", rest.params, rest.bse, strict=True):
        assert result.parameters[name].estimate == pytest.approx(value, rel=1e-7)
        assert result.parameters[name].standard_error == pytest.approx(error, rel=1e-6)
    assert result.parameters["c"].standard_error is None
    assert result.likelihood is not None
    assert result.likelihood.log_likelihood == pytest.approx(rest.llf, rel=1e-9)


def is_separated(columns: np.ndarray, outcome: np.ndarray) -> bool:
    """By Konis (2007), written anew."""
    signed = np.where(outcome[:, None] > 0, 1, -1) * np.column_stack([np.ones(len(outcome)), *columns])
    answer = linprog(-signed.sum(axis=0), A_ub=-signed, b_ub=np.zeros(len(signed)), bounds=(-1, 1))
    return bool(-answer.fun > 1e-9)


@pytest.mark.slow
def test_small_samples_are_called_separated_where_they_are_and_nowhere_else():
    """All outcomes of six rows with two columns."""
    x, z = np.array([[0.0, 1, 2, 3, 4, 5], [1.0, -1, 0, 2, -2, 1]])
    for outcome in map(np.array, product((0.0, 1.0), repeat=6)):
        result = fit(model("Bernoulli", "abc", logits="a + b*x + c*z"), (x, z, outcome))
        assert (result.status == "stalled") == is_separated(np.array([x, z]), outcome), outcome


def test_a_ridge_without_end_is_named_and_no_distance_is_told():
    """A decay with little signal: the best curve bends the other way, and the way there leads through a line."""
    x = np.linspace(0, 5, 40)
    y = np.exp(-x) + 0.5 + np.random.default_rng(8).normal(0, 2, 40)

    def fitted(a: float, b: float) -> Any:
        starts = {"a": a, "b": b, "c": 0.5, "s": {"start": 2.0, "lower": 0.0}}
        decay = {"loc": "a*exp(-b*x) + c", "scale": "s"}
        return fit(DistributionModel("torch.distributions.Normal", decay, starts, ["x"]), (x, y), max_iterations=200)

    result = fitted(1.0, 1.0)
    assert result.status == "limit_reached"
    ended = r"not converged in 200 iterations: a, b and c move together along a ridge .* top is is not known"
    assert re.match(ended, result.reason)
    across = fitted(-1.0, -1.0)  # as the message says: with the other signs
    assert across.status == "converged"
    assert across.loss["train"] < result.loss["train"]
