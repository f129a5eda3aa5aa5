"""The nonlinear sets of NIST, from both starts of each file, with one set of defaults."""

from statistics import fmean
from typing import NamedTuple

import pytest
import torch

import paramfit
from paramfit.fits.result import FitResult
from tests.reference.nist.accuracy import Accuracy, accuracy_of
from tests.reference.nist.dataset import Kind
from tests.reference.nist.fitting import fit_problem, model_of
from tests.reference.nist.problem import Problem, problems

PROBLEMS = {problem.dataset.name: problem for problem in problems(Kind.NONLINEAR)}
CASES = [(name, start) for name in PROBLEMS for start in (0, 1)]

each_start = pytest.mark.parametrize(("name", "start"), CASES, ids=[f"{name}-start{n + 1}" for name, n in CASES])


class Fitted(NamedTuple):
    result: FitResult
    accuracy: Accuracy


Fits = dict[tuple[str, int], Fitted]


def accuracy(problem: Problem, result: FitResult) -> Accuracy:
    errors = {name: certified.standard_error for name, certified in result.parameters.items()}
    return accuracy_of(
        problem.dataset,
        {name: certified.estimate for name, certified in result.parameters.items()},
        {name: float("nan") if error is None else error for name, error in errors.items()},
        cap=11,
    )


@pytest.fixture(scope="module")
def fits(tmp_path_factory: pytest.TempPathFactory) -> Fits:
    folder = tmp_path_factory.mktemp("nonlinear")
    actual = {}
    for name, start in CASES:
        result = fit_problem(PROBLEMS[name], folder / f"{name}{start}.csv", start)
        actual[name, start] = Fitted(result, accuracy(PROBLEMS[name], result))
    return actual


@each_start
def test_every_parameter_has_six_digits(fits, name, start):
    assert fits[name, start].accuracy.estimates >= 6


@each_start
def test_the_fit_says_that_it_converged(fits, name, start):
    assert fits[name, start].result.status == "converged"


def test_digits_of_the_estimates_on_average(fits):
    assert len(fits) == 54
    assert fmean(fit.accuracy.estimates for fit in fits.values()) >= 9.5


def test_standard_errors_have_four_digits_but_for_two_fits(fits):
    fewer = {case: fit.accuracy.standard_errors for case, fit in fits.items() if fit.accuracy.standard_errors < 4}
    assert len(fewer) <= 2, fewer


@pytest.mark.parametrize("name", ["Misra1a", "Nelson", "Lanczos3"])
def test_fit_without_a_trainer_finds_the_same_digits(fits, name):
    problem = PROBLEMS[name]
    *inputs, target = (
        torch.tensor([float(cell) for cell in problem.columns[column]], dtype=torch.float64)
        for column in (*problem.inputs, problem.target)
    )
    result = paramfit.fit(model_of(problem, 0), (*inputs, target))
    assert {key: (certified.estimate, certified.standard_error) for key, certified in result.parameters.items()} == {
        key: (certified.estimate, certified.standard_error)
        for key, certified in fits[name, 0].result.parameters.items()
    }
