"""A model solved in place, beside NumPy and SciPy."""

from typing import Any

import numpy as np
import pytest
import scipy.optimize
import torch

from paramfit import FormulaModel, InputError, LevenbergMarquardt, Observations, PolynomialModel, SquaredError
from paramfit.fits.solve import solve_least_squares
from paramfit.passes.residual_rows import ResidualRows

X = np.linspace(0.0, 5.0, 40)
Y = 3 * np.exp(-0.7 * X) + 0.4 + np.random.default_rng(8).normal(0, 0.05, 40)
ROWS = Observations((torch.from_numpy(X),), torch.from_numpy(Y))


def decay(**starts: Any) -> FormulaModel:
    return FormulaModel("a * exp(-k * x) + c", ["x"], {"a": 1, "k": 1, "c": 0, **starts})


def values(model: torch.nn.Module) -> list[float]:
    return [parameter.item() for parameter in model.parameters()]


@pytest.mark.parametrize("separate", [True, False], ids=["separated", "together"])
def test_model_ends_at_scipys_minimum(separate: bool) -> None:
    model = decay()
    solver, steps = solve_least_squares(ResidualRows(model, SquaredError(), separate=separate), ROWS)
    expected, _ = scipy.optimize.curve_fit(
        lambda x, a, k, c: a * np.exp(-k * x) + c, X, Y, p0=(3, 0.7, 0.4), xtol=1e-15, ftol=1e-15, gtol=1e-15
    )
    assert solver.converged
    assert 1 < steps < 100
    assert values(model) == pytest.approx(expected, rel=1e-7)


def test_linear_model_takes_one_step() -> None:
    model = PolynomialModel(4, dtype="float64")
    solver, steps = solve_least_squares(ResidualRows(model, SquaredError()), ROWS)
    assert (solver.converged, steps) == (True, 1)
    assert values(model) == pytest.approx(np.polyfit(X, Y, 4)[::-1], rel=1e-9)


@pytest.mark.parametrize("most", [1, 2, 3])
def test_limit_of_steps_is_kept(most: int) -> None:
    solver, steps = solve_least_squares(ResidualRows(decay(k=5), SquaredError()), ROWS, most)
    assert steps == most
    assert not solver.is_done()


def test_optimizers_options_are_the_users() -> None:
    made: list[LevenbergMarquardt] = []

    def maker(parameters: list[torch.nn.Parameter]) -> LevenbergMarquardt:
        made.append(LevenbergMarquardt(parameters, orthogonality=1e6))
        return made[-1]

    _, few = solve_least_squares(ResidualRows(decay(k=5), SquaredError()), ROWS, optimizer=maker)
    _, more = solve_least_squares(ResidualRows(decay(k=5), SquaredError()), ROWS)
    assert len(made) == 1
    assert few < more


def test_start_that_is_not_finite_names_the_row() -> None:
    model = FormulaModel("a * log(x)", ["x"], {"a": 1})
    with pytest.raises(InputError, match="row 0"):
        solve_least_squares(ResidualRows(model, SquaredError()), ROWS)


def test_gradient_at_the_end_is_rounding() -> None:
    model = decay()
    rows = ResidualRows(model, SquaredError())
    solve_least_squares(rows, ROWS)
    ((ROWS.target - model(*ROWS.inputs)).square().sum() / 2).backward()
    left = [abs(parameter.grad.item()) for parameter in model.parameters() if parameter.grad is not None]
    assert len(left) == 3
    assert max(left) < 1e-12


def test_fixed_parameter_keeps_its_start() -> None:
    model = decay(k={"start": 0.5, "fixed": True})
    solve_least_squares(ResidualRows(model, SquaredError()), ROWS)
    design = np.stack([np.exp(-0.5 * X), np.ones_like(X)], axis=1)
    a, c = np.linalg.lstsq(design, Y, rcond=None)[0]
    assert values(model) == pytest.approx([a, 0.5, c], rel=1e-10)


BOUNDS = {"none": {}, "lower": {"lower": 0}, "both": {"lower": 0, "upper": 10}}


@pytest.mark.parametrize("start", [1.0, 1e-2, 1e-4, 1e-6])
@pytest.mark.parametrize("bounds", BOUNDS)
def test_bounded_fit_is_right_from_wherever_the_unbounded_one_is(bounds: str, start: float) -> None:
    x = torch.linspace(0.1, 10, 40, dtype=torch.float64)
    y = 3 * (1 - torch.exp(-0.5 * x))
    model = FormulaModel("b1*(1-exp(-b2*x))", ["x"], {"b1": None, "b2": {"start": start, **BOUNDS[bounds]}})
    solver, _ = solve_least_squares(ResidualRows(model, SquaredError()), Observations((x,), y))
    assert solver.converged
    assert model.natural("b2").item() == pytest.approx(0.5, rel=1e-6)
