"""Whether one model can take the shape of another, by fitting it."""

import copy
import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from paramfit.comparison.nesting import undetermined_among
from paramfit.errors import InputError
from paramfit.fits.solved_model import solve_model
from paramfit.inference.loss_function import LossFunction
from paramfit.models.base import boxes_of, leave_bounds_to_solver
from paramfit.objectives import SquaredError
from paramfit.observations import Observations
from paramfit.passes.residual_rows import ResidualRows
from paramfit.solvers.gauss_newton import GaussNewton

__all__ = ["Containment", "containment"]

_MOST_STEPS = 200
_SHAPES = 3  # beside that of the estimates
_SPREAD = 0.1
_SEED = 0


class Containment(NamedTuple):
    """The larger model in the shape of the smaller.

    Attributes:
        values: its parameters there, by name.
        undetermined: those that the shape does not determine.
    """

    values: dict[str, float]
    undetermined: tuple[str, ...]


def containment(
    smaller: nn.Module, larger: nn.Module, by_smaller: tuple[Tensor, ...], by_larger: tuple[Tensor, ...]
) -> Containment | None:
    """Fit the larger model to curves of the smaller: all have to be met, to rounding.

    The curves are those at the smaller model's estimates and at random parameters near them.

    Args:
        smaller: float64, at its estimates.
        larger: float64, at its estimates; it is changed.
        by_smaller: the smaller model's inputs, each ``(n,)``.
        by_larger: the larger model's inputs.

    Returns:
        The larger model at the smaller's estimates; None where it does not meet a curve, or cannot be fitted.
    """
    smaller = copy.deepcopy(smaller)
    for model in (smaller, larger):
        leave_bounds_to_solver(model)
    rows = len((*by_smaller, *by_larger)[0]) if (*by_smaller, *by_larger) else 1
    curve = LossFunction.around(
        smaller, SquaredError(), Observations(by_smaller, torch.zeros(rows, dtype=torch.float64))
    )
    at_estimates = None
    lower, upper = torch.tensor(boxes_of(smaller, curve.names) or ((-math.inf, math.inf),), dtype=torch.float64).T
    for shape in _shapes(curve.theta):
        theta = shape.clamp(lower, upper)
        with torch.no_grad():
            target = curve.prediction(theta)
        if not bool(torch.isfinite(target).all()):
            return None
        met = _met(larger, Observations(by_larger, target), dict(zip(curve.names, theta.tolist(), strict=True)))
        if met is None:
            return None
        at_estimates = at_estimates or met
    return at_estimates


def _shapes(theta: Tensor) -> Iterator[Tensor]:
    generator = torch.Generator().manual_seed(_SEED)
    size = torch.where(theta == 0, 1.0, theta.abs())
    yield theta
    for _ in range(_SHAPES):
        yield theta + _SPREAD * size * torch.randn(len(theta), dtype=theta.dtype, generator=generator)


def _met(model: nn.Module, observations: Observations, namesakes: dict[str, float]) -> Containment | None:
    """The fit, where it leaves nothing: begun as the model is, and with what has a namesake in the smaller at that."""
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    target = observations.target
    rounding = 1e-13 * target.norm() + 1e-10 * (target - target.mean()).norm()
    alike = {
        name: torch.full_like(value, namesakes[name]) if name in namesakes else value for name, value in before.items()
    }
    for start in (before, alike):
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter.copy_(start[name])
        rows = ResidualRows(model, SquaredError())
        try:
            rows.check_count(observations.n)
            solve_model(rows, observations, GaussNewton(), _MOST_STEPS)
        except InputError:
            return None
        loss = LossFunction.around(model, SquaredError(), observations)
        theta = loss.theta
        with torch.no_grad():
            missed = (loss.prediction(theta) - target).norm()
        if missed <= rounding:
            values = dict(zip(loss.names, theta.tolist(), strict=True))
            return Containment(values, undetermined_among(loss.names, loss.jacobian(theta)))
    return None
