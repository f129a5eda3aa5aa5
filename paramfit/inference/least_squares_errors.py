"""How uncertain the estimates are."""

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from scipy.special import ndtri, stdtrit
from torch import Tensor

from paramfit.facts import Fact, FactKind, Number
from paramfit.inference.formula_edge import edge_of_formula
from paramfit.inference.likelihood_errors import likelihood_uncertainty
from paramfit.inference.loss_function import LossFunction
from paramfit.inference.uncertainty import (
    Uncertainty,
    parameters_at_bound,
    with_errors,
    without_errors,
    without_parameters,
)
from paramfit.linalg.lapack import Array, all_finite, length, triangle, unit_of
from paramfit.linalg.unit_free import InverseInformation, inverse_information
from paramfit.models import ParametricModel
from paramfit.objectives import NegativeLogLikelihood, RobustError, SquaredError
from paramfit.parameters import ParameterSpec
from paramfit.passes.likelihood_terms import LikelihoodTerms

__all__ = ["ResidualFactor", "least_squares_uncertainty", "uncertainty"]

_EPS = float(np.finfo(np.float64).eps)
_UNSEEN = 1e-5  # of a residual: an error beyond 10^5 times a parameter's size says that nothing holds it
_NEAR = 1e-6  # of the start's distance from a bound: what comes as near has run into it


@dataclass(frozen=True)
class ResidualFactor:
    """What errors of least squares rest on."""

    factor: Array  # triangular factor of [J, e], rows over sigma and the unit, (p + 1, p + 1)
    n: int  # number of observations
    rss: float  # the sum of e's squares
    target: float  # the target's length, over sigma and the unit
    residual: Tensor | None = None  # e (n,), over sigma and the unit; only a robust objective asks for it
    unit: float = 1.0  # what rows are divided by before they are squared; see ``unit_of``

    @classmethod
    def of(
        cls, factor: Array, n: int, residual: Tensor | None, target: Tensor, sigma: Tensor | None
    ) -> "ResidualFactor":
        """From factor and residual that were not divided by the unit, which is the target's, over sigma."""
        weighed = (target if sigma is None else target / sigma).numpy()
        size = length(weighed)
        unit = unit_of(size)
        if unit != 1.0:
            factor, residual = factor / unit, None if residual is None else residual / unit
        last = factor[:, -1] if residual is None else residual.numpy()
        return cls(factor, n, float(last @ last), size / unit, residual, unit)


def uncertainty(loss: LossFunction, theta: Tensor, *, absolute_sigma: bool = True) -> Uncertainty:
    r"""Covariance of the estimates at ``theta``.

    Least squares: :math:`C = s^2 (J^T J)^{-1}`, see ``least_squares_uncertainty``. Maximum likelihood: the inverse of
    the observed information, the Hessian of the summed negative log-likelihood; intervals by the normal distribution.
    """
    objective = loss.objective
    if objective.penalised:
        return without_errors(Fact(FactKind.PENALISED))
    if isinstance(objective, SquaredError | RobustError):
        residual = loss.observations.target - loss.prediction(theta)
        rows = torch.cat([loss.jacobian(theta), residual.unsqueeze(1)], dim=1)
        if loss.observations.sigma is not None:
            rows = rows / loss.observations.sigma.unsqueeze(1)
        errors, measured = rows[:, -1].detach(), loss.observations
        factor = triangle(rows.detach().numpy())
        evidence = ResidualFactor.of(factor, loss.n, errors, measured.target, measured.sigma)
        return least_squares_uncertainty(loss, theta, evidence, absolute_sigma=absolute_sigma)
    if isinstance(objective, NegativeLogLikelihood):
        terms = LikelihoodTerms(loss.model, objective)
        kink = terms.kink(loss.observations)
        if kink is not None:
            return likelihood_uncertainty(loss, theta, terms.information(loss.observations), kink)
        count = loss.n if objective.reduction == "mean" else 1
        return likelihood_uncertainty(loss, theta, loss.hessian(theta).numpy() * count)
    return without_errors(Fact(FactKind.NO_CURVATURE, numbers={"objective": type(objective).__name__}))


def least_squares_uncertainty(
    loss: LossFunction, theta: Tensor, evidence: ResidualFactor, *, absolute_sigma: bool
) -> Uncertainty:
    r"""Covariance of least-squares estimates from the factor of their Jacobian.

    .. math:: C = s^2 (J^T J)^{-1}, \qquad s^2 = \mathrm{RSS} / (n - p)

    with rows over sigma where errors are known; where they are known absolutely, s is 1 and intervals are those of the
    normal distribution, otherwise Student's t with n - p degrees of freedom. Here p counts the directions that the
    observations determine, so that one parameter too many leaves the errors of the others as they were. For a robust
    objective s is Huber's :math:`\sqrt{\sum\psi^2/(n-p)} / \overline{\psi'}` with his correction for few observations.

    A parameter at its bound, or one that the edge of where the formula is defined holds, is taken as fixed by all
    others, and has no error of its own. Nor has one in which the
    prediction is not linear and whose change by its own size, or its start's, is not seen: :math:`|J_k| |\theta_k|` is
    at most eps times the target's length, or a part of 1e-5 of s.

    References:
        Douglas Bates, Donald Watts: Nonlinear Regression Analysis and Its Applications (1988).
        Peter J. Huber: Robust Regression: Asymptotics, Conjectures and Monte Carlo (1973).
    """
    n, p = evidence.n, len(theta)
    if not all_finite(evidence.factor):
        return without_errors(Fact(FactKind.JACOBIAN_NOT_FINITE))
    factor, sigma_is_known = evidence.factor[:p, :p], loss.observations.sigma is not None and absolute_sigma
    least = _least_lengths(loss, theta, evidence)
    information = inverse_information(factor, loss.names, least)
    if n <= information.root.shape[1] and not sigma_is_known:
        return without_errors(Fact(FactKind.TOO_FEW_OBSERVATIONS, numbers={"observations": n, "parameters": p}))
    scale = _scale(loss, evidence, information, sigma_is_known=sigma_is_known)
    at_bound = parameters_at_bound(loss, theta, scale.spread / evidence.unit * information.root)
    edge = edge_of_formula(loss, theta)
    held = [] if edge is None else [k for k in edge.held if k not in at_bound]
    if at_bound or held:
        information = without_parameters(factor, loss.names, [*at_bound, *held], least)
        scale = _scale(loss, evidence, information, sigma_is_known=sigma_is_known)
    if edge is not None:
        argument = edge.fact.numbers["operation"]
        by_edge = {k: Fact(FactKind.HELD_BY_EDGE, (loss.names[k],), {"argument": argument}) for k in held}
        information = replace(information, undetermined=information.undetermined | by_edge)
    errors = with_errors(
        information, scale.quantile, scale.method, at_bound, noise=scale.noise, spread=scale.spread, unit=evidence.unit
    )
    return errors if edge is None else replace(errors, edge=(edge.fact,))


class _Scale(NamedTuple):
    """What turns ``(J^T J)^-1`` into errors and intervals; see ``Uncertainty``."""

    spread: float
    quantile: float
    method: Fact
    noise: float | None


def _scale(
    loss: LossFunction, evidence: ResidualFactor, information: InverseInformation, *, sigma_is_known: bool
) -> _Scale:
    """The spread, by the degrees of freedom that the determined directions leave."""
    determined = information.root.shape[1]
    freedom = evidence.n - determined
    bounded = bool(getattr(loss.model, "transforms", None))
    numbers: dict[str, Number] = {"freedom": freedom, "bounded": bounded}
    if isinstance(loss.objective, RobustError):
        assert evidence.residual is not None
        spread = _robust_spread(loss.objective, evidence.residual, determined, evidence.unit)
        noise = None if sigma_is_known else math.nan  # outliers are no part of what a spread could be estimated from
        return _Scale(spread, float(stdtrit(freedom, 0.975)), Fact(FactKind.HUBER, numbers=numbers), noise)
    if sigma_is_known:
        return _Scale(1.0, float(ndtri(0.975)), Fact(FactKind.KNOWN_SIGMA, numbers={"bounded": bounded}), None)
    spread = evidence.unit * math.sqrt(evidence.rss / freedom)
    numbers["weighted"] = loss.observations.sigma is not None
    return _Scale(spread, float(stdtrit(freedom, 0.975)), Fact(FactKind.STUDENT_T, numbers=numbers), spread)


def _least_lengths(loss: LossFunction, theta: Tensor, evidence: ResidualFactor) -> Array:
    """How long a column of the Jacobian, over the unit, must be for its parameter to be seen, ``(p,)``."""
    unseen = max(_EPS * evidence.target, _UNSEEN * math.sqrt(evidence.rss / max(1, evidence.n - len(theta))))
    model = loss.model
    if not isinstance(model, ParametricModel):
        return np.asarray(unseen / np.maximum(theta.abs().numpy(), 1.0))
    # In what the prediction is linear can grow until it is seen: a value of 0 says nothing of its influence.
    linear = model.linear_parameters()
    values, slopes = loss.natural(theta).tolist(), [1.0] * len(theta)
    if model.transforms:
        slopes = loss.slopes(theta).tolist()
    return np.array(
        [
            0.0 if name in linear else unseen * abs(slope) * _one_over_size(value, model.specifications.get(name))
            for name, value, slope in zip(loss.names, values, slopes, strict=True)
        ]
    )


def _one_over_size(value: float, spec: ParameterSpec | None) -> float:
    """Of a parameter or its start, the larger (1 where neither says anything); 0 for one that has run into a bound."""
    start = 0.0 if spec is None or spec.start is None else spec.start
    bounds = () if spec is None else (spec.lower, spec.upper)
    if any(bound is not None and abs(value - bound) < _NEAR * abs(start - bound) for bound in bounds):
        return 0.0
    return 1 / max(abs(value), abs(start) or 1.0)


def _robust_spread(objective: RobustError, residual: Tensor, p: int, unit: float) -> float:
    """Huber's estimate of the factor on ``(J^T J)^-1``'s root, from the residual over the unit."""
    scale, n = objective.scale / unit, len(residual)
    z = (residual / scale).square()
    _, first, second = objective.rho(z)
    psi, slope = residual * first, first + 2 * second * z
    mean = slope.mean().item()
    if not mean > 0 or n <= p:
        return math.inf
    correction = 1 + p / n * slope.var(correction=0).item() / mean**2
    return unit * correction * math.sqrt(psi.square().sum().item() / (n - p)) / mean
