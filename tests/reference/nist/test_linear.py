"""The linear sets of NIST, their rows in any order."""

import random
from pathlib import Path

import pytest

from tests.reference.nist.accuracy import log_relative_error
from tests.reference.nist.dataset import Kind
from tests.reference.nist.fitting import fit_problem
from tests.reference.nist.problem import Problem, problems

PROBLEMS = {problem.dataset.name: problem for problem in problems(Kind.LINEAR)}
ORDERS = ["file", "reversed", "sorted", "sorted by target", "shuffled 1", "shuffled 2", "shuffled 3", "shuffled 4"]

each_problem = pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)


def rows_in(order: str, problem: Problem) -> list[int]:
    """The numbers of the file's rows in the named order."""
    rows = list(range(problem.dataset.n))
    kind, _, seed = order.partition(" ")
    if kind == "shuffled":
        random.Random(int(seed)).shuffle(rows)
    elif kind == "sorted":
        column = problem.columns[problem.target if seed else problem.inputs[0]]
        rows.sort(key=lambda row: float(column[row]))
    elif kind == "reversed":
        rows.reverse()
    return rows


def digits(problem: Problem, order: str) -> float:
    result = fit_problem(problem, Path("table.csv"), order=rows_in(order, problem))
    return min(
        log_relative_error(result.parameters[name].estimate, certified.estimate, cap=15)
        for name, certified in problem.dataset.parameters.items()
    )


@pytest.mark.parametrize("order", ORDERS)
@each_problem
def test_every_parameter_has_six_digits(problem, order):
    assert digits(problem, order) >= 6


def test_filip_has_seven_digits_in_the_order_of_its_file():
    assert digits(PROBLEMS["Filip"], "file") >= 7


@each_problem
def test_standard_errors(problem):
    parameters = fit_problem(problem, Path("table.csv")).parameters
    for name, certified in problem.dataset.parameters.items():
        error = parameters[name].standard_error
        assert certified.standard_error is not None
        # Wampler1 and Wampler2 leave no residual at all: rounding is what remains of their errors.
        if certified.standard_error == 0:
            assert error < 1e-6
        else:
            assert log_relative_error(error, certified.standard_error, cap=15) >= 6


@each_problem
def test_one_iteration_is_enough(problem):
    result = fit_problem(problem, Path("table.csv"))
    assert (result.status, result.updates) == ("converged", 1)
