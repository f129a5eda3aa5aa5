"""A problem fitted as ``paramfit fit`` does it: a table from disk, a formula, the task, a Trainer."""

from collections.abc import Sequence
from pathlib import Path

from lightning.pytorch import Trainer

from paramfit import FitReport, FitResult, FormulaModel, LeastSquares, TableDataModule
from tests.reference.nist.problem import Problem

__all__ = ["fit_problem", "model_of"]
from tests.quiet import QUIET


def model_of(problem: Problem, start: int) -> FormulaModel:
    """The model at the file's start 0 or 1."""
    return FormulaModel(problem.formula, list(problem.inputs), problem.starts(start))


def fit_problem(problem: Problem, path: Path, start: int = 0, order: Sequence[int] | None = None) -> FitResult:
    """What the task finds, with its defaults, from the table that is written to ``path``."""
    problem.write(path, order)
    trainer = Trainer(**QUIET, max_epochs=1000, callbacks=[report := FitReport(enabled=False)])
    trainer.fit(
        LeastSquares(model_of(problem, start)),
        TableDataModule(path=str(path), inputs=list(problem.inputs), target=problem.target),
    )
    assert report.result is not None
    return report.result
