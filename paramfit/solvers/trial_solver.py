"""What the solvers have in common: one pass over the data for each trial point, which is accepted or rejected."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer

from paramfit.errors import InputError
from paramfit.linalg.lapack import Array
from paramfit.solvers.parameter_vector import ParameterVector

__all__ = ["TrialSolver", "kept", "restored"]


class _Point(Protocol):
    """What is known of the best point so far."""

    @property
    def loss(self) -> float: ...


class TrialSolver(Optimizer, ABC):
    """A solver in the manner of ``torch.optim``, whose closure sums up all rows at a trial point.

    Args:
        params: the parameters, all float64.
        options: by name, for the parameter group.

    Raises:
        InputError: for several parameter groups, or parameters that are not float64.
    """

    point: _Point | None

    def __init__(self, params: Iterable[Tensor], options: dict[str, Any]) -> None:
        super().__init__(params, options)
        if len(self.param_groups) > 1:
            msg = f"{type(self).__name__} solves for all parameters together: give them in one group"
            raise InputError(msg)
        parameters: list[Tensor] = self.param_groups[0]["params"]
        if any(parameter.dtype != torch.float64 for parameter in parameters):
            msg = f"{type(self).__name__} needs parameters in float64"
            raise InputError(msg)
        self.converged = False
        self.stalled = False
        self.reason = ""
        self.point = None
        self._vector = ParameterVector(parameters)
        self._start: Array | None = None
        self._theta: Array | None = None
        self._trial: Array | None = None
        self._promised = 0.0

    def is_done(self) -> bool:
        """Whether another step would change nothing."""
        return self.converged or self.stalled

    @contextmanager
    def at_trial(self) -> Iterator[None]:
        """Have the parameters at the trial point, and back where they were afterwards."""
        before, there = self._vector.read(), self._next()
        if there is not None:
            self._vector.write(there)
        try:
            yield
        finally:
            if there is not None:
                self._vector.write(before)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any]) -> float:  # type: ignore[override]  # it cannot do without
        """Judge one trial point, and go there if it is better.

        Args:
            closure: sums up all rows at the parameters as it finds them.

        Returns:
            The sum of the losses at the parameters as they are afterwards.
        """
        return self.update(closure)

    def update(self, closure: Callable[[], Any]) -> float:
        """One step without torch's hooks around ``step``, which cost as much as a small fit; call under no_grad."""
        if not self.is_done():
            there = self._next()
            if there is not None:
                self._vector.write(there)
            self._judge(closure(), self._vector.read() if there is None else there)
            assert self._theta is not None  # the first trial is always accepted
            self._vector.write(self._theta)
        assert self.point is not None
        return self.point.loss

    def _next(self) -> Array | None:
        """The trial point, ``(p,)``, found when it is asked for: a polish may end the fit first. None at the start."""
        if self._trial is None and self.point is not None and not self.is_done():
            self._propose()
        return self._trial

    @abstractmethod
    def _propose(self) -> None:
        """Find the next trial point, and the decrease of the loss that is promised there."""

    @abstractmethod
    def _judge(self, sums: Any, there: Array) -> None:
        """Accept or reject the trial point ``there``, ``(p,)``, by the sums found at it."""


def kept(value: Any) -> Any:
    """An array as the tensor that a checkpoint can hold."""
    return torch.from_numpy(value.copy()) if isinstance(value, np.ndarray) else value


def restored(value: Any) -> Any:
    """What ``kept`` was given."""
    return value.numpy().copy() if isinstance(value, Tensor) else value
