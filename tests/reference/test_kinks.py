"""Optima at kinks of formulas: an end is called converged where, and only where, no point near by has a lower sum."""

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.optimize import linprog

from paramfit import DistributionModel, FormulaModel, fit

X = np.arange(11.0)
SHAPES = {
    "flat": 3 + 0 * X,
    "hinge": np.maximum(2, 0.7 * X),
    "corner": np.maximum(3, 0.6 * X),
    "vee": np.abs(X - 4) + 1,
    "down": 2 - 0.5 * X,
}
KINDS = {
    "max": ("max(a, b*x)", {"a": 1.0, "b": 1.0}, lambda x, a, b: np.maximum(a, b * x)),
    "min": ("min(a, b*x)", {"a": 1.0, "b": 1.0}, lambda x, a, b: np.minimum(a, b * x)),
    "place": ("abs(x-c)", {"c": 1.0}, lambda x, c: np.abs(x - c)),
    "vee": ("abs(x-c)*s+d", {"c": 1.0, "s": 1.0, "d": 1.0}, lambda x, c, s, d: np.abs(x - c) * s + d),
    "ramp": ("d+max(0, a*(x-c))", {"a": 1.0, "c": 1.0, "d": 0.0}, lambda x, a, c, d: d + np.maximum(0, a * (x - c))),
    "two places": ("abs(a-x)+abs(b-x)", {"a": 2.0, "b": 7.0}, lambda x, a, b: np.abs(a - x) + np.abs(b - x)),
    "nested": (
        "max(a, min(b*x, c))",
        {"a": 1.0, "b": 1.0, "c": 5.0},
        lambda x, a, b, c: np.maximum(a, np.minimum(b * x, c)),
    ),
    "hinge": ("d+b*max(0, x-c)", {"b": 1.0, "c": 5.0, "d": 0.0}, lambda x, b, c, d: d + b * np.maximum(0, x - c)),
    "more than needed": (
        "a+b*max(0, x-c)+d*max(0, x-g)",
        {"a": 1.0, "b": 1.0, "c": 4.5, "d": 1.0, "g": -1.5},
        lambda x, a, b, c, d, g: a + b * np.maximum(0, x - c) + d * np.maximum(0, x - g),
    ),
    "nested places": ("abs(abs(x-c)-d)", {"c": 5.0, "d": 2.0}, lambda x, c, d: np.abs(np.abs(x - c) - d)),
    "curved": (
        "exp(-k*x)+max(0, x-c)",
        {"k": 0.5, "c": 5.0},
        lambda x, k, c: np.exp(-k * x) + np.maximum(0, x - c),
    ),
}
# Of the noise, where that of 0 to 4 leaves all optima off the kinks.
FIRST_SEED = {"place": 10, "vee": 25, "two places": 25}


def target(shape, seed):
    return SHAPES[shape] + 0.3 * np.random.default_rng(seed).standard_normal(11)


def falls_near_by(predicted, theta, y):
    """By which part the sum of squares falls, at most, within 1e-4 of the parameters' sizes."""
    random = np.random.default_rng(5)
    size = np.where(theta == 0, 1.0, np.abs(theta))
    directions = random.standard_normal((400, len(theta)))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    directions = np.concatenate([directions, np.eye(len(theta)), -np.eye(len(theta))])
    points = [theta + reach * size * directions for reach in (1e-6, 1e-5, 1e-4)]
    columns = np.concatenate([np.zeros((1, len(theta))) + theta, *points]).T[:, :, None]
    sums = np.square(y - predicted(X, *columns)).sum(axis=1)
    return (sums[0] - sums.min()) / sums[0]


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_end_is_converged_where_it_is_a_minimum_and_nowhere_else(kind):
    formula, usual, predicted = KINDS[kind]
    random = np.random.default_rng(1)
    ends = set()
    for number, shape in enumerate(SHAPES):
        y = target(shape, FIRST_SEED.get(kind, 0) + number)
        for start in (usual, {name: round(float(random.normal(0, 3)), 2) for name in usual}):
            result = fit(FormulaModel(formula, ["x"], start), (X, y))
            theta = np.array([result.parameters[name].estimate for name in usual])
            is_minimum = falls_near_by(predicted, theta, y) < 1e-9
            assert (result.status == "converged") == is_minimum, (shape, start, result.stop_reason)
            ends.add(result.stop_reason.kind.value)
    assert ends & {"kink_of_loss", "singular_at_optimum"}


def least_of_all_divisions(y):
    """The least sum of max(a, b*x) over all ways to divide the rows: x is sorted, so that a has one end of them.

    Where it has some of them and b*x the others each part is solved by itself, if the rows then stay on their sides;
    else the corner is on a row, ``a = b*x_k``, and the curve is linear in b, for either sign of b.
    """
    curves = [np.full(11, y.mean()), X * (X @ y / (X @ X))]
    for k in range(1, 11):
        for plateau in (slice(None, k), slice(k, None)):
            line = np.ones(11, dtype=bool)
            line[plateau] = False
            a, b = y[plateau].mean(), X[line] @ y[line] / max(X[line] @ X[line], 1e-300)
            if (b * X[plateau] <= a).all() and (b * X[line] >= a).all():
                curves.append(np.maximum(a, b * X))
    for k in range(11):
        for corner, sign in ((np.maximum(X[k], X), 1), (np.minimum(X[k], X), -1)):
            b = corner @ y / max(corner @ corner, 1e-300)
            curves.append(np.maximum(0, b * sign) * sign * corner)
    return min(np.square(y - curve).sum() for curve in curves)


@pytest.mark.parametrize("shape", ["flat", "hinge", "corner", "down"])
def test_best_of_some_starts_is_the_best_of_all_ways_to_divide_the_rows(shape):
    y = target(shape, 20)
    starts = [{"a": a, "b": b} for a, b in ((-3.0, 1.0), (-3.0, -0.3), (1.0, 0.3), (1.0, 1.0), (4.0, 0.6))]
    fits = [fit(FormulaModel("max(a, b*x)", ["x"], start), (X, y)) for start in starts]
    assert {result.status.value for result in fits} == {"converged"}
    best = min(result.least_squares.residual_sum_of_squares for result in fits)
    assert best == pytest.approx(least_of_all_divisions(y), rel=1e-8)


def test_parameter_behind_the_kink_is_named_and_has_no_error():
    result = fit(FormulaModel("max(a, b*x)", ["x"], {"a": 1.0, "b": 1.0}), (X, target("flat", 0)))
    assert (result.status, result.stop_reason.kind, result.stop_reason.parameters) == (
        "converged",
        "singular_at_optimum",
        ("b",),
    )
    assert result.parameters["b"].standard_error is None
    assert any(warning.startswith("b does not change the prediction") for warning in result.warnings)
    mean = target("flat", 0).mean()
    assert result.parameters["a"].estimate == pytest.approx(mean, rel=1e-7)


@pytest.mark.parametrize(("seed", "start", "corner"), [(14, 4.6, 3), (20, 6.7, 8), (23, 6.7, 5)])
def test_end_at_a_kink_is_on_the_kink(seed, start, corner):
    """The slopes on both sides lead to it: no place near by where they are 0 is taken for the last digits."""
    result = fit(
        FormulaModel("d+b*max(0, x-c)", ["x"], {"d": -2.5, "b": -3.2, "c": start}), (X, y := target("flat", seed))
    )
    assert result.stop_reason.kind == "kink_of_loss"
    assert result.parameters["c"].estimate == pytest.approx(corner, rel=1e-12)
    columns = np.stack([np.ones(11), np.maximum(0, X - corner)], axis=1)
    (least,) = np.linalg.lstsq(columns, y, rcond=None)[1]
    assert result.least_squares.residual_sum_of_squares == pytest.approx(least, rel=1e-12)


class Plateau(torch.nn.Module):
    """The larger of two, as a module without a formula."""

    def __init__(self):
        super().__init__()
        self.a, self.b = (torch.nn.Parameter(torch.tensor(value)) for value in (1.0, 0.05))

    def forward(self, x):
        return torch.maximum(self.a, self.b * x)


def test_module_with_a_kink_ends_as_the_formula_does():
    result = fit(Plateau(), (X, target("flat", 0)))
    assert (result.status, result.stop_reason.parameters) == ("converged", ("b",))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("term", "start"),
    [("exp(-k*(x+1))", 2000.0), ("tanh(k*(x+1))", 300.0), ("erf(k*(x+1))", 90.0), ("1/(1+exp(k*(x+1)))", 900.0)],
)
def test_what_has_vanished_by_underflow_or_rounding_is_no_minimum(term, start):
    result = fit(FormulaModel(f"d+{term}", ["x"], {"k": start, "d": 1.0}), (X, target("flat", 0)))
    assert (result.status, result.stop_reason.kind) == ("stalled", "without_influence")


LIKELIHOODS = {
    "poisson max": ("Poisson", "rate", "max(a, b*x)", lambda x, a, b: np.maximum(a, b * x)),
    "poisson hinge": ("Poisson", "rate", "a+b*max(0, x-c)", lambda x, a, b, c: a + b * np.maximum(0, x - c)),
    "normal max": ("Normal", "loc", "max(a, b*x)", lambda x, a, b: np.maximum(a, b * x)),
    "normal hinge": ("Normal", "loc", "a+b*max(0, x-c)", lambda x, a, b, c: a + b * np.maximum(0, x - c)),
    "normal vee": ("Normal", "loc", "a+b*abs(x-c)", lambda x, a, b, c: a + b * np.abs(x - c)),
}


def rise_near_by(losses, theta):
    """How much lower the loss is, at the most, within 1e-4 of the parameters' sizes."""
    random = np.random.default_rng(5)
    directions = random.standard_normal((400, len(theta)))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    size = np.where(theta == 0, 1.0, np.abs(theta))
    near = [losses(theta + reach * size * way) for way in directions for reach in (1e-6, 1e-5, 1e-4)]
    return losses(theta) - min(near)


@pytest.mark.slow
@pytest.mark.parametrize("kind", LIKELIHOODS)
def test_likelihood_with_kinks_ends_at_a_maximum(kind):
    """Of 20 samples, with a hinge and without one, from starts anywhere; none is said to have no maximum."""
    family, argument, formula, predicted = LIKELIHOODS[kind]
    random = np.random.default_rng(21)
    kinds = set()
    for number in range(20):
        curve = (np.maximum(2, 0.7 * X), 3 + 0 * X)[number % 2]
        y = random.poisson(curve).astype(float) if family == "Poisson" else curve + 0.3 * random.standard_normal(11)
        starts = {"a": random.uniform(0.5, 4), "b": random.uniform(0.1, 1), "c": random.uniform(0, 8)}
        given = {name: start for name, start in starts.items() if name in formula}
        parameters = {argument: formula} | ({"scale": {"start": 1.0}} if family == "Normal" else {})
        result = fit(DistributionModel(f"torch.distributions.{family}", parameters, coefficients=given), (X, y))
        estimates = {name: entry.estimate for name, entry in result.parameters.items()}

        def losses(theta, y=y, names=tuple(estimates)):
            values = dict(zip(names, theta, strict=True))
            scale = values.pop("scale", None)
            level = predicted(X, **values)
            if scale is None:
                return -stats.poisson.logpmf(y, level).sum() if (level >= 0).all() else np.inf
            return -stats.norm.logpdf(y, level, scale).sum()

        assert result.status == "converged", (number, result.stop_reason)
        assert rise_near_by(losses, np.array([*estimates.values()])) < 1e-7
        kinds.add(result.stop_reason.kind.value)
    assert kinds & {"kink_of_loss", "singular_at_optimum"}


def test_likelihood_on_a_plateau_names_what_a_kink_leaves_out():
    y = np.array([3.0, 4, 2, 5, 3, 1, 4, 3, 2, 4, 3])
    model = DistributionModel("torch.distributions.Poisson", {"rate": "max(a, b*x)"}, coefficients={"a": 2.0, "b": 0.1})
    result = fit(model, (X, y))
    assert (result.status, result.stop_reason.kind, result.stop_reason.parameters) == (
        "converged",
        "singular_at_optimum",
        ("b",),
    )
    assert result.parameters["a"].estimate == pytest.approx(y.mean(), rel=1e-7)
    assert result.parameters["b"].standard_error is None
    assert result.parameters["a"].standard_error == pytest.approx(np.sqrt(y.mean() / 11), rel=1e-6)


def least_absolute_deviations(columns, y):
    """The least sum of absolute residuals, by a linear program."""
    n, p = columns.shape
    costs = np.concatenate([np.zeros(p), np.ones(2 * n)])
    free = [(None, None)] * p + [(0, None)] * (2 * n)
    return linprog(costs, A_eq=np.hstack([columns, np.eye(n), -np.eye(n)]), b_eq=y, bounds=free).fun


def laplace_regression(seed):
    """A regression of 6 to 60 rows on one to three inputs, in units of any size: its columns, target and model."""
    random = np.random.default_rng(seed)
    n, p = int(random.integers(6, 60)), int(random.integers(1, 4))
    inputs = random.normal(size=(n, p)) * 10.0 ** random.integers(-2, 3, p) + random.normal(size=p)
    if random.random() < 0.4:
        inputs = np.round(inputs, 1)
    y = 1 + inputs @ random.normal(size=p) + random.laplace(0, 10.0 ** random.integers(-2, 3), n)
    if random.random() < 0.6:
        y = np.round(y, 3)
    names = ["x", "z", "w"][:p]
    slopes = {f"b{name}": 0.0 for name in names}
    scale = {"start": 1.0, "lower": 0.0} if seed % 2 else 1.0
    location = " + ".join(["a", *[f"b{name}*{name}" for name in names]])
    model = DistributionModel(
        "torch.distributions.Laplace", {"loc": location, "scale": "s"}, {"a": 0.0, **slopes, "s": scale}, names
    )
    return inputs, y, model


@pytest.mark.parametrize(
    "seed", [3, 6, 9, 15, 65, 81, 86, *[pytest.param(k, marks=pytest.mark.slow) for k in range(200, 240)]]
)
def test_laplace_regression_is_least_absolute_deviations(seed):
    """The scale at the maximum is the mean absolute residual, whose least a linear program knows."""
    inputs, y, model = laplace_regression(seed)
    result = fit(model, (*inputs.T, y))
    least = least_absolute_deviations(np.column_stack([np.ones(len(y)), inputs]), y) / len(y)
    assert result.status == "converged", result.reason
    assert abs(result.parameters["s"].estimate - least) < 1e-4 * least / np.sqrt(len(y))  # standard errors
    assert result.likelihood.log_likelihood == pytest.approx(-len(y) * (np.log(2 * least) + 1), abs=1e-6)
