"""From a fitted model to a result: pure functions, no Trainer."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer

from paramfit.inference.bands import FittedCurve, fitted_mean
from paramfit.inference.closed_forms import closed_form
from paramfit.inference.convergence import Distance, distance_to_optimum, updates_to_converge
from paramfit.inference.least_squares_errors import uncertainty
from paramfit.inference.loss_function import LossFunction
from paramfit.inference.uncertainty import Uncertainty
from paramfit.objectives import NegativeLogLikelihood, SquaredError
from paramfit.results.cautions import cautions
from paramfit.results.likelihood_statistics import LikelihoodStatistics, likelihood_statistics
from paramfit.results.natural import natural_estimates
from paramfit.results.record import Estimate
from paramfit.results.statistics import LeastSquaresStatistics

__all__ = ["Summary", "correlations", "criteria", "nothing_finite", "summarise"]


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
        correlation: correlations of the estimated parameters, ``(p, p)``; None where there is no covariance.
        covariance: of the estimated parameters within their bounds, ``(p, p)``; None where there is none.
        statistics: of least squares.
        likelihood: criteria of maximum likelihood.
        curve: the fitted curve with its bands, of least squares; the fitted mean with its band, of a likelihood.
        warnings: what to be careful about.
    """

    parameters: dict[str, Estimate]
    original_units: dict[str, Estimate] | None
    distance: Distance
    updates_left: int | None
    updates_left_reason: str | None
    errors: Uncertainty
    correlation: Tensor | None = None
    covariance: Tensor | None = None
    statistics: LeastSquaresStatistics | None = None
    likelihood: LikelihoodStatistics | None = None
    curve: FittedCurve | None = None
    warnings: tuple[str, ...] = ()


def summarise(
    loss: LossFunction,
    optimizer: Optimizer,
    normalization: Sequence[tuple[float, float]],
    truth: dict[str, float] | None,
    untrusted: str | None = None,
    *,
    absolute_sigma: bool = True,
) -> Summary:
    """Estimates with errors in both units, and the distance to the optimum; of a likelihood also its criteria.

    Args:
        loss: the objective over the (normalised) training observations, at the final parameters.
        optimizer: what made the updates.
        normalization: shift and scale of each input column.
        truth: true values in original units.
        untrusted: why errors would mean nothing, where the fit failed.
        absolute_sigma: whether known errors are absolute.
    """
    theta = loss.theta
    if not bool(torch.isfinite(theta).all()):
        return nothing_finite(loss)
    if untrusted is None:
        untrusted = _why_not_differentiable(loss, theta)
    if untrusted is None:
        errors = uncertainty(loss, theta, absolute_sigma=absolute_sigma)
    else:
        errors = Uncertainty(None, untrusted, math.nan, "none")
    whole = None if errors.undetermined else errors.covariance
    distance = distance_to_optimum(loss, theta, whole, errors.reason)
    left, left_reason = None, distance.reason
    if distance.total is not None and whole is not None:
        # By the errors at the optimum, where the run will end: those of an unfinished least-squares fit are larger.
        optimum = theta - torch.linalg.solve(loss.hessian(theta), loss.gradient(theta))
        there = uncertainty(loss, optimum, absolute_sigma=absolute_sigma).covariance
        left, left_reason = updates_to_converge(loss, theta, whole if there is None else there, optimizer)
    found = natural_estimates(loss, theta, errors, normalization, truth, closed_form(loss), _gradient(loss, theta))
    correlation, likelihood = correlations(found.covariance), _likelihood(loss, theta, errors)
    specs = getattr(loss.model, "specifications", None)
    return Summary(
        found.parameters,
        found.original_units,
        distance,
        left,
        left_reason,
        errors,
        correlation=correlation,
        covariance=found.covariance,
        likelihood=likelihood,
        curve=None if likelihood is None else fitted_mean(loss, errors),
        warnings=()
        if likelihood is None
        else tuple(cautions(loss.names, found.parameters, errors, correlation, None, specs)),
    )


def criteria(loss: LossFunction, total: float, errors: Uncertainty) -> LikelihoodStatistics | None:
    """The criteria of a likelihood; None where it is not finite.

    Args:
        loss: the negative log-likelihood over the training observations.
        total: its sum over them.
        errors: which say what of the parameters is determined.
    """
    if not math.isfinite(total):
        return None
    estimated = loss.p if errors.root is None else errors.root.shape[1]
    return likelihood_statistics(-total, loss.n, estimated, loss.observations.censoring)


def nothing_finite(loss: LossFunction) -> Summary:
    """What is left to say where the parameters are not finite."""
    nothing = Uncertainty(None, "the estimates are not finite", math.nan, "none")
    estimates = {name: Estimate(value) for name, value in zip(loss.names, loss.theta.tolist(), strict=True)}
    return Summary(estimates, None, Distance(None, reason=nothing.reason), None, nothing.reason, nothing)


def correlations(covariance: Tensor | None) -> Tensor | None:
    """Correlations from a covariance; 0 beside parameters that have none."""
    if covariance is None:
        return None
    matrix = covariance.numpy()
    deviation = np.sqrt(np.maximum(matrix.diagonal(), 0.0))
    scale = np.where(deviation > 0, deviation, 1.0)
    found = np.minimum(np.maximum(matrix / (scale[:, None] * scale), -1.0), 1.0)
    found.flat[:: len(found) + 1] = 1.0
    return torch.from_numpy(found)


def _likelihood(loss: LossFunction, theta: Tensor, errors: Uncertainty) -> LikelihoodStatistics | None:
    """The criteria where the loss is a likelihood; with a penalty it is not at its largest."""
    objective = loss.objective
    if not isinstance(objective, NegativeLogLikelihood) or objective.penalised:
        return None
    try:
        with torch.no_grad():
            total = loss(theta).item() * (loss.n if objective.reduction == "mean" else 1)
    except ValueError:
        return None  # the fit has left the parameter space
    return criteria(loss, total, errors)


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
