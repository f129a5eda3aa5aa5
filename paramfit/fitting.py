"""A fit in one call, without a Trainer."""

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from paramfit.data.arrays import observations_from
from paramfit.errors import InputError
from paramfit.estimates import FitResult, LossFunction, summarise_least_squares
from paramfit.estimates.fields import fields_of, reasons
from paramfit.estimates.summary import Summary
from paramfit.gradients import ResidualRows
from paramfit.models import FormulaModel, FunctionModel, ParametricModel
from paramfit.objectives import Objective, SquaredError
from paramfit.optimizers import LevenbergMarquardt
from paramfit.solvers import MOST_ROWS_POLISHED, solve_least_squares
from paramfit.updates import Status, Stop

__all__ = ["fit"]


def fit(
    model: nn.Module,
    data: Any,
    *,
    inputs: str | Sequence[str] | None = None,
    target: str | None = None,
    sigma: Any = None,
    sigma_is: str = "absolute",
    objective: Objective | None = None,
    max_iterations: int = 1000,
    **options: float,
) -> FitResult:
    r"""Fit a model to data by least squares, to convergence; what the task ``LeastSquares`` does, without files.

    .. math:: \hat\theta = \arg\min_\theta \sum_i \Big(\frac{f_\theta(x_i) - y_i}{\sigma_i}\Big)^2

    Args:
        model: any model; it is left as it is. The fitted copy is ``result.curve.model``.
        data: ``(x, y)`` or ``(x1, x2, y)`` as arrays, tensors or lists; or ``Observations``; or columns by name: a
            mapping, or a dataframe of pandas, polars or pyarrow.
        inputs: names of the input columns; a formula's variables where it is not given.
        target: name of the target.
        sigma: standard deviation of each target: the name of a column, an array, or one number.
        sigma_is: ``absolute``, or ``relative``, where only the ratios of the sigmas are known.
        objective: ``SquaredError``, or a robust one.
        max_iterations: when to give up.
        options: of ``LevenbergMarquardt``: damping and tolerances.

    Returns:
        The result: ``result.parameters["b1"].estimate``, ``.standard_error``; ``print(result)`` with rich or the last
        line of a notebook's cell shows the report; ``result.predict(x)`` gives the curve with its bands.

    Raises:
        InputError: if the data, the model or an option cannot be used.

    Example:
        >>> from paramfit import LinearModel
        >>> result = fit(LinearModel(), ([0.0, 1.0, 2.0, 3.0], [1.1, 2.9, 5.1, 6.9]))
        >>> round(result.parameters["weight"].estimate, 3), result.status
        (1.96, 'converged')
    """
    if sigma_is not in {"absolute", "relative"}:
        msg = f"sigma_is: expected absolute or relative, but got {sigma_is!r}"
        raise InputError(msg)
    if max_iterations < 1:
        msg = f"max_iterations: expected at least 1, but got {max_iterations}"
        raise InputError(msg)
    if inputs is None and isinstance(model, FormulaModel | FunctionModel) and not isinstance(data, tuple | list):
        inputs = model.variables
    observations, _ = observations_from(data, inputs, target, sigma)
    fitted = copy.deepcopy(model).to(device="cpu", dtype=torch.float64).eval()
    if isinstance(fitted, ParametricModel):
        fitted.restore_fixed()
    objective = objective or SquaredError()
    rows = ResidualRows(fitted, objective)
    rows.check_count(observations.n)
    solver, steps = solve_least_squares(
        rows, observations, max_iterations, lambda parameters: LevenbergMarquardt(parameters, **options)
    )
    stop = _how_it_ended(solver, steps)
    loss = LossFunction.around(fitted, objective, observations)
    known = solver.factor() if observations.n > MOST_ROWS_POLISHED and isinstance(objective, SquaredError) else None
    summary = summarise_least_squares(
        loss, None, [(0.0, 1.0)], None, absolute_sigma=sigma_is == "absolute", factor=known
    )
    return FitResult(
        task="LeastSquares",
        status=stop.status.value,
        reason=stop.reason,
        updates=steps,
        loss={"train": _loss(loss, summary), "val": None},
        n_observations={"train": observations.n, "val": 0},
        notes=reasons(summary),
        **fields_of(summary, loss.names, None if observations.sigma is None else sigma_is),
    )


def _loss(loss: LossFunction, summary: Summary) -> float:
    """The objective at the estimates."""
    if isinstance(loss.objective, SquaredError) and summary.statistics is not None:
        rss = summary.statistics.residual_sum_of_squares
        return rss / loss.n if loss.objective.reduction == "mean" else rss
    with torch.no_grad():
        return loss(loss.theta).item()


def _how_it_ended(solver: LevenbergMarquardt, steps: int) -> Stop:
    if solver.converged:
        return Stop(Status.CONVERGED, f"{solver.reason}.")
    if solver.stalled:
        return Stop(Status.STALLED, f"{solver.reason}.")
    return Stop(Status.LIMIT_REACHED, f"not converged in {steps} iterations: {solver.reason}.")
