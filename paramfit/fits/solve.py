"""Least squares to convergence, without a Trainer."""

from collections.abc import Callable

import torch

from paramfit.observations import Observations
from paramfit.passes.residual_rows import ResidualRows
from paramfit.solvers.levenberg_marquardt import LevenbergMarquardt

__all__ = ["MOST_ROWS_POLISHED", "solve_least_squares"]

MOST_ROWS_POLISHED = 100_000
"""Of more rows, no error is so small that the digits a polish wins could matter."""


@torch.inference_mode()  # a tenth quicker than no_grad
def solve_least_squares(
    rows: ResidualRows,
    observations: Observations,
    most_steps: int = 1000,
    optimizer: Callable[..., LevenbergMarquardt] = LevenbergMarquardt,
) -> tuple[LevenbergMarquardt, int]:
    """Fit a model in place.

    Args:
        rows: of the model and its objective.
        observations: all rows.
        most_steps: when to give up.
        optimizer: makes the solver from the parameters.

    Returns:
        The solver as it ended, and the steps it took.

    Raises:
        InputError: if the model or the objective cannot be solved for.
    """
    solver = optimizer([parameter for parameter in rows.model.parameters() if parameter.requires_grad])
    steps = 0
    while not solver.is_done() and steps < most_steps:
        solver.update(lambda: (rows.sums if solver.point else rows.sums_checked)(observations))
        steps += 1
        if observations.n <= MOST_ROWS_POLISHED:
            solver.polish(lambda: rows.slope(observations))
    return solver, steps
