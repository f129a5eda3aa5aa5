"""What a least-squares fit costs beside SciPy's ``curve_fit`` with its defaults.

The model is an exponential with three parameters, ``a * exp(-b * x) + c``, in float64. In one process the two fits
alternate, at least five rounds; the table gives their medians, the ratio of these, and how far apart the estimates lie,
in standard errors. Both models stand before the clock starts, SciPy's as a function and paramfit's as a parsed formula;
what parsing and differentiating it costs, once, has a column of its own.

    python benchmarks/least_squares.py       # both sizes
    python benchmarks/least_squares.py --rounds 9 --only small
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
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.optimize import curve_fit

import paramfit
from paramfit.models import FormulaModel

Array = NDArray[np.float64]

_TRUTH = (2.5, 1.3, 0.5)
_START = {"a": 1.0, "b": 1.0, "c": 0.0}
_NOISE = 0.05


class Size(NamedTuple):
    """One comparison: how many observations, fits in one timing, and the bound of paramfit's time over curve_fit's."""

    key: str
    observations: int
    repeats: int
    bound: float


SIZES = (Size("large", 10**6, 1, 0.5), Size("small", 50, 20, 10.0))


class Found(NamedTuple):
    """Estimates and standard errors, in the order a, b, c."""

    estimates: Array
    standard_errors: Array


def exponential(x: Array, a: float, b: float, c: float) -> Array:
    """The model as NumPy has it."""
    return a * np.exp(-b * x) + c


def sample(observations: int) -> tuple[Array, Array]:
    """Evenly spaced x, and y with Gaussian noise."""
    x = np.linspace(0.0, 4.0, observations)
    return x, exponential(x, *_TRUTH) + np.random.default_rng(0).normal(0.0, _NOISE, observations)


def by_curve_fit(x: Array, y: Array) -> Found:
    """SciPy, from the same start."""
    estimates, covariance = curve_fit(exponential, x, y, p0=list(_START.values()))
    return Found(estimates, np.sqrt(np.diag(covariance)))


def parsed() -> FormulaModel:
    """The model as paramfit has it."""
    return FormulaModel("a*exp(-b*x) + c", ["x"], _START)


def by_paramfit(model: FormulaModel, x: Array, y: Array) -> Found:
    """paramfit, which fits a copy of the model."""
    parameters = paramfit.fit(model, (x, y)).parameters
    return Found(
        np.array([parameters[name].estimate for name in _START]),
        np.array([parameters[name].standard_error for name in _START], dtype=np.float64),
    )


def seconds(work: Callable[[], object], repeats: int) -> float:
    """How long the work takes, once."""
    start = time.perf_counter()
    for _ in range(repeats):
        work()
    return (time.perf_counter() - start) / repeats


def compare(size: Size, rounds: int) -> tuple[dict[str, float], float]:
    """Median seconds of each, and the largest difference of the estimates in standard errors."""
    x, y = sample(size.observations)
    model = parsed()
    fits: dict[str, Callable[[], Found]] = {
        "curve_fit": lambda: by_curve_fit(x, y),
        "paramfit": lambda: by_paramfit(model, x, y),
    }
    known, found = (fit() for fit in fits.values())  # and what is paid once is paid
    taken: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, fit in fits.items():
            taken.setdefault(name, []).append(seconds(fit, size.repeats))
        taken.setdefault("parsing", []).append(seconds(parsed, 1))
    difference = float(np.max(np.abs(found.estimates - known.estimates) / known.standard_errors))
    return {name: statistics.median(times) for name, times in taken.items()}, difference


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=[size.key for size in SIZES], default=None, help="one size")
    chosen = parser.parse_args()
    table = Table(
        title=f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}, "
        f"scipy {scipy.__version__}"
    )
    for column in (
        "observations",
        "curve_fit, ms",
        "paramfit, ms",
        "ratio",
        "parsing, ms",
        "difference in standard errors",
    ):
        table.add_column(column, justify="right")
    for size in SIZES:
        if chosen.only in (None, size.key):
            median, difference = compare(size, chosen.rounds)
            ratio = median["paramfit"] / median["curve_fit"]
            table.add_row(
                f"{size.observations}",
                f"{1e3 * median['curve_fit']:.2f}",
                f"{1e3 * median['paramfit']:.2f}",
                f"{ratio:.2f} (≤ {size.bound:g}{'' if ratio <= size.bound else ', MISSED'})",
                f"{1e3 * median['parsing']:.2f}",
                f"{difference:.1e}",
            )
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
