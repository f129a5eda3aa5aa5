"""Where a fit will end: the optimum by a formula, how far it is, and how long it would still take."""

import math
from bisect import bisect_left
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.optim import SGD, Optimizer

from paramfit.facts import Fact, FactKind, Reason
from paramfit.inference.loss_function import LossFunction
from paramfit.inference.uncertainty import Uncertainty
from paramfit.linalg.lapack import Array, lengths
from paramfit.linalg.unit_free import ScaledColumns
from paramfit.models import ParametricModel
from paramfit.objectives import NegativeLogLikelihood, SquaredError
from paramfit.optimizers import GradientDescent

__all__ = [
    "CONVERGED_BELOW",
    "Distance",
    "closed_form",
    "distance_by_root",
    "distance_to_optimum",
    "scale_at_optimum",
    "updates_to_converge",
]

CONVERGED_BELOW = 0.01
"""A fit whose distance to the optimum is below this many standard errors has converged."""

_MOST_UPDATES = 10**12
_MOST_NEWTON_STEPS = 20
_SETTLED = 1e-6  # of the sum of squares: a step that wins less changes no scale
_ROUNDING = 1e-28  # of the target's squared length: below are the residuals of an exact fit
_MOST_SOLVED = 100  # parameters, up to which the optimum of a model that bends is looked for


@dataclass(frozen=True)
class Distance:
    """Distance to the optimum in standard errors, or why it is not known."""

    total: float | None  # sqrt(D^T C^-1 D) with D = H^-1 g; None with a reason
    per_parameter: tuple[float, ...] = ()  # |D_i| / se_i for each parameter; empty where the total is None
    reasons: tuple[Reason, ...] = ()  # why it is not known


def distance_to_optimum(
    loss: LossFunction, theta: Tensor, covariance: Tensor | None, reasons: tuple[Reason, ...]
) -> Distance:
    """The Newton step that is left, in units of the reported standard errors."""
    if covariance is None:
        return Distance(None, reasons=reasons)
    factor, failed = torch.linalg.cholesky_ex(loss.hessian(theta))
    if int(failed):
        return Distance(None, reasons=(Fact(FactKind.HESSIAN_INDEFINITE),))
    step = torch.cholesky_solve(loss.gradient(theta).unsqueeze(1), factor).squeeze(1)
    return Distance(_in_errors(step, covariance), tuple((step.abs() / covariance.diagonal().sqrt()).tolist()))


def scale_at_optimum(loss: LossFunction, theta: Tensor) -> float:
    r"""The residuals' standard deviation at the optimum of a squared error, over that at ``theta``.

    Far from the optimum the residuals are mostly misfit, and distances in units of it never exceed
    :math:`\sqrt{n - p}`. A model linear in its parameters has its optimum where Newton's step ends; for others steps
    are made as long as they lead down.
    """
    present = first = _sum_of_squares(loss, theta)
    for _ in range(_MOST_NEWTON_STEPS if loss.p <= _MOST_SOLVED else 1):
        factor, failed = torch.linalg.cholesky_ex(loss.hessian(theta))
        if int(failed):
            break
        trial = theta - torch.cholesky_solve(loss.gradient(theta).unsqueeze(1), factor).squeeze(1)
        reached = _sum_of_squares(loss, trial)
        if not reached < present * (1 - _SETTLED):
            present = min(present, reached) if math.isfinite(reached) else present
            break
        theta, present = trial, reached
    observations = loss.observations
    weighed = observations.target if observations.sigma is None else observations.target / observations.sigma
    rounding = (_ROUNDING * weighed.square().sum()).item()
    return math.sqrt(max(present, rounding) / first) if first > rounding else 1.0


def _sum_of_squares(loss: LossFunction, theta: Tensor) -> float:
    residual = loss.observations.target - loss.prediction(theta).detach()
    if loss.observations.sigma is not None:
        residual = residual / loss.observations.sigma
    return residual.square().sum().item()


def distance_by_root(errors: Uncertainty, pull: Array) -> Distance:
    r"""The same from a root of the covariance, where a solver has one, without a Hessian.

    With :math:`F F^T = C = s^2 H^{-1}` the step that is left is :math:`C u / s^2`, and its length in errors
    :math:`|F^T u| / s^2`. The ``pull`` u ``(p,)`` is minus the derivative of half the squared error, or of the summed
    log-likelihood, by theta, rows over the unit of the errors; its sign does not matter.
    """
    if errors.covariance is None or errors.root is None:
        return Distance(None, reasons=errors.reasons)
    variance = (errors.spread / errors.unit) ** 2
    if not variance > 0:
        return Distance(0.0, (0.0,) * len(pull))
    root = errors.root.numpy()
    part = root.T @ pull / variance
    deviation = lengths(root.T)
    steps = np.abs(root @ part) / np.where(deviation > 0, deviation, 1.0)
    return Distance(float(np.sqrt(part @ part)), tuple(steps.tolist()))


def _in_errors(step: Tensor, covariance: Tensor) -> float:
    deviation = covariance.diagonal().sqrt()
    scaled = step / deviation
    correlation = covariance / torch.outer(deviation, deviation)
    return math.sqrt(max(0.0, torch.dot(scaled, torch.linalg.solve(correlation, scaled)).item()))


def updates_to_converge(
    loss: LossFunction, theta: Tensor, covariance: Tensor, optimizer: Optimizer
) -> tuple[int | None, Fact | None]:
    r"""How many more updates would bring the distance below 0.01 standard errors, at the present learning rate.

    Near the optimum each update of plain gradient descent multiplies the remaining step by :math:`I - \eta H`.
    """
    group = optimizer.param_groups[0]
    if not isinstance(optimizer, SGD | GradientDescent) or group.get("momentum") or group.get("weight_decay"):
        return None, Fact(FactKind.NOT_FORESEEABLE, numbers={"optimizer": type(optimizer).__name__})
    eigenvalues, vectors = torch.linalg.eigh(loss.hessian(theta))
    shrink = 1 - group["lr"] * eigenvalues
    if not bool((shrink.abs() < 1).all()):
        return None, Fact(FactKind.RATE_NOT_STABLE)
    step = (vectors.T @ loss.gradient(theta)) / eigenvalues

    def distance_after(updates: int) -> float:
        return _in_errors(vectors @ (shrink**updates * step), covariance)

    if distance_after(0) < CONVERGED_BELOW:
        return 0, None
    enough = 1
    while distance_after(enough) >= CONVERGED_BELOW:
        enough *= 2
        if enough > _MOST_UPDATES:
            return None, Fact(FactKind.MORE_UPDATES_THAN, numbers={"updates": _MOST_UPDATES})
    counts = range(enough // 2 + 1, enough)
    return counts.start + bisect_left(counts, True, key=lambda updates: distance_after(updates) < CONVERGED_BELOW), None


def closed_form(loss: LossFunction) -> Tensor | None:
    """The exact optimum ``(p,)``, float64, where a formula gives it: linear least squares, or a sample's statistics."""
    model, objective = loss.model, loss.objective
    if objective.penalised or not isinstance(model, ParametricModel):
        return None
    if isinstance(objective, SquaredError) and model.linear_in_parameters and loss.n >= loss.p:
        origin = torch.zeros(loss.p, dtype=torch.float64)
        design = loss.jacobian(origin)
        rest = (loss.observations.target - loss.prediction(origin)).detach()
        if not bool((design.norm(dim=0) > 0).all()):
            return None
        return torch.from_numpy(ScaledColumns.of(design.detach().numpy()).towards(rest.numpy())[0])
    if isinstance(objective, NegativeLogLikelihood) and loss.observations.censoring is None:
        estimate = model.sample_estimate(loss.observations.target)
        if estimate is not None and set(estimate) == set(loss.names):
            return torch.stack([estimate[name] for name in loss.names])
    return None
