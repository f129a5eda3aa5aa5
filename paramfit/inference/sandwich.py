"""Errors that do not take the error model at its word."""

from collections.abc import Sequence

import torch
from torch import Tensor

from paramfit.errors import InputError
from paramfit.inference.loss_function import LossFunction
from paramfit.linalg.unit_free import ScaledColumns, ScaledCurvature
from paramfit.objectives import NegativeLogLikelihood, SquaredError

__all__ = ["observation_gradients", "sandwich_covariance"]


def sandwich_covariance(loss: LossFunction, theta: Tensor, *, held: Sequence[int] = ()) -> Tensor:
    r"""The sandwich covariance of the estimates at ``theta``.

    .. math:: C = B^{-1} M B^{-1}, \qquad M = \sum_i g_i g_i^T

    Maximum likelihood: B is the observed information, the Hessian of the summed negative log-likelihood, and
    :math:`g_i` the gradient of one observation's. Least squares: :math:`B = J^T J` and :math:`g_i = J_i e_i`, so that
    each squared residual stands for the variance of its own row; rows are over sigma where errors are known. It holds
    where observations are independent and the location (or the score's mean) is right, whatever their variances are.
    ``held`` parameters are taken as fixed: their rows and columns are 0.

    Raises:
        InputError: for a penalty, another objective, or an information that is not finite.

    References:
        Peter J. Huber: The Behavior of Maximum Likelihood Estimates under Nonstandard Conditions (1967).
        Halbert White: A Heteroskedasticity-Consistent Covariance Matrix Estimator (1980).
        James MacKinnon, Halbert White: Some Heteroskedasticity-Consistent Covariance Matrix Estimators (1985).
    """
    if loss.objective.penalised:
        raise InputError("sandwich: a penalty is on, which biases the estimates; leave l1 and l2 out")
    free = [k for k in range(loss.p) if k not in held]
    if isinstance(loss.objective, SquaredError):
        influence = _influence_of_residuals(loss, theta, free)
    elif isinstance(loss.objective, NegativeLogLikelihood):
        influence = _influence_of_scores(loss, theta, free)
    else:
        raise InputError(
            f"sandwich: there is none for {type(loss.objective).__name__}; use SquaredError or NegativeLogLikelihood"
        )
    covariance = torch.zeros(loss.p, loss.p, dtype=torch.float64)
    places = torch.tensor(free)
    covariance[places.unsqueeze(1), places] = influence @ influence.T
    return covariance


def observation_gradients(loss: LossFunction, theta: Tensor) -> Tensor:
    """Gradient of each observation's loss by theta, ``(n, p)``."""

    def losses(point: Tensor) -> Tensor:
        rows = loss.objective.losses(loss.prediction(point), *loss.observations.measured)
        return rows.expand(loss.n)

    # One direction at a time: jacfwd maps over them by vmap, in which no distribution can check its arguments.
    directions = torch.eye(len(theta), dtype=theta.dtype)
    columns = [torch.func.jvp(losses, (theta.detach(),), (direction,))[1].detach() for direction in directions]
    return torch.stack(columns, dim=1)


def _influence_of_residuals(loss: LossFunction, theta: Tensor, free: Sequence[int]) -> Tensor:
    """``(J^T J)^-1 J_i e_i``, by the Jacobian's own singular values: ``(p, n)``."""
    with torch.no_grad():
        residual = loss.observations.target - loss.prediction(theta)
    jacobian = loss.jacobian(theta)[:, list(free)]
    if loss.observations.sigma is not None:
        residual = residual / loss.observations.sigma
        jacobian = jacobian / loss.observations.sigma.unsqueeze(1)
    # What is not determined has no influence.
    return torch.from_numpy(ScaledColumns.of(jacobian.numpy()).inverse()) * residual


def _influence_of_scores(loss: LossFunction, theta: Tensor, free: Sequence[int]) -> Tensor:
    """``B^-1 g_i``: ``(p, n)``."""
    places = torch.tensor(free)
    hessian = loss.hessian(theta) * (loss.n if loss.objective.reduction == "mean" else 1)
    information = hessian[places.unsqueeze(1), places]
    if not bool(torch.isfinite(information).all()):
        raise InputError("sandwich: the Hessian is not finite at the estimate; give other starts")
    inverse = ScaledCurvature.of(information.numpy()).inverse()  # as above
    return torch.from_numpy(inverse) @ observation_gradients(loss, theta)[:, places].T
