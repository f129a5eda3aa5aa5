"""Fits that keep bounds, against SciPy's constrained minima and closed forms, from starts on and next to the bounds."""

import numpy as np
import pytest
import scipy.optimize
import scipy.stats

import paramfit
from paramfit import DistributionModel, FormulaModel
from paramfit.shown.words import sentence

T = np.linspace(0, 8, 25)
FREE = (-np.inf, np.inf)


def spec(start, lower=-np.inf, upper=np.inf):
    return {"start": float(start), "lower": float(lower), "upper": float(upper)}


def squares_left(y):
    """By a line through the origin."""
    return ((y - (T @ y) / (T @ T) * T) ** 2).sum()


def estimates(result):
    return np.array([parameter.estimate for parameter in result.parameters.values()])


@pytest.mark.parametrize("seed", range(30))
def test_linear_model_is_at_scipys_constrained_minimum(seed):
    rng = np.random.default_rng(seed)
    m = int(rng.integers(1, 5))
    unit = 10.0 ** rng.integers(-8, 9, m)
    columns = rng.normal(size=(12, m))
    y = columns @ rng.normal(size=m) + 0.3 * rng.normal(size=12)
    lower = np.where(rng.random(m) < 0.6, rng.normal(size=m), -np.inf)
    upper = np.where(rng.random(m) < 0.6, np.where(np.isfinite(lower), lower, 0) + rng.random(m) + 0.1, np.inf)
    expected = scipy.optimize.lsq_linear(columns, y, (lower, upper), method="bvls", tol=1e-15).x
    start = np.where(np.isfinite(lower), lower, np.minimum(upper, 0.3))  # on its bound, where it has a lower one
    model = FormulaModel(
        " + ".join(f"b{k}*x{k}" for k in range(m)),
        [f"x{k}" for k in range(m)],
        {f"b{k}": spec(start[k] * unit[k], lower[k] * unit[k], upper[k] * unit[k]) for k in range(m)},
    )
    result = paramfit.fit(model, (*(columns[:, k] / unit[k] for k in range(m)), y))
    assert result.status.value == "converged"
    np.testing.assert_allclose(estimates(result) / unit, expected, rtol=1e-7, atol=1e-9)
    for k, parameter in enumerate(result.parameters.values()):
        bounds = {"lower": lower[k] * unit[k], "upper": upper[k] * unit[k]}
        if parameter.at_bound is not None:
            assert parameter.estimate == bounds[parameter.at_bound]
            assert parameter.standard_error is None
        else:
            assert bounds["lower"] < parameter.estimate < bounds["upper"]


STARTS = {"on": 0.0, "1e-300": 1e-300, "1e-9": 1e-9, "1e-3": 1e-3}


@pytest.mark.parametrize("unit", [1.0, 1e-12, 1e12])
@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
@pytest.mark.parametrize("c", [1.5, 0.0, -0.5])
def test_decay_is_at_scipys_minimum_from_next_to_all_its_bounds(start, c, unit):
    y = 5 * np.exp(-0.4 * T) + c + 0.02 * np.sin(7 * T)

    best = scipy.optimize.least_squares(
        lambda p: p[0] * np.exp(-p[1] * T) + p[2] - y,
        (5, 0.4, max(c, 0.1)),
        bounds=([0] * 3, [np.inf] * 3),
        xtol=1e-15,
        ftol=1e-15,
        gtol=1e-15,
    )
    model = FormulaModel(
        "a*exp(-k*t) + c",
        ["t"],
        {name: spec(start * scale, 0) for name, scale in zip("akc", (1, 1 / unit, 1), strict=True)},
    )
    result = paramfit.fit(model, (T * unit, y))
    assert result.status.value == "converged"
    np.testing.assert_allclose(estimates(result) * (1, unit, 1), best.x, rtol=1e-5, atol=1e-6)
    if c < 0:
        assert (result.parameters["c"].estimate, result.parameters["c"].at_bound) == (0.0, "lower")


BOXES = {"lower": (0.6, np.inf), "upper": (-np.inf, 0.3), "both": (0.1, 0.3)}


@pytest.mark.parametrize("at", ["middle", "lower", "upper"])
@pytest.mark.parametrize("box", BOXES.values(), ids=BOXES)
def test_rate_that_nothing_is_linear_in_ends_on_its_bound(box, at):
    lower, upper = box
    nearest = upper if upper < 0.4 else lower
    inside = 0.2 if upper < np.inf else 0.9
    start = {"middle": inside, "lower": lower, "upper": upper}[at]
    if not np.isfinite(start):
        start = inside
    y = np.exp(1.6 - 0.4 * T) + 0.02 * np.sin(7 * T)
    result = paramfit.fit(FormulaModel("exp(l - k*t)", ["t"], {"l": 1.0, "k": spec(start, *box)}), (T, y))
    (best,) = scipy.optimize.least_squares(
        lambda p: np.exp(p[0] - nearest * T) - y, [1.0], xtol=1e-15, ftol=1e-15, gtol=1e-15
    ).x
    assert result.status.value == "converged"
    assert result.parameters["k"].estimate == nearest
    assert result.parameters["l"].estimate == pytest.approx(best, rel=1e-7)


def test_all_parameters_on_their_bounds_have_no_errors_and_no_method():
    result = paramfit.fit(FormulaModel("a + b*x", ["x"], {"a": spec(0, 0), "b": spec(1, 0)}), (T, -1 - T))
    assert result.status.value == "converged"
    assert estimates(result).tolist() == [0, 0]
    assert sentence(result.method) == "none"


@pytest.mark.parametrize("name", ["a", "b"])
def test_coefficient_of_a_likelihood_ends_on_its_bound(name):
    x = np.linspace(0, 3, 40)
    counts = scipy.stats.poisson.ppf((0.5 + np.arange(40) * 0.618) % 1, np.exp(-0.5 + 0.8 * x))
    boxes = {"a": FREE, "b": FREE} | {name: {"a": (0.0, np.inf), "b": (-np.inf, 0.5)}[name]}
    expected = scipy.optimize.minimize(
        lambda p: float((np.exp(p[0] + p[1] * x) - counts * (p[0] + p[1] * x)).sum()),
        (0.1, 0.3),
        bounds=list(boxes.values()),
        method="L-BFGS-B",
        options={"ftol": 1e-15, "gtol": 1e-10},
    ).x
    coefficients = {key: spec(start, *boxes[key]) for key, start in (("a", 0.0), ("b", 0.5))}
    model = DistributionModel("torch.distributions.Poisson", {"rate": "exp(a + b*x)"}, coefficients)
    result = paramfit.fit(model, (x, counts))
    assert result.status.value == "converged"
    np.testing.assert_allclose(estimates(result), expected, rtol=1e-4)
    assert result.parameters[name].estimate == {"a": 0.0, "b": 0.5}[name]
    assert result.parameters[name].at_bound == {"a": "lower", "b": "upper"}[name]


def test_interval_at_a_bound_is_one_sided_by_the_likelihood():
    # Counts of 0: the deviance is 2 n rate.
    result = paramfit.fit(DistributionModel("torch.distributions.Poisson", {"rate": None}), ([0.0] * 4,))
    lower, upper = result.ladder().rung("profile likelihood").intervals["rate"]
    assert result.parameters["rate"].estimate == 0
    assert (lower, upper) == (0.0, pytest.approx(scipy.stats.chi2.ppf(0.95, 1) / 8, rel=1e-9))


@pytest.mark.parametrize("sign", [1, -1], ids=["lower", "upper"])
def test_interval_at_a_bound_is_one_sided_by_least_squares(sign):
    y = sign * (0.3 * T - 0.5 + 0.1 * np.cos(5 * T))
    bounds = {"lower": 0} if sign > 0 else {"upper": 0}
    result = paramfit.fit(FormulaModel("a + b*x", ["x"], {"a": {"start": sign, **bounds}, "b": None}), (T, y))
    assert result.parameters["a"].estimate == 0
    limit = squares_left(y) * (1 + scipy.stats.t.ppf(0.975, len(T) - 1) ** 2 / (len(T) - 1))
    end = sign * scipy.optimize.brentq(lambda a: squares_left(y - sign * a) - limit, 0, 10, xtol=1e-14)
    ladder = result.ladder()
    assert ladder.rung("profile likelihood").intervals["a"][::sign] == (0.0, pytest.approx(end, rel=1e-8))
    side = "lower" if sign > 0 else "upper"
    assert any(f"the {side} end of its interval is its bound 0" in warning for warning in ladder.warnings)


GIVEN_AWAY = {
    "growth": ("m*(1 - exp(-r*t))", {"m": 50, "r": 0}, lambda t: 6 * (1 - np.exp(-0.3 * t))),
    "growth with offset": (
        "b + m*(1 - exp(-r*t))", {"b": None, "m": 5, "r": 0}, lambda t: 2 + 6 * (1 - np.exp(-0.3 * t)),
    ),
    "growth between bounds": (
        "m*(1 - exp(-r*t))", {"m": spec(50, 0, 100), "r": spec(0, 0)}, lambda t: 6 * (1 - np.exp(-0.3 * t)),
    ),
    "isotherm": ("q*k*t/(1 + k*t)", {"q": 3, "k": 0}, lambda t: 5 * 0.6 * t / (1 + 0.6 * t)),
    "sine": ("a*sin(w*t)", {"a": 3, "w": 0}, lambda t: 2 * np.sin(0.25 * t)),
    "decay between bounds, below 0 in the mean": (
        "a*exp(-k*t) + c", {"a": spec(1, 0), "k": spec(0, 0), "c": spec(0, 0)}, lambda t: 4 * np.exp(-t) - 1.5,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("sigma", "formula", "starts", "curve"), [
    pytest.param(sigma, *entry, id=f"{name}{', sigma' * (sigma is not None)}")
    for name, entry in GIVEN_AWAY.items() for sigma in (None, 0.1)
])  # fmt: skip
def test_start_whose_column_vanishes_is_left_by_the_starts_that_were_given(formula, starts, curve, sigma):
    y = curve(T) + 0.02 * np.sin(7 * T)
    result = paramfit.fit(FormulaModel(formula, ["t"], starts), (T, y), sigma=sigma)
    assert result.status.value == "converged"
    free = {name: value for name, value in starts.items() if not isinstance(value, dict)}
    if free == starts:
        names = list(starts)
        function = eval(f"lambda t, {', '.join(names)}: {formula}", {"exp": np.exp, "sin": np.sin})
        best, _ = scipy.optimize.curve_fit(function, T, y, p0=estimates(result) * 1.05, xtol=1e-15, ftol=1e-15)
        np.testing.assert_allclose(estimates(result), best, rtol=1e-6)
        assert np.std(y - function(T, *best)) < 0.02
    elif formula.startswith("m"):
        np.testing.assert_allclose(estimates(result), (6, 0.3), rtol=0.05)
    else:
        assert result.parameters["c"].at_bound == "lower"
        assert result.parameters["a"].estimate > 2


TWO = "a1*exp(-k1*t) + a2*exp(-k2*t)"
PEAKS = "a1*exp(-((t-m1)/s1)^2) + a2*exp(-((t-m2)/s2)^2)"
ALIKE = {
    "decays": (TWO, {"a1": 5, "k1": 0.5, "a2": 5, "k2": 0.5}, ("k1", "k2")),
    "decays without amplitudes": (TWO, {"a1": None, "k1": 0.5, "a2": None, "k2": 0.5}, ("k1", "k2")),
    "decays from 0": (TWO, {name: spec(0, 0) for name in ("a1", "k1", "a2", "k2")}, ("k1", "k2")),
    "peaks": (PEAKS, {"a1": 1, "m1": 4, "s1": 1, "a2": 1, "m2": 4, "s2": 1}, ("m1", "m2")),
    "peaks with lowest heights": (
        PEAKS, {"a1": spec(1, 0), "m1": 4, "s1": 1, "a2": spec(1, 0), "m2": 4, "s2": 1}, ("m1", "m2"),
    ),
    "three decays": (
        TWO + " + a3*exp(-k3*t)", {"a1": 1, "k1": 1, "a2": 1, "k2": 1, "a3": 1, "k3": 1}, ("k1", "k2", "k3"),
    ),
}  # fmt: skip
CURVES = {
    TWO: lambda t: 6 * np.exp(-1.2 * t) + 3 * np.exp(-0.1 * t),
    PEAKS: lambda t: 3 * np.exp(-(((t - 2.5) / 1.1) ** 2)) + 2 * np.exp(-(((t - 5.5) / 1.4) ** 2)),
    TWO + " + a3*exp(-k3*t)": lambda t: 5 * np.exp(-4 * t) + 4 * np.exp(-0.8 * t) + 3 * np.exp(-0.05 * t),
}


@pytest.mark.parametrize(("formula", "starts", "named"), ALIKE.values(), ids=ALIKE)
def test_equal_components_part_and_this_is_said(formula, starts, named):
    t = np.linspace(0, 8, 80)
    noise = 1e-4 * np.sin(41 * t)
    result = paramfit.fit(FormulaModel(formula, ["t"], starts), (t, CURVES[formula](t) + noise))
    assert result.status.value == "converged"
    assert result.least_squares.residual_sum_of_squares <= noise @ noise
    (said,) = [warning for warning in result.warnings if "equal values" in warning]
    assert all(name in said for name in named)
    assert np.abs(estimates(result)).max() < 10


NEXT_TO_ZERO = {
    "decays": ("a*exp(-k*x) + b*exp(-l*x)", (3, 2, 2, 0.3), (1e-3, 1e-3, 1e-12, 1e-3)),
    "saturation": ("a*(1 - exp(-k*x)) + c", (5, 0.4, 1), (0, 1e-12, 1e-6)),
    "tanh": ("a*tanh(b*x) + c", (3, 0.4, 1), (1e-12, 0, 1e-12)),
    "growth": ("a*exp(k*x) + c", (3, 0.2, -0.5), (30, 1e-12, 0.1)),
    "equal decays": ("a*exp(-k*x) + b*exp(-l*x) + c", (3, 2, 2, 0.3, 1), (1e-6,) * 5),
}


@pytest.mark.parametrize(("formula", "truth", "starts"), NEXT_TO_ZERO.values(), ids=NEXT_TO_ZERO)
def test_first_steps_from_next_to_zero_lose_nothing(formula, truth, starts):
    names = [name for name in "akblcmb" if name in formula.replace("exp", "").replace("tanh", "")]
    names = list(dict.fromkeys(sorted(names, key=formula.replace("exp", "___").replace("tanh", "____").index)))
    functions = {"exp": np.exp, "tanh": np.tanh, "x": T}

    def curve(values):
        return eval(formula, functions, dict(zip(names, values, strict=True)))

    y = curve(truth) + 0.01 * np.sin(7 * T)
    best = scipy.optimize.least_squares(lambda values: curve(values) - y, truth, xtol=1e-15, ftol=1e-15, gtol=1e-15)
    lower = dict.fromkeys(names, 0) | ({"c": -np.inf} if truth[-1] < 0 else {})
    model = FormulaModel(formula, ["x"], {name: spec(at, lower[name]) for name, at in zip(names, starts, strict=True)})
    result = paramfit.fit(model, (T, y))
    assert result.status.value == "converged"
    assert result.least_squares.residual_sum_of_squares == pytest.approx(2 * best.cost, rel=1e-6)


def test_amplitude_held_at_its_bound_leaves_its_rate_undetermined():
    model = FormulaModel("(a + b*x)/(1 + c*x)", ["x"], {"a": spec(1, 0), "b": spec(1e-12, 0), "c": spec(1e-6, 0)})
    result = paramfit.fit(model, (T, -1 - 0.1 * np.sin(3 * T)))
    assert (result.status.value, result.stop_reason.kind) == ("converged", "singular_at_optimum")
    assert [estimate.estimate for estimate in result.parameters.values()][:2] == [0.0, 0.0]
    assert result.parameters["c"].standard_error is None
