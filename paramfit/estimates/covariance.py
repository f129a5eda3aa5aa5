"""How uncertain the estimates are."""

import math
from dataclasses import dataclass

import torch
from scipy.special import ndtri, stdtrit
from torch import Tensor

from paramfit.estimates.loss_function import LossFunction
from paramfit.objectives import NegativeLogLikelihood, SquaredError

__all__ = ["Uncertainty", "uncertainty"]


@dataclass(frozen=True)
class Uncertainty:
    """Covariance of the estimates, or why there is none.

    Attributes:
        covariance: ``(p, p)``, float64; None with a reason.
        reason: why there is none.
        quantile: half-width of a 95 % interval in standard errors.
        method: what covariance and quantile rest on.
    """

    covariance: Tensor | None
    reason: str | None
    quantile: float
    method: str


def uncertainty(loss: LossFunction, theta: Tensor) -> Uncertainty:
    r"""Covariance of the estimates at ``theta``.

    Least squares: :math:`C = s^2 (J^T J)^{-1}` with :math:`s^2 = \mathrm{RSS} / (n - p)`, J the Jacobian of the
    prediction, through its QR factorisation; intervals by Student's t with n - p degrees of freedom. Maximum
    likelihood: the inverse of the observed information, the Hessian of the summed negative log-likelihood; intervals
    by the normal distribution.
    """
    objective = loss.objective
    if objective.penalised:
        return Uncertainty(None, "a penalty is on, which biases the estimates", math.nan, "none")
    if isinstance(objective, SquaredError):
        return _least_squares(loss, theta)
    if isinstance(objective, NegativeLogLikelihood):
        return _likelihood(loss, theta)
    reason = f"{type(objective).__name__} has no curvature to read an error from"
    return Uncertainty(None, reason, math.nan, "none")


def _least_squares(loss: LossFunction, theta: Tensor) -> Uncertainty:
    freedom = loss.n - loss.p
    if freedom <= 0:
        reason = f"{loss.n} observations cannot tell the errors of {loss.p} parameters"
        return Uncertainty(None, reason, math.nan, "none")
    method = f"s^2 (J^T J)^-1, Student's t with {freedom} degrees of freedom"
    quantile = float(stdtrit(freedom, 0.975))
    jacobian = loss.jacobian(theta)
    residual = loss.prediction(theta) - loss.observations.target
    size = jacobian.norm(dim=0)
    if not bool(torch.isfinite(jacobian).all()) or not bool((size > 0).all()):
        return Uncertainty(None, "a parameter does not change the prediction", quantile, method)
    # Scaled columns: the rank is then a matter of directions, not of units.
    factor = torch.linalg.qr(jacobian / size, mode="r").R
    singular = torch.linalg.svdvals(factor)
    if not singular[-1] > singular[0] * loss.n * torch.finfo(torch.float64).eps:
        return Uncertainty(None, "some parameters cannot be told apart (singular Jacobian)", quantile, method)
    inverse = torch.linalg.solve_triangular(factor, torch.eye(loss.p, dtype=torch.float64), upper=True)
    variance = residual.square().sum() / freedom
    covariance = variance * (inverse @ inverse.T) / torch.outer(size, size)
    return Uncertainty(covariance.detach(), None, quantile, method)


def _likelihood(loss: LossFunction, theta: Tensor) -> Uncertainty:
    method = "inverse observed information, normal distribution"
    quantile = float(ndtri(0.975))
    information = loss.hessian(theta) * (loss.n if loss.objective.reduction == "mean" else 1)
    if not bool(torch.isfinite(information).all()):
        return Uncertainty(None, "the Hessian is not finite at the estimate", quantile, method)
    factor, failed = torch.linalg.cholesky_ex(information)
    if int(failed):
        return Uncertainty(None, "the Hessian is not positive definite at the estimate", quantile, method)
    return Uncertainty(torch.cholesky_inverse(factor), None, quantile, method)
