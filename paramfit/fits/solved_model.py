"""A model solved to convergence, without a Trainer."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from paramfit.fits.no_maximum import beyond_doubt
from paramfit.linalg.lapack import Array
from paramfit.observations import Observations
from paramfit.passes.base import Pass
from paramfit.passes.likelihood_terms import LikelihoodTerms
from paramfit.passes.residual_rows import ResidualRows
from paramfit.solvers.gauss_newton import GaussNewton
from paramfit.solvers.gauss_newton_state import GaussNewtonState
from paramfit.solvers.loop import Start, solve
from paramfit.solvers.newton_raphson import NewtonRaphson, NewtonState
from paramfit.solvers.parameter_vector import ParameterVector
from paramfit.solvers.polishing import PolishingState

__all__ = ["MOST_ROWS_POLISHED", "SlopeLook", "solve_model"]

MOST_ROWS_POLISHED = 100_000
"""Of more rows, no error is so small that the digits a polish wins could matter."""


def solve_model(
    pass_: Pass[Any], observations: Observations, solver: GaussNewton | NewtonRaphson, most_steps: int = 1000
) -> tuple[Any, int]:
    """Fit a model in place.

    Args:
        pass_: ``ResidualRows`` for Gauss-Newton, ``LikelihoodTerms`` for Newton; its model is fitted.
        observations: all rows.
        solver: with its tolerances.
        most_steps: when to give up.

    Returns:
        The solver's state as it ended, and the steps it took.

    Raises:
        InputError: if the model is not finite at the start.
    """
    vector = ParameterVector(pass_.parameters)
    polish: Callable[[Any], Any] | None = None
    if isinstance(pass_, LikelihoodTerms) and isinstance(solver, NewtonRaphson):
        polish = _Doubt(solver, pass_, observations, vector)
    if isinstance(pass_, ResidualRows) and isinstance(solver, GaussNewton) and observations.n <= MOST_ROWS_POLISHED:
        polish = _Polish(solver, SlopeLook(pass_, observations, vector))
    # Inference mode is a tenth quicker, but nothing can be differentiated in it.
    with torch.no_grad() if pass_.differentiates else torch.inference_mode():
        look = _Look(pass_, observations, vector)
        state, steps = solve(solver, solver.start(vector.read()), look, most_steps, polish)
        vector.write(state.best.theta)
    return state.best, steps


@dataclass(frozen=True)
class _Look:
    """From a solver's state to the sums at its trial; the parameters are there afterwards."""

    pass_: Pass[Any]
    observations: Observations
    vector: ParameterVector

    def __call__(self, state: Any) -> Any:
        self.vector.write(state.trial)
        if isinstance(state, Start):
            return self.pass_.at_start(self.observations, expected=state.expected)
        return self.pass_(self.observations, expected=state.expected, slacks=state.slacks)


@dataclass(frozen=True)
class _Doubt:
    """From a state to the same, or to beyond where it is doubtful whether there is a maximum; see ``beyond_doubt``."""

    solver: NewtonRaphson
    terms: LikelihoodTerms
    observations: Observations
    vector: ParameterVector

    def __call__(self, state: NewtonState) -> NewtonState:
        return beyond_doubt(state, self.solver, self.terms, self.observations, self.vector)


@dataclass(frozen=True)
class SlopeLook:
    """From the state of a polish to :math:`J^T e` at its trial; the parameters are there afterwards.

    Attributes:
        rows: whose slope it is.
        observations: all rows.
        vector: the model's parameters.
    """

    rows: ResidualRows
    observations: Observations
    vector: ParameterVector

    def __call__(self, state: PolishingState) -> Array:
        """Look."""
        if state.trial is not None:
            self.vector.write(state.trial)
        return self.rows.slope(self.observations, state.unit)


@dataclass(frozen=True)
class _Polish:
    """From a state to the same with its last digits won, where it is near its end; see ``GaussNewton.polished``."""

    solver: GaussNewton
    look: SlopeLook

    def __call__(self, state: GaussNewtonState) -> GaussNewtonState:
        return self.solver.polished(state, self.look)
