"""A solver in the manner of ``torch.optim``: its state, and the parameters that follow it."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, ClassVar, Generic, TypeVar

import torch
from torch import Tensor
from torch.optim import Optimizer

from paramfit.errors import InputError
from paramfit.solvers.loop import Start
from paramfit.solvers.parameter_vector import ParameterVector
from paramfit.solvers.standing import Finding, Standing
from paramfit.solvers.value import as_plain, from_plain

__all__ = ["SolverOptimizer"]

S = TypeVar("S", bound=Any)


class SolverOptimizer(Optimizer, ABC, Generic[S]):
    """The state of a solver, and its parameters, in one group and all float64, at its best point."""

    #: What a state that is kept in a checkpoint is made of.
    kinds: ClassVar[tuple[type, ...]] = (Start, Standing, Finding)

    #: The task that it solves.
    task: ClassVar[str]

    def __init__(self, params: Iterable[Tensor], solver: Any) -> None:
        super().__init__(params, asdict(solver))
        if len(self.param_groups) > 1:
            raise InputError(f"{type(self).__name__} solves for all parameters together: give them in one group")
        parameters: list[Tensor] = self.param_groups[0]["params"]
        if any(parameter.dtype != torch.float64 for parameter in parameters):
            raise InputError(f"{type(self).__name__} needs parameters in float64")
        self.solver = solver
        self.vector = ParameterVector(parameters)
        self._reached: S | None = None

    @property
    def reached(self) -> Any:
        """The state; before the first step the start is where the parameters are."""
        if self._reached is not None:
            return self._reached
        return self.solver.start(self.vector.read())

    @property
    def converged(self) -> bool:
        """Whether the parameters are at a minimum."""
        return self._reached is not None and self._reached.standing.converged

    @property
    def stalled(self) -> bool:
        """Whether no step leads on, though they are not."""
        return self._reached is not None and self._reached.standing.stalled

    def is_done(self) -> bool:
        """Whether another step would change nothing."""
        return self._reached is not None and self._reached.ended

    def go_to(self, state: S) -> None:
        """Take over a state, and have the parameters at its best point."""
        self._reached = state
        self.vector.write(state.best.theta)

    @contextmanager
    def at_trial(self) -> Iterator[Any]:
        """Have the parameters at the trial point of the state, and back where they were afterwards."""
        before, state = self.vector.read(), self.reached
        self.vector.write(state.trial)
        try:
            yield state
        finally:
            self.vector.write(before)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None, *, sums: Any = None) -> float:  # type: ignore[override]
        """Judge one trial point, and go there if it is better.

        Args:
            closure: sums up all rows at the parameters as it finds them, the trial point.
            sums: the same, summed up already ``at_trial``; what the closure returns is not looked at then.

        Returns:
            The sum of the losses at the parameters as they are afterwards.

        Raises:
            InputError: if there is neither.
        """
        state = self.reached
        if not state.ended:
            if closure is not None:
                with self.at_trial():
                    summed = closure()
                sums = summed if sums is None else sums
            if sums is None:
                raise InputError(f"{type(self).__name__}.step needs a closure that sums up all rows, or their sums")
            self.go_to(self.solver.advance(state, sums))
        return float(self.reached.loss)

    def state_dict(self) -> dict[str, Any]:
        """Where the solver is, besides torch's own."""
        return {**super().state_dict(), "solver": as_plain(self._reached)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there."""
        super().load_state_dict({key: value for key, value in state_dict.items() if key != "solver"})
        self._reached = from_plain(state_dict["solver"], self.kinds)

    @abstractmethod
    def fill_gradients(self, count: int = 1) -> None:
        """Give each parameter the gradient of the summed loss over ``count`` as its ``grad``, for whoever looks."""
