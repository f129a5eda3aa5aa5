"""What one fit of 50 rows costs beside SciPy and lmfit, for each way to write the model, and what building it costs.

The fits of ``a * exp(-b * x) + c`` begin at the same start, with estimates and standard errors read. In one process all
alternate; the table gives medians, their ratio to ``curve_fit``'s, and the largest difference from its estimates in its
standard errors. Chebyquad with nine nodes, whose rows all depend on all of them, is a module beside SciPy's ``lm``.
Below are likelihoods of 50 values and regressions of 50 counts, in milliseconds, and what a formula
takes to be built: parsed and differentiated for the first time, and again.

    python benchmarks/small_fits.py
    python benchmarks/small_fits.py --rounds 101
"""

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import lmfit
import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.optimize import curve_fit, least_squares
from torch import Tensor, nn

import paramfit

Array = NDArray[np.float64]
Fit = Callable[[], tuple[Array, Array]]  # to estimates and standard errors

START = {"a": 1.0, "b": 1.0, "c": 0.0}
BOUNDS = {"formula": 4.0, "function": 8.0, "module": 10.0}  # times curve_fit
MOST_OF_CHEBYQUAD = 10.0  # times SciPy
MOST_MS = 3.0  # of a likelihood
FIRST_MS, AGAIN_MS = 5.0, 0.2  # of building a formula


class Decay(nn.Module):
    """The curve as a user's own module."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = (nn.Parameter(torch.tensor(start)) for start in START.values())

    def forward(self, x: Tensor) -> Tensor:
        """Evaluate it."""
        return self.a * torch.exp(-self.b * x) + self.c


class Chebyquad(nn.Module):
    """Means of shifted Chebyshev polynomials at nodes (Fletcher, 1965)."""

    def __init__(self, nodes: int) -> None:
        super().__init__()
        self.nodes = nn.Parameter(torch.from_numpy(equally_spaced(nodes)))

    def forward(self, degree: Tensor) -> Tensor:
        """One mean for each degree, from 1 on."""
        return torch.stack([mean for mean, _ in zip(chebyshev_means(self.nodes), degree, strict=False)])


def equally_spaced(nodes: int) -> Array:
    """Where they start."""
    return np.arange(1, nodes + 1) / (nodes + 1)


def chebyshev_means(nodes: Any) -> Iterator[Any]:
    """The means at tensors or arrays."""
    before, here = 1 + 0 * nodes, 2 * nodes - 1
    while True:
        yield here.mean()
        before, here = here, 2 * (2 * nodes - 1) * here - before


def chebyquads(nodes: int) -> dict[str, Callable[[], object]]:
    """SciPy and paramfit."""
    degrees = np.arange(1.0, nodes + 1)
    integrals = np.where(degrees % 2 == 1, 0.0, -1 / (degrees**2 - np.where(degrees == 1, 0.0, 1.0)))

    def residual(at: Array) -> Array:
        return np.array([mean for mean, _ in zip(chebyshev_means(at), degrees, strict=False)]) - integrals

    return {
        "SciPy's lm": lambda: least_squares(residual, equally_spaced(nodes), method="lm"),
        "Chebyquad": partial(paramfit.fit, Chebyquad(nodes), (degrees, integrals)),
    }


def curve(x: Array, a: float, b: float, c: float) -> Array:
    """For NumPy."""
    return a * np.exp(-b * x) + c


def torch_curve(x: Tensor, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """For torch."""
    return a * torch.exp(-b * x) + c


def of_paramfit(model: nn.Module, x: Array, y: Array) -> Fit:
    """A fit whose estimates and errors are read."""

    def fit() -> tuple[Array, Array]:
        parameters = paramfit.fit(model, (x, y)).parameters
        return (
            np.array([parameters[name].estimate for name in START]),
            np.array([parameters[name].standard_error for name in START], dtype=np.float64),
        )

    return fit


def curve_fits(x: Array, y: Array) -> dict[str, Fit]:
    """By who fits."""

    def by_curve_fit() -> tuple[Array, Array]:
        estimates, covariance = curve_fit(curve, x, y, p0=list(START.values()))
        return estimates, np.sqrt(np.diag(covariance))

    model = lmfit.Model(curve)

    def by_lmfit() -> tuple[Array, Array]:
        parameters = model.fit(y, x=x, **START).params
        return np.array([parameters[k].value for k in START]), np.array([parameters[k].stderr for k in START])

    return {
        "curve_fit": by_curve_fit,
        "lmfit": by_lmfit,
        "formula": of_paramfit(paramfit.FormulaModel("a*exp(-b*x) + c", ["x"], START), x, y),
        "function": of_paramfit(paramfit.FunctionModel(torch_curve, parameters=START), x, y),
        "module": of_paramfit(Decay(), x, y),
    }


def likelihoods(random: np.random.Generator) -> dict[str, Callable[[], object]]:
    """Samples, and counts on a line."""
    x = np.linspace(0.0, 1.0, 50)
    samples = {
        "Gamma": ({"concentration": None, "rate": None}, (random.gamma(2.0, 1.0, 50),)),
        "Weibull": ({"scale": None, "concentration": None}, (random.weibull(2.0, 50),)),
        "Poisson": ({"rate": None}, (random.poisson(3.0, 50).astype(float),)),
    }
    fits: dict[str, Callable[[], object]] = {}
    for name, (arguments, data) in samples.items():
        model = paramfit.DistributionModel(f"torch.distributions.{name}", arguments)
        fits[name] = partial(paramfit.fit, model, data)
    counts = random.poisson(np.exp(1.0 + x)).astype(float)
    line = paramfit.DistributionModel(
        "torch.distributions.Poisson", {"rate": "exp(a + b*x)"}, {"a": 0.0, "b": 0.0}, ["x"]
    )
    fits["Poisson regression"] = lambda: paramfit.fit(line, (x, counts))
    return fits


def seconds(work: Callable[[], object]) -> float:
    """How long the work takes, once."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def medians(works: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Milliseconds of each, in turn, after a few to warm up."""
    taken: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds + 5):
        for name, work in works.items():
            passed = seconds(work)
            if number >= 5:
                taken[name].append(1e3 * passed)
    return {name: statistics.median(times) for name, times in taken.items()}


def judged(value: float, bound: float, form: str = ".1f") -> str:
    """A number with its bound."""
    return f"{value:{form}} (≤ {bound:g}{'' if value <= bound else ', MISSED'})"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=41)
    rounds = parser.parse_args().rounds
    random = np.random.default_rng(0)
    x = np.linspace(0.0, 4.0, 50)
    y = curve(x, 2.5, 1.3, 0.5) + random.normal(0.0, 0.05, 50)
    console = Console(width=110)
    fits = curve_fits(x, y)
    best, errors = fits["curve_fit"]()
    table = Table(title=f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}: 50 rows")
    for column in ("fit", "ms", "over curve_fit", "difference in standard errors"):
        table.add_column(column, justify="right")
    taken = medians(dict(fits), rounds)
    for name, fit in fits.items():
        ratio = taken[name] / taken["curve_fit"]
        off = float(np.abs((fit()[0] - best) / errors).max())
        table.add_row(
            name, f"{taken[name]:.2f}", judged(ratio, BOUNDS[name]) if name in BOUNDS else f"{ratio:.1f}", f"{off:.0e}"
        )
    beside = medians(chebyquads(9), rounds)
    ratio = beside["Chebyquad"] / beside["SciPy's lm"]
    table.add_row("Chebyquad, 9 nodes", f"{beside['Chebyquad']:.2f}", f"of lm: {judged(ratio, MOST_OF_CHEBYQUAD)}", "")
    console.print(table)
    of_likelihoods = medians(likelihoods(random), rounds)
    table = Table(title="likelihoods of 50 rows, and building a formula")
    for column in ("what", "ms"):
        table.add_column(column, justify="right")
    for name, each in of_likelihoods.items():
        table.add_row(name, judged(each, MOST_MS, ".2f"))

    def build(number: int) -> Callable[[], object]:
        return lambda: paramfit.FormulaModel(f"a*exp(-b*x) + c + {number}", ["x"], START)

    first = statistics.median(1e3 * seconds(build(number)) for number in range(1, 22))
    again = statistics.median(1e3 * seconds(build(21)) for _ in range(rounds))
    table.add_row("a formula, for the first time", judged(first, FIRST_MS, ".2f"))
    table.add_row("again", judged(again, AGAIN_MS, ".2f"))
    console.print(table)


if __name__ == "__main__":
    main()
