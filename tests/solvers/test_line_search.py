"""Line searches with some parameters held, on functions whose constrained minima are known."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from paramfit.solvers.line_search import GaussNewtonSearch, LineSearchState, NewtonSearch
from paramfit.solvers.loop import solve
from paramfit.solvers.sums import Layout, LikelihoodSums, ResidualSums

Function = Callable[[Tensor], Tensor]


def rosenbrock(t: Tensor) -> Tensor:
    return 100 * (t[1] - t[0] ** 2) ** 2 + (1 - t[0]) ** 2


def likelihood_look(value: Function) -> Callable[[LineSearchState], object]:
    def look(state: LineSearchState) -> LikelihoodSums | float:
        at = torch.from_numpy(state.trial)
        if state.step is not None:
            return value(at).item()
        slope, curvature = torch.func.grad(value)(at), torch.func.hessian(value)(at)
        return LikelihoodSums(value(at).item(), slope.numpy(), curvature.numpy(), 1)

    return look


def searched(free: tuple[int, ...], *start: float, value: Function = rosenbrock) -> LineSearchState:
    search, theta = NewtonSearch(free), np.array(start)
    state, _ = solve(search, search.start(theta, value(torch.from_numpy(theta)).item()), likelihood_look(value), 10**4)
    assert isinstance(state, LineSearchState)
    return state


@pytest.mark.parametrize(
    ("free", "start", "end"),
    [((0, 1), (-1.2, 1.0), (1.0, 1.0)), ((1,), (-1.2, 1.0), (-1.2, 1.44)), ((0,), (3.0, 0.0), (0.161262, 0.0))],
    ids=["all", "the first held", "the second held"],
)
def test_constrained_minimum_is_reached(free, start, end):
    # With the second held at 0: 400 x^3 + 2 x - 2 = 0.
    state = searched(free, *start)
    assert state.is_minimum
    assert state.theta == pytest.approx(end, abs=1e-5)


def test_nothing_to_move_is_a_minimum_and_a_start_that_is_not_finite_is_none():
    assert searched((), 2.0, 2.0).is_minimum
    nowhere = NewtonSearch((0,)).start(np.array([1.0]), math.nan)
    assert (nowhere.ended, nowhere.is_minimum) == (True, False)


def test_descent_without_an_end_is_no_minimum():
    state = searched((0,), 0.0, value=lambda t: -t.sum() - 1e-3 * t.square().sum())
    assert (state.ended, state.is_minimum, state.taken) == (True, False, 60)


def test_gauss_newton_solves_a_line_at_once_and_scales_what_it_promises():
    x, y = torch.linspace(0.0, 1.0, 9, dtype=torch.float64), torch.arange(9, dtype=torch.float64).square()
    sums = ResidualSums.of(Layout.plain(2), torch.stack([x, torch.ones_like(x), y]))
    direction = GaussNewtonSearch((0, 1), scale=3.0).direction(sums, np.full(2, -np.inf), np.full(2, np.inf))
    line = np.polyfit(x.numpy(), y.numpy(), 1)
    assert direction.step == pytest.approx(line, rel=1e-12)
    rest = np.square(y.numpy() - np.polyval(line, x.numpy())).sum()
    assert direction.promised == pytest.approx(3 * (y.square().sum().item() - rest), rel=1e-12)
