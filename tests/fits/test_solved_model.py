"""A model solved in place, beside NumPy and SciPy."""

from typing import Any

import numpy as np
import pytest
import scipy.optimize
import torch

from paramfit import DistributionModel, FormulaModel, InputError, NegativeLogLikelihood, Observations, SquaredError
from paramfit.fits.solved_model import solve_model
from paramfit.passes.likelihood_terms import LikelihoodTerms
from paramfit.passes.residual_rows import ResidualRows
from paramfit.solvers.gauss_newton import GaussNewton
from paramfit.solvers.newton_raphson import NewtonRaphson

X = np.linspace(0.0, 5.0, 40)
Y = 3 * np.exp(-0.7 * X) + 0.4 + np.random.default_rng(8).normal(0, 0.05, 40)
ROWS = Observations((torch.from_numpy(X),), torch.from_numpy(Y))


def decay(**starts: Any) -> FormulaModel:
    return FormulaModel("a * exp(-k * x) + c", ["x"], {"a": 1, "k": 1, "c": 0, **starts})


def values(model: torch.nn.Module) -> list[float]:
    return [parameter.item() for parameter in model.parameters()]


@pytest.mark.parametrize("separate", [True, False], ids=["separated", "together"])
def test_model_ends_at_scipys_minimum(separate):
    model = decay()
    state, steps = solve_model(ResidualRows(model, SquaredError(), separate=separate), ROWS, GaussNewton())
    expected, _ = scipy.optimize.curve_fit(
        lambda x, a, k, c: a * np.exp(-k * x) + c, X, Y, p0=(3, 0.7, 0.4), xtol=1e-15, ftol=1e-15, gtol=1e-15
    )
    assert state.standing.converged
    assert 1 < steps < 100
    assert values(model) == pytest.approx(expected, rel=1e-7)


def test_solvers_options_are_the_users():
    coarse = GaussNewton(orthogonality=1e6)
    _, few = solve_model(ResidualRows(decay(k=5), SquaredError()), ROWS, coarse)
    _, more = solve_model(ResidualRows(decay(k=5), SquaredError()), ROWS, GaussNewton())
    assert few < more


def test_start_that_is_not_finite_names_the_row():
    model = FormulaModel("a * log(x)", ["x"], {"a": 1})
    with pytest.raises(InputError, match="row 0"):
        solve_model(ResidualRows(model, SquaredError()), ROWS, GaussNewton())


def test_gradient_at_the_end_is_rounding():
    model = decay()
    rows = ResidualRows(model, SquaredError())
    solve_model(rows, ROWS, GaussNewton())
    ((ROWS.target - model(*ROWS.inputs)).square().sum() / 2).backward()
    left = [abs(parameter.grad.item()) for parameter in model.parameters() if parameter.grad is not None]
    assert len(left) == 3
    assert max(left) < 1e-12


BOUNDS = {"none": {}, "lower": {"lower": 0}, "both": {"lower": 0, "upper": 10}}


@pytest.mark.parametrize("start", [1.0, 1e-2, 1e-4, 1e-6])
@pytest.mark.parametrize("bounds", BOUNDS)
def test_bounded_fit_is_right_from_wherever_the_unbounded_one_is(bounds, start):
    x = torch.linspace(0.1, 10, 40, dtype=torch.float64)
    y = 3 * (1 - torch.exp(-0.5 * x))
    model = FormulaModel("b1*(1-exp(-b2*x))", ["x"], {"b1": None, "b2": {"start": start, **BOUNDS[bounds]}})
    model.leave_bounds_to_solver()
    state, _ = solve_model(ResidualRows(model, SquaredError()), Observations((x,), y), GaussNewton())
    assert state.standing.converged
    assert model.natural("b2").item() == pytest.approx(0.5, rel=1e-6)


SAMPLE = Observations((), torch.tensor([2.0, 3.0, 1.0, 6.0], dtype=torch.float64))


def terms() -> LikelihoodTerms:
    return LikelihoodTerms(DistributionModel("torch.distributions.Poisson", {"rate": 1.0}), NegativeLogLikelihood())


def test_rate_of_counts_is_their_mean():
    counts = terms()
    state, steps = solve_model(counts, SAMPLE, NewtonRaphson())
    assert state.standing.converged
    assert steps < 10
    assert counts.model().mean.item() == pytest.approx(3.0, rel=1e-12)


def test_it_gives_up_after_so_many_steps():
    state, steps = solve_model(terms(), SAMPLE, NewtonRaphson(damping=100.0), 2)
    assert (state.ended, steps) == (False, 2)
