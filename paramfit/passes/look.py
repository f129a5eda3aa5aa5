"""A pass over all rows, from where the state of a solver asks to look."""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from paramfit.linalg.lapack import Array
from paramfit.observations import Observations
from paramfit.passes.base import Pass, Sums
from paramfit.passes.residual_rows import ResidualRows
from paramfit.solvers.gauss_newton import GaussNewton, GaussNewtonState
from paramfit.solvers.loop import Start
from paramfit.solvers.parameter_vector import ParameterVector
from paramfit.solvers.polishing import PolishingState

__all__ = ["MOST_ROWS_POLISHED", "Look", "Polish", "SlopeLook"]

MOST_ROWS_POLISHED = 100_000
"""Of more rows, no error is so small that the digits a polish wins could matter."""


S = TypeVar("S", bound=Sums)


@dataclass(frozen=True)
class Look(Generic[S]):
    """From a state to the sums at its trial; the parameters are there afterwards.

    Attributes:
        pass_: what is summed up.
        observations: all rows.
        vector: the model's parameters.
    """

    pass_: Pass[S]
    observations: Observations
    vector: ParameterVector

    def __call__(self, state: Any) -> S:
        """Look."""
        self.vector.write(state.trial)
        if isinstance(state, Start):
            return self.pass_.at_start(self.observations, expected=state.expected)
        return self.pass_(self.observations, expected=state.expected)


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
        return self.rows.slope(self.observations)


@dataclass(frozen=True)
class Polish:
    """From a state to the same with its last digits won, where it is near its end; see ``GaussNewton.polished``.

    Attributes:
        solver: whose states they are.
        look: at the slope.
    """

    solver: GaussNewton
    look: SlopeLook

    def __call__(self, state: GaussNewtonState) -> GaussNewtonState:
        """Polish."""
        return self.solver.polished(state, self.look)
