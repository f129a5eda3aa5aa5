"""How uncertain the estimates are."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from scipy.special import ndtri, stdtrit
from torch import Tensor

from paramfit.estimates.loss_function import LossFunction
from paramfit.estimates.singularity import InverseInformation, inverse_information
from paramfit.objectives import NegativeLogLikelihood, RobustError, SquaredError
from paramfit.optimizers.small_matrices import Array, triangle

__all__ = ["ResidualFactor", "Uncertainty", "least_squares_uncertainty", "uncertainty"]

_FAR_OUT = 100.0  # standard errors of an unconstrained number: the value is within 1 % of an error from its bound


@dataclass(frozen=True)
class Uncertainty:
    """Covariance of the estimates, or why there is none.

    Attributes:
        covariance: ``(p, p)``, float64, of the elements of theta; None with a reason. Undetermined parameters have
            rows and columns of 0.
        reason: why there is none.
        quantile: half-width of a 95 % interval in standard errors.
        method: what covariance and quantile rest on.
        root: F with ``F F^T`` the covariance, where least squares gave it.
        undetermined: for each parameter without error, by its number, why.
        at_bound: numbers of the parameters that sit at a bound, which the other errors take as fixed.
        directions: what the observations cannot tell apart, one sentence each.
        noise: standard deviation of one new observation, or its factor on sigma; None where sigma is that itself, NaN
            where nothing is known of it.
        spread: the factor on ``(J^T J)^-1``'s root.
    """

    covariance: Tensor | None
    reason: str | None
    quantile: float
    method: str
    root: Tensor | None = None
    undetermined: dict[int, str] = field(default_factory=dict)
    at_bound: tuple[int, ...] = ()
    directions: tuple[str, ...] = ()
    noise: float | None = None
    spread: float = 1.0


@dataclass(frozen=True)
class ResidualFactor:
    """What errors of least squares rest on.

    Attributes:
        factor: triangular factor of ``[J, e]``, rows over sigma, ``(p + 1, p + 1)``.
        n: number of observations.
        rss: the sum of e's squares.
        residual: e ``(n,)``, over sigma; only a robust objective asks for it.
    """

    factor: Array
    n: int
    rss: float
    residual: Tensor | None = None


def uncertainty(loss: LossFunction, theta: Tensor, *, absolute_sigma: bool = True) -> Uncertainty:
    r"""Covariance of the estimates at ``theta``.

    Least squares: :math:`C = s^2 (J^T J)^{-1}`, see ``least_squares_uncertainty``. Maximum likelihood: the inverse of
    the observed information, the Hessian of the summed negative log-likelihood; intervals by the normal distribution.

    Args:
        loss: the objective over the training observations.
        theta: where, ``(p,)``.
        absolute_sigma: whether known errors are absolute.
    """
    objective = loss.objective
    if objective.penalised:
        return Uncertainty(None, "a penalty is on, which biases the estimates", math.nan, "none")
    if isinstance(objective, SquaredError | RobustError):
        residual = loss.observations.target - loss.prediction(theta)
        rows = torch.cat([loss.jacobian(theta), residual.unsqueeze(1)], dim=1)
        if loss.observations.sigma is not None:
            rows = rows / loss.observations.sigma.unsqueeze(1)
        errors = rows[:, -1].detach()
        seen = ResidualFactor(triangle(rows.detach().numpy()), loss.n, errors.square().sum().item(), errors)
        return least_squares_uncertainty(loss, theta, seen, absolute_sigma=absolute_sigma)
    if isinstance(objective, NegativeLogLikelihood):
        return _likelihood(loss, theta)
    reason = f"{type(objective).__name__} has no curvature to read an error from"
    return Uncertainty(None, reason, math.nan, "none")


def least_squares_uncertainty(
    loss: LossFunction, theta: Tensor, seen: ResidualFactor, *, absolute_sigma: bool
) -> Uncertainty:
    r"""Covariance of least-squares estimates from the factor of their Jacobian.

    .. math:: C = s^2 (J^T J)^{-1}, \qquad s^2 = \mathrm{RSS} / (n - p)

    with rows over sigma where errors are known; where they are known absolutely, s is 1 and intervals are those of the
    normal distribution, otherwise Student's t with n - p degrees of freedom. Here p counts the directions that the
    observations determine, so that one parameter too many leaves the errors of the others as they were. For a robust
    objective s is Huber's :math:`\sqrt{\sum\psi^2/(n-p)} / \overline{\psi'}` with his correction for few observations.

    A parameter at its bound is taken as fixed by all others, and has no error of its own.

    References:
        Douglas Bates, Donald Watts: Nonlinear Regression Analysis and Its Applications (1988).
        Peter J. Huber: Robust Regression: Asymptotics, Conjectures and Monte Carlo (1973).
    """
    n, p = seen.n, len(theta)
    if not np.isfinite(seen.factor).all():
        return Uncertainty(None, "the Jacobian is not finite at the estimate", math.nan, "none")
    factor, known = seen.factor[:p, :p], loss.observations.sigma is not None and absolute_sigma
    information = inverse_information(factor, loss.names)
    if n <= information.root.shape[1] and not known:
        reason = f"{n} observations cannot tell the errors of {p} parameters"
        return Uncertainty(None, reason, math.nan, "none")
    scale = _scale(loss, seen, information, known=known)
    at_bound = _at_bound(loss, theta, scale.spread * information.root)
    if at_bound:
        information = _without(factor, loss.names, at_bound)
        scale = _scale(loss, seen, information, known=known)
    root, undetermined = scale.spread * information.root, information.undetermined
    return Uncertainty(
        covariance=None if len(undetermined) == p else torch.from_numpy(root @ root.T),
        reason="; ".join(dict.fromkeys(undetermined.values())) or None,
        quantile=scale.quantile,
        method=scale.method,
        root=torch.from_numpy(root),
        undetermined=undetermined,
        at_bound=tuple(at_bound),
        directions=information.directions,
        noise=scale.noise,
        spread=scale.spread,
    )


class _Scale(NamedTuple):
    """What turns ``(J^T J)^-1`` into errors and intervals; see ``Uncertainty``."""

    spread: float
    quantile: float
    method: str
    noise: float | None


def _scale(loss: LossFunction, seen: ResidualFactor, information: InverseInformation, *, known: bool) -> _Scale:
    """The spread, by the degrees of freedom that the determined directions leave."""
    determined = information.root.shape[1]
    freedom = seen.n - determined
    student = f"Student's t with {freedom} degrees of freedom"
    if isinstance(loss.objective, RobustError):
        assert seen.residual is not None
        spread = _robust_spread(loss.objective, seen.residual, determined)
        noise = None if known else math.nan  # outliers are no part of what a spread could be estimated from
        return _Scale(spread, float(stdtrit(freedom, 0.975)), f"Huber's covariance of an M-estimate, {student}", noise)
    if known:
        return _Scale(1.0, float(ndtri(0.975)), "(J^T W J)^-1 with the known sigma, normal distribution", None)
    spread = math.sqrt(seen.rss / freedom)
    weights = "" if loss.observations.sigma is None else "W "
    return _Scale(spread, float(stdtrit(freedom, 0.975)), f"s^2 (J^T {weights}J)^-1, {student}", spread)


def _without(factor: Array, names: Sequence[str], at_bound: Sequence[int]) -> InverseInformation:
    """The inverse with the parameters at their bounds taken as fixed."""
    free = [k for k in range(len(names)) if k not in at_bound]
    undetermined = {k: f"{names[k]} sits at its bound, where an error means nothing" for k in at_bound}
    if not free:
        return InverseInformation(np.zeros((len(names), 0)), undetermined, ())
    rest = inverse_information(triangle(factor[:, free]), [names[k] for k in free])
    root = np.zeros((len(names), rest.root.shape[1]))
    root[free] = rest.root
    return InverseInformation(
        root, {free[k]: reason for k, reason in rest.undetermined.items()} | undetermined, rest.directions
    )


def _at_bound(loss: LossFunction, theta: Tensor, root: Array) -> list[int]:
    """The numbers of the parameters that have run into a bound."""
    bounded = [k for k, name in enumerate(loss.names) if name in getattr(loss.model, "transforms", {})]
    if not bounded:
        return []
    slopes, errors = loss.slopes(theta).abs().tolist(), np.sqrt(np.square(root).sum(axis=1))
    return [k for k in bounded if not slopes[k] > 0 or errors[k] > _FAR_OUT]


def _robust_spread(objective: RobustError, residual: Tensor, p: int) -> float:
    """Huber's estimate of the factor on ``(J^T J)^-1``'s root."""
    scale, n = objective.scale, len(residual)
    z = (residual / scale).square()
    _, first, second = objective.rho(z)
    psi, slope = residual * first, first + 2 * second * z
    mean = slope.mean().item()
    if not mean > 0 or n <= p:
        return math.inf
    correction = 1 + p / n * slope.var(correction=0).item() / mean**2
    return correction * math.sqrt(psi.square().sum().item() / (n - p)) / mean


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
