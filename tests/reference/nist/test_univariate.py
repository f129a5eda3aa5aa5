"""The univariate sets of NIST: a mean is the least-squares fit of a constant."""

import math
from pathlib import Path

import pytest

from tests.reference.nist.accuracy import log_relative_error
from tests.reference.nist.dataset import Kind
from tests.reference.nist.fitting import fit_problem
from tests.reference.nist.problem import problems

PROBLEMS = {problem.dataset.name: problem for problem in problems(Kind.UNIVARIATE)}

each_problem = pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)


@each_problem
def test_mean_has_fourteen_digits(problem):
    mean = fit_problem(problem, Path("table.csv")).parameters["mu"].estimate
    assert log_relative_error(mean, problem.dataset.parameters["mu"].estimate, cap=15) >= 14


@each_problem
def test_standard_deviation_has_eight_digits(problem):
    error = fit_problem(problem, Path("table.csv")).parameters["mu"].standard_error
    deviation = error * math.sqrt(problem.dataset.n)
    assert log_relative_error(deviation, problem.dataset.residual_standard_deviation, cap=15) >= 8
