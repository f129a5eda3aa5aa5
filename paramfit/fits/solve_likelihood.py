"""Maximum likelihood to convergence, without a Trainer."""

from collections.abc import Callable

import torch

from paramfit.observations import Observations
from paramfit.passes.likelihood_terms import LikelihoodTerms
from paramfit.solvers.newton import Newton

__all__ = ["solve_likelihood"]


@torch.no_grad()
def solve_likelihood(
    terms: LikelihoodTerms,
    observations: Observations,
    most_steps: int = 1000,
    optimizer: Callable[..., Newton] = Newton,
) -> tuple[Newton, int]:
    """Fit a model in place.

    Args:
        terms: of the model and its objective.
        observations: all rows.
        most_steps: when to give up.
        optimizer: makes the solver from the parameters.

    Returns:
        The solver as it ended, and the steps it took.

    Raises:
        InputError: if the model or the objective cannot be solved for.
    """
    solver = optimizer([parameter for parameter in terms.model.parameters() if parameter.requires_grad])
    steps = 0
    while not solver.is_done() and steps < most_steps:
        solver.step(
            lambda: (terms.sums if solver.point else terms.sums_checked)(observations, expected=solver.expected)
        )
        steps += 1
    return solver, steps
