"""The loop that every solver is run by."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, TypeVar

import numpy as np

from paramfit.linalg.lapack import Array
from paramfit.solvers.value import Value

__all__ = ["Solver", "Start", "solve"]


Sums = TypeVar("Sums", contravariant=True)


class Solver(Protocol[Sums]):
    """A method and its tolerances, without data and without parameters.

    Its states are values that say whether they have ``ended`` and, if not, which ``trial`` is to be looked at next.
    """

    def advance(self, state: Any, sums: Sums) -> Any:
        """The state after judging what was summed up at the point where the state asked to look."""


@dataclass(frozen=True, eq=False)
class Start(Value):
    """Where a solver begins: nothing has been looked at."""

    theta: Array  # the starting point, (p,), and the first to be looked at
    expected: bool = True  # whether the expected curvature is wanted there

    ended: ClassVar[bool] = False
    slacks: ClassVar[bool] = False

    @property
    def trial(self) -> Array:
        """Where to look."""
        return self.theta


# What is beyond the numbers on the way is not taken.
@np.errstate(over="ignore", invalid="ignore", divide="ignore")
def solve(
    solver: Solver[Sums],
    state: Any,
    look: Callable[[Any], Sums],
    most_steps: int,
    polish: Callable[[Any], Any] | None = None,
) -> tuple[Any, int]:
    """Look, advance, and so on to the end; the last state, and the number of steps.

    ``polish`` wins the last digits of a state that is all but at its end, and leaves others as they are.
    """
    steps = 0
    while not state.ended and steps < most_steps:
        state = solver.advance(state, look(state))
        if polish is not None:
            state = polish(state)
        steps += 1
    return state, steps
