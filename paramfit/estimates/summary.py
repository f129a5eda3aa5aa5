"""From a fitted model to a result: pure functions, no Trainer."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.optim import Optimizer

from paramfit.estimates.closed_form import closed_form
from paramfit.estimates.convergence import Distance, distance_to_optimum, updates_to_converge
from paramfit.estimates.covariance import Uncertainty, uncertainty
from paramfit.estimates.loss_function import LossFunction
from paramfit.estimates.result import Estimate
from paramfit.models import ParametricModel
from paramfit.objectives import SquaredError

__all__ = ["Summary", "summarise"]


@dataclass(frozen=True)
class Summary:
    """What the final parameters say.

    Attributes:
        parameters: the estimates, on the input as the model saw it.
        original_units: the estimates on the raw input; None where the model cannot undo the normalisation.
        distance: distance to the optimum.
        updates_left: updates that are missing to convergence, or None.
        updates_left_reason: why that is None.
        errors: covariance and what it rests on.
    """

    parameters: dict[str, Estimate]
    original_units: dict[str, Estimate] | None
    distance: Distance
    updates_left: int | None
    updates_left_reason: str | None
    errors: Uncertainty


def summarise(
    loss: LossFunction,
    optimizer: Optimizer,
    normalization: Sequence[tuple[float, float]],
    truth: dict[str, float] | None,
    untrusted: str | None = None,
) -> Summary:
    """Estimates with errors in both units, and the distance to the optimum.

    Args:
        loss: the objective over the (normalised) training observations, at the final parameters.
        optimizer: what made the updates.
        normalization: shift and scale of each input column.
        truth: true values in original units.
        untrusted: why errors would mean nothing, where the fit failed.
    """
    theta = loss.theta
    if not bool(torch.isfinite(theta).all()):
        nothing = Uncertainty(None, "the estimates are not finite", float("nan"), "none")
        estimates = {name: Estimate(value) for name, value in zip(loss.names, theta.tolist(), strict=True)}
        return Summary(estimates, None, Distance(None, reason=nothing.reason), None, nothing.reason, nothing)
    if untrusted is None:
        untrusted = _why_not_differentiable(loss, theta)
    errors = uncertainty(loss, theta) if untrusted is None else Uncertainty(None, untrusted, float("nan"), "none")
    distance = distance_to_optimum(loss, theta, errors.covariance, errors.reason)
    left, left_reason = None, distance.reason
    if distance.total is not None and errors.covariance is not None:
        # By the errors at the optimum, where the run will end: those of an unfinished least-squares fit are larger.
        optimum = theta - torch.linalg.solve(loss.hessian(theta), loss.gradient(theta))
        there = uncertainty(loss, optimum).covariance
        left, left_reason = updates_to_converge(loss, theta, errors.covariance if there is None else there, optimizer)
    exact = closed_form(loss)
    undo = _undo_normalization(loss, normalization)
    # Without a normalisation both are the same, and the truth belongs to both.
    same = undo is not None and bool(torch.equal(undo, torch.eye(loss.p, dtype=torch.float64)))
    parameters = _estimates(loss.names, theta, errors, exact, truth if same else None, _gradient(loss, theta))
    original = None
    if undo is not None:
        covariance = None if errors.covariance is None else undo @ errors.covariance @ undo.T
        moved = Uncertainty(covariance, errors.reason, errors.quantile, errors.method)
        original = _estimates(loss.names, undo @ theta, moved, None if exact is None else undo @ exact, truth)
    return Summary(parameters, original, distance, left, left_reason, errors)


def _gradient(loss: LossFunction, theta: Tensor) -> Tensor | None:
    try:
        return loss.gradient(theta)
    except (ValueError, RuntimeError):
        return None


def _why_not_differentiable(loss: LossFunction, theta: Tensor) -> str | None:
    """Why the errors cannot be read off the loss, if they cannot: numerical gradients do not ask for autograd."""
    try:
        loss.gradient(theta)
        if isinstance(loss.objective, SquaredError):
            loss.jacobian(theta)
    except (ValueError, RuntimeError) as failure:
        return f"autograd cannot differentiate the model ({str(failure).splitlines()[0][:80]})"
    return None


def _undo_normalization(loss: LossFunction, normalization: Sequence[tuple[float, float]]) -> Tensor | None:
    if all(pair == (0.0, 1.0) for pair in normalization):
        return torch.eye(loss.p, dtype=torch.float64)
    if len(normalization) != 1 or not isinstance(loss.model, ParametricModel):
        return None
    return loss.model.original_units(*normalization[0])


def _estimates(
    names: Sequence[str],
    theta: Tensor,
    errors: Uncertainty,
    exact: Tensor | None,
    truth: dict[str, float] | None,
    gradient: Tensor | None = None,
) -> dict[str, Estimate]:
    found = {}
    for index, name in enumerate(names):
        value = theta[index].item()
        error, interval = None, None
        if errors.covariance is not None:
            error = errors.covariance[index, index].sqrt().item()
            interval = (value - errors.quantile * error, value + errors.quantile * error)
        found[name] = Estimate(
            estimate=value,
            standard_error=error,
            interval_95=interval,
            gradient=None if gradient is None else gradient[index].item(),
            closed_form=None if exact is None else exact[index].item(),
            truth=None if truth is None else truth.get(name),
        )
    return found
