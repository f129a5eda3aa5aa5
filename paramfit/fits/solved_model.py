"""A model solved to convergence, without a Trainer."""

from typing import Any

import torch

from paramfit.observations import Observations
from paramfit.passes.base import Pass
from paramfit.passes.likelihood_terms import LikelihoodTerms
from paramfit.passes.look import MOST_ROWS_POLISHED, Look, Polish, SlopeLook
from paramfit.passes.residual_rows import ResidualRows
from paramfit.solvers.gauss_newton import GaussNewton, GaussNewtonState
from paramfit.solvers.loop import solve
from paramfit.solvers.newton_raphson import NewtonRaphson, NewtonState
from paramfit.solvers.parameter_vector import ParameterVector

__all__ = ["solve_least_squares", "solve_likelihood"]


def solve_least_squares(
    rows: ResidualRows, observations: Observations, most_steps: int = 1000, solver: GaussNewton | None = None
) -> tuple[GaussNewtonState, int]:
    """Fit a model in place by least squares.

    Args:
        rows: of the model and its objective.
        observations: all rows.
        most_steps: when to give up.
        solver: with its tolerances.

    Returns:
        The state as it ended, and the steps it took.

    Raises:
        InputError: if the model is not finite at the start.
    """
    solver, vector = solver or GaussNewton(), ParameterVector(rows.parameters)
    polish = None
    if observations.n <= MOST_ROWS_POLISHED:
        polish = Polish(solver, SlopeLook(rows, observations, vector))
    with torch.inference_mode():  # a tenth quicker than no_grad
        return _solved(solver, rows, observations, vector, most_steps, polish)


def solve_likelihood(
    terms: LikelihoodTerms, observations: Observations, most_steps: int = 1000, solver: NewtonRaphson | None = None
) -> tuple[NewtonState, int]:
    """Fit a model in place by maximum likelihood.

    Args:
        terms: of the model and its objective.
        observations: all rows.
        most_steps: when to give up.
        solver: with its tolerances.

    Returns:
        The state as it ended, and the steps it took.

    Raises:
        InputError: if the likelihood is not finite at the start.
    """
    with torch.no_grad():
        vector = ParameterVector(terms.parameters)
        return _solved(solver or NewtonRaphson(), terms, observations, vector, most_steps)


def _solved(
    solver: Any, pass_: Pass[Any], observations: Observations, vector: ParameterVector, most: int, polish: Any = None
) -> tuple[Any, int]:
    start = solver.start(vector.read())
    state, steps = solve(solver, start, Look(pass_, observations, vector), most, polish)
    vector.write(state.theta)
    return state, steps
