"""What maximum likelihood and the bootstrap cost beside statsmodels and SciPy.

- ``poisson``: a Poisson regression with a log link and four coefficients, beside statsmodels' ``GLM``.
- ``gamma`` and ``weibull``: a sample and its two parameters, beside ``scipy.stats``' ``fit`` with ``floc=0``. SciPy has
  gamma's maximum from one equation in the sample's means, so that paramfit has a bound in seconds there.
- ``bootstrap``: 1000 resamples of 200 rows of ``a * exp(-b * x) + c``, beside as many calls of ``curve_fit``, each from
  the estimate on, as paramfit's begin.

In one process the two alternate, at least five rounds; the table gives their medians, the ratio of these, and how far
apart the estimates lie, in standard errors. For the bootstrap these are its standard errors, and the difference is one
of drawing: two of 1000 resamples each differ by 0.03 of themselves. SciPy's Weibull fit ends where its search by
likelihoods alone does, some hundredths of a standard error from the maximum.

    python benchmarks/likelihood.py       # all four
    python benchmarks/likelihood.py --rounds 9 --only weibull
"""

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import scipy
import scipy.stats
import statsmodels
import statsmodels.api as sm
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.optimize import curve_fit

import paramfit
from paramfit.inference.bootstrap.resamples import bootstrap
from paramfit.inference.loss_function import LossFunction

Array = NDArray[np.float64]
Fit = Callable[[], Array]

_ROWS = 10**6
_RESAMPLED_ROWS = 200
_RESAMPLES = 1000


class Rivals(NamedTuple):
    """Two ways to the same numbers, and the standard errors by which their difference is measured."""

    other: Fit
    paramfit: Fit
    standard_errors: Array


class Comparison(NamedTuple):
    """One line of the table: who the other is, and the bound of paramfit's time, over the other's or in seconds."""

    rival: str
    make: Callable[[], Rivals]
    most_ratio: float | None
    most_seconds: float | None = None


def poisson() -> Rivals:
    """Counts whose logarithmic rate is linear in three inputs."""
    generator = np.random.default_rng(0)
    inputs = generator.normal(size=(3, _ROWS))
    counts = generator.poisson(np.exp(0.3 + np.array([0.2, -0.1, 0.05]) @ inputs)).astype(np.float64)
    design = np.column_stack([np.ones(_ROWS), *inputs])
    model = paramfit.DistributionModel(
        "torch.distributions.Poisson",
        {"rate": "exp(a + b*x1 + c*x2 + d*x3)"},
        coefficients=dict.fromkeys("abcd", 0.0),
        variables=["x1", "x2", "x3"],
    )
    return Rivals(
        lambda: np.asarray(sm.GLM(counts, design, family=sm.families.Poisson()).fit().params),
        lambda: _estimates(paramfit.fit(model, (*inputs, counts)), "abcd"),
        _standard_errors(paramfit.fit(model, (*inputs, counts)), "abcd"),
    )


def gamma() -> Rivals:
    """A gamma sample."""
    y = np.random.default_rng(0).gamma(2.5, 1 / 1.7, _ROWS)

    def by_scipy() -> Array:
        concentration, _, scale = scipy.stats.gamma.fit(y, floc=0)
        return np.array([concentration, 1 / scale])

    return _sample("torch.distributions.Gamma", ("concentration", "rate"), y, by_scipy)


def weibull() -> Rivals:
    """A Weibull sample."""
    y = 2.0 * np.random.default_rng(0).weibull(1.5, _ROWS)

    def by_scipy() -> Array:
        concentration, _, scale = scipy.stats.weibull_min.fit(y, floc=0)
        return np.array([concentration, scale])

    return _sample("torch.distributions.Weibull", ("concentration", "scale"), y, by_scipy)


def _sample(distribution: str, names: tuple[str, str], y: Array, by_scipy: Fit) -> Rivals:
    model = paramfit.DistributionModel(distribution, dict.fromkeys(names))
    return Rivals(
        by_scipy,
        lambda: _estimates(paramfit.fit(model, (y,)), names),
        _standard_errors(paramfit.fit(model, (y,)), names),
    )


def resampled() -> Rivals:
    """The bootstrap's standard errors of an exponential with three parameters."""
    x = np.linspace(0.0, 4.0, _RESAMPLED_ROWS)
    y = exponential(x, 2.5, 1.3, 0.5) + np.random.default_rng(0).normal(0.0, 0.05, _RESAMPLED_ROWS)
    model = paramfit.FormulaModel("a*exp(-b*x) + c", ["x"], {"a": 1.0, "b": 1.0, "c": 0.0})
    result = paramfit.fit(model, (x, y))
    assert result.origin is not None
    loss = LossFunction(*result.origin)
    estimate = _estimates(result, "abc")

    def by_curve_fit() -> Array:
        generator = np.random.default_rng(0)
        found = []
        for _ in range(_RESAMPLES):
            rows = generator.integers(_RESAMPLED_ROWS, size=_RESAMPLED_ROWS)
            found.append(curve_fit(exponential, x[rows], y[rows], p0=estimate)[0])
        errors: Array = np.std(np.array(found), axis=0, ddof=1)
        return errors

    def by_paramfit() -> Array:
        return np.asarray(bootstrap(loss, loss.theta, _RESAMPLES).standard_errors)

    return Rivals(by_curve_fit, by_paramfit, _standard_errors(result, "abc"))


def exponential(x: Array, a: float, b: float, c: float) -> Array:
    """The model as NumPy has it."""
    return a * np.exp(-b * x) + c


def _estimates(result: paramfit.FitResult, names: str | tuple[str, ...]) -> Array:
    return np.array([result.parameters[name].estimate for name in names])


def _standard_errors(result: paramfit.FitResult, names: str | tuple[str, ...]) -> Array:
    return np.array([result.parameters[name].standard_error for name in names], dtype=np.float64)


COMPARISONS = {
    "poisson": Comparison("statsmodels GLM", poisson, 1.0),
    "gamma": Comparison("scipy.stats", gamma, None, 0.2),
    "weibull": Comparison("scipy.stats", weibull, 1 / 5),
    "bootstrap": Comparison("a loop of curve_fit", resampled, 1 / 5),
}


def seconds(work: Fit) -> float:
    """How long the work takes, once."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def compare(rivals: Rivals, rounds: int) -> tuple[float, float, float]:
    """Median seconds of the other and of paramfit, and the largest difference in standard errors."""
    known, found = rivals.other(), rivals.paramfit()  # and what is paid once is paid
    taken = [(seconds(rivals.other), seconds(rivals.paramfit)) for _ in range(rounds)]
    other, ours = (statistics.median(times) for times in zip(*taken, strict=True))
    return other, ours, float(np.max(np.abs(found - known) / rivals.standard_errors))


def _judged(value: float, bound: float | None, form: str) -> str:
    if bound is None:
        return format(value, form)
    return f"{value:{form}} (≤ {bound:g}{'' if value <= bound else ', MISSED'})"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=list(COMPARISONS), default=None, help="one comparison")
    chosen = parser.parse_args()
    table = Table(
        title=f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}, "
        f"scipy {scipy.__version__}, statsmodels {statsmodels.__version__}"
    )
    for column in ("", "beside", "other, s", "paramfit, s", "ratio", "difference in standard errors"):
        table.add_column(column, justify="left" if column in {"", "beside"} else "right")
    for name, (rival, make, most_ratio, most_seconds) in COMPARISONS.items():
        if chosen.only in (None, name):
            other, ours, difference = compare(make(), chosen.rounds)
            table.add_row(
                name,
                rival,
                f"{other:.3f}",
                _judged(ours, most_seconds, ".3f"),
                _judged(ours / other, most_ratio, ".2f"),
                f"{difference:.1e}",
            )
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
