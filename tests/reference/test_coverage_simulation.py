"""What a 95 % interval promises: in 400 simulated data sets it covers the truth about 380 times."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from paramfit import FormulaModel, HuberError, LinearModel, Objective, ParametricModel, fit

Array = NDArray[np.float64]
REPEATS = 400
LEAST, MOST = 0.92, 0.98  # 2.75 standard deviations of a count of 400 on either side of 0.95


class Experiment(NamedTuple):
    """A truth, and how it is measured again and again."""

    model: Callable[[], ParametricModel]
    truth: dict[str, float]
    curve: Callable[..., Array]
    x: Array
    sigma: Array  # the standard deviation of each measurement
    given: float | None  # what the fit is given of sigma: nothing, sigma itself (1), or sigma in another unit
    at: int  # where the bands are looked at: the row of x whose sigma a new observation has there
    objective: Objective | None = None


def line(x: Array, weight: float, bias: float) -> Array:
    return weight * x + bias


def exponential(x: Array, height: float, rate: float, level: float) -> Array:
    return height * np.exp(-rate * x) + level


def saturation(x: Array, b1: float, b2: float) -> Array:
    return b1 * (1 - np.exp(-b2 * x))


def decay() -> FormulaModel:
    return FormulaModel("height * exp(-rate * x) + level", ["x"], {"height": None, "rate": 1.0, "level": None})


def bounded() -> FormulaModel:
    bounds = {"b1": {"start": 3, "lower": 0, "upper": 20}, "b2": {"start": 0.5, "lower": 0}}
    return FormulaModel("b1 * (1 - exp(-b2 * x))", ["x"], bounds)


def spread(n: int, low: float, high: float) -> Array:
    """Standard deviations that alternate between small and large."""
    return np.where(np.arange(n) % 2, low, high)


LINE = {"weight": 2.0, "bias": -1.0}
DECAY = {"height": 3.0, "rate": 0.8, "level": 1.0}
SATURATION = {"b1": 5.0, "b2": 0.7}
GRID = np.linspace(0, 5, 24)
EXPERIMENTS = {
    "line": Experiment(LinearModel, LINE, line, np.linspace(-1, 1, 20), np.full(20, 0.5), None, 3),
    "exponential": Experiment(decay, DECAY, exponential, GRID, np.full(24, 0.1), None, 8),
    "bounded": Experiment(bounded, SATURATION, saturation, GRID, np.full(24, 0.1), None, 15),
    "known unequal sigma": Experiment(decay, DECAY, exponential, GRID, spread(24, 0.05, 0.2), 1.0, 11),
    "relative sigma": Experiment(decay, DECAY, exponential, GRID, spread(24, 0.05, 0.2), 7.0, 12),
    "robust": Experiment(LinearModel, LINE, line, np.linspace(-1, 1, 40), np.full(40, 0.5), None, 3,
        HuberError(scale=0.67)),
    "robust, known unequal sigma": Experiment(decay, DECAY, exponential, np.linspace(0, 5, 40), spread(40, 0.05, 0.2),
        1.0, 8, HuberError(scale=1.345)),
}  # fmt: skip


def coverage(name: str) -> dict[str, float]:
    """How often each interval and band covered what it is for."""
    experiment = EXPERIMENTS[name]
    random = np.random.default_rng(1)
    x, sigma, at = experiment.x, experiment.sigma, experiment.at
    curve = experiment.curve(x, *experiment.truth.values())
    model = experiment.model()
    hits = dict.fromkeys([*experiment.truth, "confidence", "prediction"], 0)
    theirs: dict[str, Any] = {}
    if experiment.given is not None:
        theirs = {"sigma": experiment.given * sigma, "sigma_is": "absolute" if experiment.given == 1 else "relative"}
    new_sigma = None if experiment.given is None else experiment.given * sigma[[at]]
    for _ in range(REPEATS):
        y = curve + sigma * random.normal(size=len(x))
        result = fit(model, (x, y), objective=experiment.objective, **theirs)
        assert result.status == "converged"
        for parameter, truth in experiment.truth.items():
            low, high = result.parameters[parameter].interval_95 or (np.inf, -np.inf)
            hits[parameter] += low <= truth <= high
        bands = result.predict(x[[at]], sigma=new_sigma)
        hits["confidence"] += bool(bands.confidence[0] <= curve[at] <= bands.confidence[1])
        observed = curve[at] + sigma[at] * random.normal()
        low, high = bands.prediction_band or (np.inf, -np.inf)
        hits["prediction"] += bool(low <= observed <= high)
    return {what: count / REPEATS for what, count in hits.items()}


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_intervals_of_parameters_and_both_bands_cover_the_truth(name):
    shares = coverage(name)
    if name == "robust":  # takes the noise for anything but normal, and has no sigma for a new observation
        del shares["prediction"]
    assert all(LEAST <= share <= MOST for share in shares.values()), shares
