"""What the solvers have in common, on the one whose trials are written down."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from paramfit.errors import InputError
from paramfit.linalg.lapack import Array
from paramfit.solvers.trial_solver import TrialSolver, kept, restored


@dataclass
class Seen:
    """A loss, and the parameter at which it was found."""

    loss: float
    at: float


class Scripted(TrialSolver):
    """Accepts what is lower, proposes one further, and has converged below 1."""

    proposals = 0

    def _judge(self, sums: Seen, there: Array) -> None:
        if self.point is None or sums.loss < self.point.loss:
            self.point, self._theta = sums, there
        self._trial, self.converged = None, self.point.loss < 1

    def _propose(self) -> None:
        assert self._theta is not None
        self._trial = self._theta + 1.0
        self.proposals += 1


def parameter(value: float = 0.0, dtype: torch.dtype = torch.float64) -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.tensor(value, dtype=dtype))


def test_rejected_trial_leaves_the_parameters_at_the_best_point() -> None:
    theta = parameter()
    solver = Scripted([theta], {})
    losses = iter([5.0, 3.0, 4.0, 0.5])
    seen = []

    def closure() -> Seen:
        seen.append(theta.item())
        return Seen(next(losses), theta.item())

    assert [solver.step(closure) for _ in range(4)] == [5.0, 3.0, 3.0, 0.5]
    assert seen == [0.0, 1.0, 2.0, 2.0]  # the third trial is rejected, and made again
    assert theta.item() == 2.0
    assert solver.is_done()
    assert solver.step(closure) == 0.5  # without asking for another pass
    assert solver.proposals == 3  # and without finding another trial


def test_parameters_are_at_the_trial_for_as_long_as_it_is_looked_at() -> None:
    theta = parameter()
    solver = Scripted([theta], {})
    solver.step(lambda: Seen(5.0, 0.0))
    with solver.at_trial():
        assert theta.item() == 1.0
    assert theta.item() == 0.0


def test_what_it_cannot_solve_for_is_refused() -> None:
    with pytest.raises(InputError, match="Scripted needs parameters in float64"):
        Scripted([parameter(dtype=torch.float32)], {})
    with pytest.raises(InputError, match="in one group"):
        Scripted([{"params": [parameter()]}, {"params": [parameter()]}], {})  # type: ignore[list-item]


def test_arrays_survive_a_checkpoint() -> None:
    values = np.array([1.0, 2.0])
    again = restored(kept(values))
    np.testing.assert_array_equal(again, values)
    again[0] = 5.0
    assert values[0] == 1.0
    assert restored(kept("reason")) == "reason"
