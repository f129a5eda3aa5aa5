"""The certified digits that paramfit, SciPy and lmfit reach on the nonlinear sets of NIST.

Every solver starts from both starting points of each of the 27 files, with one setting for all: the defaults, unless
its row says otherwise. SciPy's are allowed 100 000 evaluations; its own limits would end a few fits early. Accuracy is
the log relative error, LRE = -log10(|estimate - certified| / |certified|), the smallest over the parameters, capped at
11, modulo a swap of interchangeable terms.

    python benchmarks/nist.py                # the table
    python benchmarks/nist.py --sets         # and each start's digits, parameters / standard errors
    python benchmarks/nist.py --only paramfit
"""

import argparse
import logging
import math
import sys
import tempfile
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import lmfit
import numpy as np
import scipy
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.optimize import curve_fit, least_squares

import paramfit

sys.path.append(str(Path(__file__).parent.parent))  # the sets and their reader lie with the tests

from tests.reference.nist.accuracy import Accuracy, accuracy_of
from tests.reference.nist.dataset import Kind
from tests.reference.nist.fitting import fit_problem
from tests.reference.nist.formulas import evaluate
from tests.reference.nist.problem import Problem, problems

Array = NDArray[np.float64]
Fit = Callable[[Problem, int], tuple[Sequence[float], Sequence[float]]]

_CAP = 11.0
_EVALUATIONS = 100_000


class Arrays(NamedTuple):
    """A problem as SciPy takes it."""

    inputs: Array
    target: Array
    start: Array
    predict: Callable[..., Array]

    @classmethod
    def of(cls, problem: Problem, start: int) -> "Arrays":
        """The columns, the start, and ``predict(inputs, *parameters)``."""
        columns = {name: np.array([float(cell) for cell in cells]) for name, cells in problem.columns.items()}
        names = list(problem.dataset.parameters)

        def predict(inputs: Array, *values: float) -> Array:
            known = dict(zip(names, values, strict=True)) | dict(zip(problem.inputs, inputs, strict=True))
            return np.asarray(evaluate(problem.formula, known))

        inputs = np.stack([columns[name] for name in problem.inputs])
        return cls(inputs, columns[problem.target], np.array(list(problem.starts(start).values())), predict)

    def residuals(self, values: Array) -> Array:
        """Prediction less target."""
        return self.predict(self.inputs, *values) - self.target


def by_paramfit(problem: Problem, start: int) -> tuple[Sequence[float], Sequence[float]]:
    """The task, with its defaults, from a table on disk."""
    with tempfile.TemporaryDirectory() as folder:
        found = fit_problem(problem, Path(folder) / "table.csv", start).parameters
    errors = [found[name].standard_error for name in problem.dataset.parameters]
    return (
        [found[name].estimate for name in problem.dataset.parameters],
        [math.nan if error is None else error for error in errors],
    )


def by_curve_fit(method: str, problem: Problem, start: int) -> tuple[Sequence[float], Sequence[float]]:
    """What most people call."""
    data = Arrays.of(problem, start)
    limit = {"maxfev" if method == "lm" else "max_nfev": _EVALUATIONS}
    estimates, covariance = curve_fit(data.predict, data.inputs, data.target, p0=data.start, method=method, **limit)
    return estimates.tolist(), np.sqrt(np.diag(covariance)).tolist()


def by_least_squares(options: dict[str, Any], problem: Problem, start: int) -> tuple[Sequence[float], Sequence[float]]:
    """SciPy's solvers with every tolerance at 1e-15, and the errors by QR of the Jacobian they return."""
    data = Arrays.of(problem, start)
    tolerances = {"ftol": 1e-15, "xtol": 1e-15, "gtol": 1e-15}
    found = least_squares(data.residuals, data.start, max_nfev=_EVALUATIONS, **tolerances, **options)
    inverse = np.linalg.inv(np.linalg.qr(found.jac, mode="r"))
    variance = 2 * found.cost / problem.dataset.degrees_of_freedom
    return found.x.tolist(), np.sqrt(variance * (inverse**2).sum(axis=1)).tolist()


def by_lmfit(problem: Problem, start: int) -> tuple[Sequence[float], Sequence[float]]:
    """Its ``minimize`` with its default method."""
    data = Arrays.of(problem, start)
    parameters = lmfit.Parameters()
    for name, value in problem.starts(start).items():
        parameters.add(name, value=value)

    def residuals(given: lmfit.Parameters) -> Array:
        return data.residuals(np.array(list(given.valuesdict().values())))

    found = lmfit.minimize(residuals, parameters, method="leastsq").params.values()
    return [each.value for each in found], [math.nan if each.stderr is None else each.stderr for each in found]


SOLVERS: dict[str, Fit] = {
    "paramfit": by_paramfit,
    "scipy curve_fit (lm)": partial(by_curve_fit, "lm"),
    "scipy curve_fit (trf)": partial(by_curve_fit, "trf"),
    "scipy least_squares lm, tolerances 1e-15": partial(by_least_squares, {"method": "lm"}),
    "scipy least_squares trf, 3-point, jac scaling, 1e-15": partial(
        by_least_squares, {"method": "trf", "jac": "3-point", "x_scale": "jac"}
    ),
    "lmfit leastsq": by_lmfit,
}


def measure(fit: Fit, problem: Problem, start: int) -> Accuracy:
    """The digits of one fit; none where the solver gave up."""
    try:
        estimates, errors = fit(problem, start)
    except (RuntimeError, ValueError, np.linalg.LinAlgError):
        return Accuracy(0.0, 0.0)
    names = problem.dataset.parameters
    return accuracy_of(
        problem.dataset,
        dict(zip(names, estimates, strict=True)),
        dict(zip(names, errors, strict=True)),
        _CAP,
    )


def at_least(digits: float, values: Sequence[float]) -> str:
    """How many of the values have so many digits."""
    return str(sum(value >= digits for value in values))


def summary(found: dict[str, list[Accuracy]]) -> Table:
    """One row a solver."""
    table = Table(
        title=f"54 nonlinear fits of NIST (paramfit {paramfit.__version__}, scipy {scipy.__version__}, "
        f"lmfit {lmfit.__version__})"
    )
    for column in ("solver", "parameters LRE ≥ 4", "≥ 6", "mean LRE", "standard errors LRE ≥ 4"):
        table.add_column(column, justify="left" if column == "solver" else "right")
    for name, accuracies in found.items():
        digits = [each.estimates for each in accuracies]
        errors = [each.standard_errors for each in accuracies]
        table.add_row(name, at_least(4, digits), at_least(6, digits), f"{fmean(digits):.2f}", at_least(4, errors))
    return table


def listing(cases: Sequence[tuple[Problem, int]], found: dict[str, list[Accuracy]]) -> Table:
    """One row a start, parameters / standard errors."""
    table = Table(title="digits of the worst parameter / of the worst standard error")
    for column in ("set", "start", *found):
        table.add_column(column, justify="left" if column == "set" else "right")
    for row, (problem, start) in enumerate(cases):
        cells = [f"{each[row].estimates:.1f} / {each[row].standard_errors:.1f}" for each in found.values()]
        table.add_row(problem.dataset.name, str(start + 1), *cells)
    return table


def main() -> None:
    """Fit and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sets", action="store_true", help="print the digits of every start as well")
    parser.add_argument("--only", choices=list(SOLVERS), default=None, help="one row")
    chosen = parser.parse_args()
    warnings.filterwarnings("ignore")
    np.seterr(all="ignore")
    for name in ("lightning.pytorch", "lightning.pytorch.utilities.rank_zero"):
        logging.getLogger(name).setLevel(logging.ERROR)
    cases = [(problem, start) for problem in problems(Kind.NONLINEAR) for start in (0, 1)]
    found = {
        name: [measure(fit, problem, start) for problem, start in cases]
        for name, fit in SOLVERS.items()
        if chosen.only in (None, name)
    }
    console = Console(width=160)
    if chosen.sets:
        console.print(listing(cases, found))
    console.print(summary(found))


if __name__ == "__main__":
    main()
