"""What lies before the solver: the formula and the table, beside NumPy and Python's own float."""

from pathlib import Path

import numpy as np
import pytest

from paramfit import FormulaModel, TableDataModule
from tests.reference.nist.dataset import Kind
from tests.reference.nist.formulas import evaluate
from tests.reference.nist.problem import Problem, problems

PROBLEMS = {problem.dataset.name: problem for kind in Kind for problem in problems(kind)}
LINEAR = {
    "ENSO": {"b1", "b2", "b3", "b5", "b6", "b8", "b9"}, "Gauss1": {"b1", "b3", "b6"}, "Hahn1": {"b1", "b2", "b3", "b4"},
    "Lanczos1": {"b1", "b3", "b5"}, "MGH17": {"b1", "b2", "b3"}, "Nelson": {"b1", "b2"}, "Rat43": {"b1"},
    "Roszman1": {"b1", "b2"}, "Chwirut1": set(),
}  # fmt: skip

each_problem = pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)


def read(problem: Problem) -> TableDataModule:
    problem.write(Path("table.csv"))
    data = TableDataModule(path="table.csv", inputs=list(problem.inputs), target=problem.target)
    data.setup("fit")
    return data


@each_problem
def test_table_is_read_to_the_last_bit(problem):
    observations = read(problem).train
    columns = [*observations.inputs, observations.target]
    assert [column.tolist() for column in columns] == [
        [float(cell) for cell in problem.columns[name]] for name in (*problem.inputs, problem.target)
    ]


@each_problem
def test_model_predicts_what_numpy_evaluates(problem):
    certified = {name: estimate.estimate for name, estimate in problem.dataset.parameters.items()}
    inputs = {name: np.array([float(cell) for cell in problem.columns[name]]) for name in problem.inputs}
    model = FormulaModel(problem.formula, list(problem.inputs), certified)
    predicted = model(*read(problem).train.inputs).detach().numpy()
    np.testing.assert_allclose(
        predicted, evaluate(problem.formula, certified | inputs), rtol=0, atol=tolerance(problem)
    )


def tolerance(problem: Problem) -> float:
    """A few rounding errors of the largest value; Filip's terms are 1e5 times as large as their sum."""
    largest = max(abs(float(cell)) for cell in problem.columns[problem.target])
    return largest * (1e-8 if problem.dataset.name == "Filip" else 1e-14)


@pytest.mark.parametrize("name", LINEAR)
def test_parameters_that_need_no_start_are_found(name):
    problem = PROBLEMS[name]
    model = FormulaModel(problem.formula, list(problem.inputs), problem.starts(0))
    assert set(model.linear_parameters()) == LINEAR[name]
