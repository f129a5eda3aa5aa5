"""What the solvers have in common as torch optimizers, on the one whose trials are written down."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from paramfit.errors import InputError
from paramfit.linalg.lapack import Array
from paramfit.solvers.loop import Start, solve
from paramfit.solvers.solver_optimizer import SolverOptimizer
from paramfit.solvers.standing import Finding, Standing
from paramfit.solvers.value import Value


@dataclass(frozen=True, eq=False)
class Best(Value):
    """The lowest loss so far, and where it was."""

    theta: Array
    loss: float

    @property
    def best(self) -> "Best":
        """Itself."""
        return self

    @property
    def standing(self) -> Standing:
        """At the end below 1."""
        return Standing(Finding.EXACT if self.ended else Finding.OFFSET_LEFT)

    @property
    def ended(self) -> bool:
        """Below 1."""
        return self.loss < 1

    @property
    def trial(self) -> Array:
        """One further."""
        return self.theta if self.ended else self.theta + 1.0


@dataclass(frozen=True)
class Downhill:
    """Accepts what is lower."""

    slowness: float = 1.0

    def start(self, theta: Array) -> Start:
        """Where it begins."""
        return Start(theta)

    def advance(self, state: Start | Best, loss: float) -> Best:
        """Judge."""
        return Best(state.trial, loss) if isinstance(state, Start) or loss < state.loss else state


class Scripted(SolverOptimizer[Best]):
    """It as an optimizer."""

    kinds = (*SolverOptimizer.kinds, Best)

    def __init__(self, *parameters: object) -> None:
        super().__init__(parameters, Downhill())  # type: ignore[arg-type]

    def fill_gradients(self) -> None:
        """None."""


LOSSES = [5.0, 3.0, 4.0, 0.5]


def parameter(value: float = 0.0, dtype: torch.dtype = torch.float64) -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.tensor(value, dtype=dtype))


def test_rejected_trial_leaves_the_parameters_at_the_best_point():
    theta, losses = parameter(), iter(LOSSES)
    solver, looked_at = Scripted(theta), []

    def closure() -> float:
        looked_at.append(theta.item())
        return next(losses)

    assert [solver.step(closure) for _ in LOSSES] == [5.0, 3.0, 3.0, 0.5]
    assert looked_at == [0.0, 1.0, 2.0, 2.0]  # the third trial is rejected, and made again
    assert (theta.item(), solver.converged, solver.stalled, solver.is_done()) == (2.0, True, False, True)
    assert solver.step(closure) == 0.5  # without asking for another pass


def test_sums_are_judged_as_those_of_a_closure_are():
    theta = parameter()
    solver = Scripted(theta)
    assert [solver.step(sums=loss) for loss in LOSSES] == [5.0, 3.0, 3.0, 0.5]
    assert theta.item() == 2.0
    with pytest.raises(InputError, match=r"Scripted\.step needs a closure"):
        Scripted(parameter()).step()


def test_the_loop_makes_the_same_steps():
    looks: list[float] = []

    def look(state: Start | Best) -> float:
        looks.append(float(state.trial[0]))
        return LOSSES[len(looks) - 1]

    state, steps = solve(Downhill(), Start(np.zeros(1)), look, 10)
    assert (state.loss, steps, looks) == (0.5, 4, [0.0, 1.0, 2.0, 2.0])
    looks.clear()
    state, steps = solve(Downhill(), Start(np.zeros(1)), look, 10, lambda best: replace(best, loss=best.loss / 5))
    assert (steps, looks) == (2, [0.0, 1.0])  # 5 / 5 is not below 1, and 0.6 is


def test_parameters_are_at_the_trial_for_as_long_as_it_is_looked_at():
    theta = parameter()
    solver = Scripted(theta)
    solver.step(sums=5.0)
    with solver.at_trial() as state:
        assert theta.item() == state.trial[0] == 1.0
    assert theta.item() == 0.0


def test_a_checkpoint_is_a_state_and_before_the_first_step_a_fresh_start():
    first, second = Scripted(parameter()), Scripted(parameter(7.0))
    second.load_state_dict(first.state_dict())
    assert second.reached.theta == 7.0
    first.step(sums=5.0)
    second.load_state_dict(first.state_dict())
    assert second.reached == first.reached


def test_what_it_cannot_solve_for_is_refused():
    with pytest.raises(InputError, match="Scripted needs parameters in float64"):
        Scripted(parameter(dtype=torch.float32))
    with pytest.raises(InputError, match="in one group"):
        Scripted({"params": [parameter()]}, {"params": [parameter()]})
