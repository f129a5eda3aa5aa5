"""The formulas are those of the files: at the certified parameters they leave the certified residuals."""

import csv
from pathlib import Path

import numpy as np
import pytest

from tests.reference.nist.accuracy import log_relative_error
from tests.reference.nist.dataset import Kind
from tests.reference.nist.formulas import FORMULAS, INTERCHANGEABLE, evaluate
from tests.reference.nist.problem import Problem, problems

REGRESSIONS = {problem.dataset.name: problem for kind in (Kind.NONLINEAR, Kind.LINEAR) for problem in problems(kind)}
PROBLEMS = {**REGRESSIONS, **{problem.dataset.name: problem for problem in problems(Kind.UNIVARIATE)}}
# What the printed digits of the parameters leave of the residuals where these are certified as nothing, or nearly so.
NEARLY_NOTHING = {"Lanczos1": 1e-20, "Wampler1": 1e-20, "Wampler2": 1e-20}


def residuals(problem: Problem) -> np.ndarray:
    columns = {name: np.array([float(cell) for cell in cells]) for name, cells in problem.columns.items()}
    certified = {name: estimate.estimate for name, estimate in problem.dataset.parameters.items()}
    return columns[problem.target] - evaluate(problem.formula, certified | columns)


def test_every_set_has_a_formula():
    assert FORMULAS.keys() == PROBLEMS.keys()


@pytest.mark.parametrize("problem", REGRESSIONS.values(), ids=REGRESSIONS)
def test_formula_leaves_the_certified_sum_of_squares(problem):
    name, certified = problem.dataset.name, problem.dataset.residual_sum_of_squares
    assert certified is not None
    sum_of_squares = float((residuals(problem) ** 2).sum())
    if name in NEARLY_NOTHING:
        assert max(sum_of_squares, certified) < NEARLY_NOTHING[name]
    else:
        assert log_relative_error(sum_of_squares, certified, cap=11) >= 8


@pytest.mark.parametrize("name", INTERCHANGEABLE)
def test_swapping_terms_leaves_the_model_as_it_is(name):
    problem = REGRESSIONS[name]
    first, second = INTERCHANGEABLE[name][:2]
    values = {parameter: certified.estimate for parameter, certified in problem.dataset.parameters.items()}
    swapped = values | {a: values[b] for a, b in zip((*first, *second), (*second, *first), strict=True)}
    x = np.linspace(0.1, 1.0, 7)
    assert swapped != values
    np.testing.assert_allclose(
        evaluate(problem.formula, swapped | {"x": x}), evaluate(problem.formula, values | {"x": x}), rtol=1e-14
    )


@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)
def test_table_holds_the_cells_as_printed(problem):
    problem.write(Path("table.csv"))
    with Path("table.csv").open(newline="", encoding="ascii") as file:
        header, *rows = csv.reader(file)
    assert header == [*problem.inputs, problem.target]
    assert tuple(zip(*rows, strict=True)) == tuple(problem.columns[name] for name in header)


def test_nelson_fits_the_logarithm():
    problem = REGRESSIONS["Nelson"]
    y, log_y = ([float(cell) for cell in problem.columns[name]] for name in ("y", "log_y"))
    assert problem.target == "log_y"
    np.testing.assert_array_equal(log_y, np.log(y))
