"""The cautions about a wrong minimum and about systematic residuals, and when there are none."""

import itertools
import json
import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import norm
from torch import nn

import paramfit
from paramfit import CauchyError, FormulaModel, FunctionModel, HuberError, fit
from paramfit.facts import FactKind, Status
from paramfit.inference.lack_of_fit import runs_of_signs
from paramfit.shown.words import sentence

KINDS = (FactKind.BETTER_MINIMUM, FactKind.SYSTEMATIC_RESIDUALS)


@dataclass(frozen=True)
class Shape:
    """A curve on [0, 1], its true parameters, and by how much starts are off: ``at`` anywhere, others by a factor."""

    formula: str
    truth: dict[str, float]
    startless: tuple[str, ...]
    at: tuple[str, ...] = ()

    def target(self, x, noise):
        model = FormulaModel(self.formula, ["x"], self.truth)
        with torch.no_grad():
            curve = model(torch.from_numpy(x)).numpy()
        return curve + noise * curve.std()

    def fit(self, data, starts):
        parameters = {name: None if name in self.startless else starts[name] for name in self.truth}
        return fit(FormulaModel(self.formula, ["x"], parameters), data)

    def start(self, random):
        return {
            name: random.uniform(0.02, 0.98) if name in self.at else value * math.exp(random.uniform(-1.2, 1.2))
            for name, value in self.truth.items()
        }


SHAPES = {
    "peak": Shape("A*exp(-0.5*((x-m)/s)^2)+c", {"A": 1, "m": 0.2, "s": 0.05, "c": 0.3}, ("A", "c"), ("m",)),
    "lorentzian": Shape("A/(1+((x-m)/g)^2)+c", {"A": 1, "m": 0.75, "g": 0.04, "c": 0.2}, ("A", "c"), ("m",)),
    "sine": Shape("a*sin(w*x+q)+m", {"a": 1, "w": 26, "q": 0.4, "m": 5}, ("m",)),
    "cosine": Shape("a*cos(w*x+q)+m", {"a": 2, "w": 17, "q": 1, "m": -3}, ("m",)),
    "tide": Shape("a*sin(w*x)+b*cos(w*x)+m+k*x", {"a": 1, "b": 2, "m": 5, "k": 2, "w": 40}, ("a", "b", "m", "k")),
    "peak on a line": Shape(
        "A*exp(-0.5*((x-m)/s)^2)+c+d*x", {"A": 1, "m": 0.3, "s": 0.06, "c": 0.2, "d": 0.7}, ("A", "c", "d"), ("m",)
    ),
    "damped sine": Shape("a*exp(-k*x)*sin(w*x+q)", {"a": 3, "k": 2, "w": 35, "q": 0.5}, ("a",)),
    "step": Shape("a/(1+exp(-k*(x-t)))+c", {"a": 5, "k": 40, "t": 0.8, "c": 1}, ("a", "c"), ("t",)),
    "decay": Shape("a*exp(-k*x)+c", {"a": 3, "k": 6, "c": 1}, ("a", "c"), ("k",)),
    "well": Shape("D*(1-exp(-a*(x-r)))^2+c", {"D": 1, "a": 6, "r": 0.2, "c": -1}, ("D", "c"), ("r",)),
}


def said(result):
    return [caution for caution in result.cautions if not isinstance(caution, str) and caution.kind in KINDS]


def missed_and_told(shape, seed, starts, n=60, r_squared=0.99):
    """How often the best optimum is missed by a hundredth of the loss, and how often a better one is told."""
    random = np.random.default_rng(seed)
    x = np.linspace(0, 1, n)
    data = x, shape.target(x, math.sqrt((1 - r_squared) / r_squared) * random.normal(size=n))
    results = [shape.fit(data, shape.truth), *(shape.fit(data, shape.start(random)) for _ in range(starts))]
    best = min(result.least_squares.residual_sum_of_squares for result in results)
    counts = Counter()
    for result in results:
        if result.status is Status.CONVERGED:  # others say themselves that other starts are needed
            missed = result.least_squares.residual_sum_of_squares > 1.01 * best
            counts[missed, FactKind.BETTER_MINIMUM in {caution.kind for caution in said(result)}] += 1
    return counts


@pytest.mark.parametrize("signs", ["++--+-", "+++++---", "+-+-+-+", "++++-", "--++--++-"])
def test_the_probability_of_few_runs_is_that_of_all_orders(signs):
    rows = np.array([1.0 if sign == "+" else -1.0 for sign in signs])
    places = itertools.combinations(range(len(rows)), int((rows > 0).sum()))
    every = []
    for chosen in places:
        order = np.full(len(rows), -1.0)
        order[list(chosen)] = 1.0
        every.append(1 + int((order[1:] != order[:-1]).sum()))
    tested = runs_of_signs(rows)
    assert tested.expected == pytest.approx(np.mean(every))
    assert tested.z == pytest.approx((tested.runs - np.mean(every)) / np.std(every))
    assert tested.probability == pytest.approx(np.mean(np.array(every) <= tested.runs))


def test_many_signs_are_about_normal():
    rows = np.random.default_rng(3).normal(size=1000)
    tested = runs_of_signs(rows)
    assert tested.probability == pytest.approx(norm.cdf(tested.z + 0.5 / 15.8), abs=0.005)


@pytest.mark.parametrize("name", ["peak", "cosine"])
def test_a_missed_optimum_is_told_and_a_reached_one_is_not(name):
    counts = missed_and_told(SHAPES[name], seed=5, starts=6)
    assert counts[True, True] > 0
    assert counts[True, False] == counts[False, True] == 0


@pytest.mark.slow
@pytest.mark.parametrize("r_squared", [0.95, 0.99])
@pytest.mark.parametrize("n", [30, 60, 120])
@pytest.mark.parametrize("name", SHAPES)
def test_every_missed_optimum_is_told(name, n, r_squared):
    counts = missed_and_told(SHAPES[name], seed=n, starts=20, n=n, r_squared=r_squared)
    assert counts[True, False] == counts[False, True] == 0
    assert counts[True, True] + counts[False, False] > 0


def test_the_starts_that_are_told_lead_to_the_better_minimum():
    shape, x = SHAPES["lorentzian"], np.linspace(0, 1, 50)
    data = x, shape.target(x, 0.1 * np.random.default_rng(1).normal(size=50))
    result = shape.fit(data, {"m": 0.1, "g": 0.05})
    (caution,) = said(result)
    assert caution.kind is FactKind.BETTER_MINIMUM
    assert caution.parameters == ("m", "g")
    again = shape.fit(data, dict(zip(caution.parameters, caution.numbers["starts"], strict=True)))
    assert again.loss["train"] == pytest.approx(caution.numbers["better_loss"], rel=1e-3)
    assert result.loss["train"] == pytest.approx(caution.numbers["loss"])
    assert not said(again)
    assert "local minimum" in sentence(caution)
    assert "other starts" in sentence(caution)


class Peak(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.place, self.width, self.height = (nn.Parameter(torch.tensor(value)) for value in (0.8, 0.05, 1.0))

    def forward(self, x):
        return self.height * torch.exp(-0.5 * ((x - self.place) / self.width) ** 2)


def peak(x, place, width, height):
    return height * torch.exp(-0.5 * ((x - place) / width) ** 2)


@pytest.mark.parametrize(
    "model",
    [
        Peak(),
        FunctionModel(peak, parameters={"place": 0.8, "width": 0.05, "height": {"start": 1.0, "lower": 0}}),
        FormulaModel(
            "height*exp(-0.5*((x-place)/width)^2)",
            ["x"],
            {
                "height": {"start": 1.0, "lower": 0},
                "place": {"start": 0.8, "lower": 0, "upper": 1},
                "width": {"start": 0.05, "lower": 0},
            },
        ),
    ],
    ids=["module", "function", "bounded"],
)
@pytest.mark.parametrize("objective", [None, HuberError(0.1), CauchyError(0.1)], ids=["squares", "Huber", "Cauchy"])
def test_every_model_and_objective_is_looked_at(model, objective):
    random = np.random.default_rng(2)
    x = np.linspace(0, 1, 60)
    y = 2 * np.exp(-0.5 * ((x - 0.25) / 0.05) ** 2) + 0.05 * random.normal(size=60)
    result = fit(model, (x, y), objective=objective)
    assert result.status is Status.CONVERGED
    if result.parameters["place"].estimate == pytest.approx(0.25, abs=0.01):
        assert not said(result)
    else:
        (caution,) = said(result)
        starts = dict(zip(caution.parameters, caution.numbers["starts"], strict=True))
        assert starts["place"] == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize(
    ("distribution", "arguments", "sample"),
    [
        ("Normal", {"loc": "{}", "scale": 1.0}, lambda random, mean: random.normal(mean, 0.3)),
        ("Poisson", {"rate": "exp({})"}, lambda random, mean: random.poisson(np.exp(mean))),
    ],
)
def test_a_likelihood_is_looked_at_by_its_mean(distribution, arguments, sample):
    random = np.random.default_rng(9)
    x = np.linspace(0, 1, 80)
    y = sample(random, 1 + 3 * np.exp(-0.5 * ((x - 0.2) / 0.04) ** 2))
    formula = {
        name: text.format("A*exp(-0.5*((x-m)/s)^2)+c") if isinstance(text, str) else text
        for name, text in arguments.items()
    }

    def fitted(place: float) -> paramfit.FitResult:
        starts = {"A": 1.0, "m": place, "s": 0.05, "c": 1.0}
        return fit(paramfit.DistributionModel(f"torch.distributions.{distribution}", formula, starts), (x, y))

    (caution,) = said(fitted(0.8))
    assert dict(zip(caution.parameters, caution.numbers["starts"], strict=True))["m"] == pytest.approx(0.2, abs=0.02)
    assert not said(fitted(0.21))


def test_a_wrong_model_is_systematic_and_no_other_minimum_is_claimed():
    x = np.linspace(0, 3, 80)
    y = np.exp(-x) + 0.4 * x + 0.01 * np.random.default_rng(4).normal(size=80)
    (caution,) = said(fit(FormulaModel("a*exp(-k*x)", ["x"], {"a": None, "k": 1.0}), (x, y)))
    assert caution.kind is FactKind.SYSTEMATIC_RESIDUALS
    assert "x" in sentence(caution)


@pytest.mark.parametrize("rows", [40, 50_000])
def test_noise_alone_is_no_fault(rows):
    random = np.random.default_rng(6)
    x = random.uniform(0, 1, rows)
    y = np.exp(-2 * x) + 3 * random.standard_t(4, rows)
    assert not said(fit(FormulaModel("a*exp(-k*x)", ["x"], {"a": None, "k": 2.0}), (x, y)))


def test_many_rows_are_looked_at_by_some():
    random = np.random.default_rng(7)
    x = np.linspace(0, 1, 200_000)
    y = np.sin(400 * x) + 0.3 * random.normal(size=len(x))
    result = fit(FormulaModel("a*sin(w*x)+b*cos(w*x)", ["x"], {"a": None, "b": None, "w": 360.0}), (x, y))
    (caution,) = said(result)
    assert caution.numbers["starts"] == pytest.approx((400.0,), abs=0.1)


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (np.repeat([1.0, 2.0, 3.0, 4.0], 12), np.tile(np.sort(np.random.default_rng(8).normal(size=12)), 4)),
        (np.linspace(0, 1, 60), np.exp(-np.linspace(0, 1, 60))),  # exact: residuals are rounding
    ],
    ids=["sorted replicates", "exact"],
)
def test_an_order_that_means_nothing_is_no_fault(x, y):
    assert not said(fit(FormulaModel("a*exp(-k*x) + 10", ["x"], {"a": None, "k": 1.0}), (x, y + 10)))


def test_a_line_is_solved_exactly_and_has_no_other_minimum():
    x = np.linspace(0, 1, 60)
    assert not said(fit(paramfit.LinearModel(), (x, x**2)))


def test_the_caution_is_in_the_report_and_in_the_file(tmp_path: Path):
    shape, x = SHAPES["peak"], np.linspace(0, 1, 40)
    result = shape.fit((x, shape.target(x, 0)), {"m": 0.9, "s": 0.03})
    (caution,) = said(result)
    assert "local minimum" in " ".join(result.report(200).split())
    assert sentence(caution) in " ".join(json.loads(result.save(tmp_path).read_text())["warnings"])
    assert said(paramfit.load(tmp_path)) == [caution]


@pytest.mark.slow
@pytest.mark.parametrize("name", SHAPES)
def test_true_models_are_seldom_called_wrong(name):
    spoken, fits = [], 0
    for seed in range(18):
        random = np.random.default_rng(1000 + seed)
        n = int(10 ** random.uniform(1, 3))
        x = random.uniform(0, 1, n) if seed % 3 else np.sort(random.choice(np.linspace(0, 1, max(8, n // 4)), n))
        share = [0.05, 0.2, 0.5, 0.9, 0.99, 0.999][seed % 6]
        spread = 0.2 + x if seed % 4 == 3 else np.ones(n)
        noise = [random.normal(size=n), random.standard_t(3, n), random.exponential(1, n) - 1][seed // 6]
        y = SHAPES[name].target(x, math.sqrt((1 - share) / share) * spread * noise)
        result = SHAPES[name].fit((x, y), SHAPES[name].truth)
        if result.status is Status.CONVERGED:
            fits += 1
            spoken += [(seed, n, share)] if said(result) else []
    assert fits >= 12
    assert not spoken
