"""How uncertain maximum-likelihood estimates are, by the curvature at the maximum."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.special import ndtri
from torch import Tensor

from paramfit.facts import Fact, FactKind, Number
from paramfit.inference.edge_of_domain import DomainEdge, domain_edge
from paramfit.inference.flat_directions import settled_information
from paramfit.inference.information_matrix import direction
from paramfit.inference.loss_function import LossFunction
from paramfit.inference.uncertainty import Uncertainty, parameters_at_bound, with_errors, without_parameters
from paramfit.linalg.lapack import Array, all_finite
from paramfit.linalg.unit_free import THRESHOLDS, InverseInformation, ScaledCurvature, inverse_information
from paramfit.passes.likelihood_terms import LikelihoodTerms

__all__ = ["likelihood_uncertainty"]

_FAR = 40.0  # of a logarithm: a factor of 1e-17, less than a rounding


def likelihood_uncertainty(
    loss: LossFunction, theta: Tensor, information: Array | None, kink: str | None = None, endless: Fact | None = None
) -> Uncertainty:
    r"""Covariance of maximum-likelihood estimates: the inverse of the observed information.

    .. math:: C = H^{-1}, \qquad H = -\sum_i \nabla^2 \log p_\theta(y_i)

    Intervals are those of the normal distribution. A parameter at its bound is taken as fixed by all others, and has no
    error of its own. Where H is not positive definite, the reason names the direction in which the likelihood does not
    fall. On the edge of what the distribution's arguments may be, errors are those along it. H, ``information``
    ``(p, p)``, is by the unconstrained numbers of bounded parameters.

    Where the log-density has a ``kink`` in one of its arguments it does not bend elsewhere, so that there is no
    observed information, and the expected one is given in its place; None where nothing gives it.

    Where the likelihood rises without end in a direction, as the fact ``endless`` tells, the parameters in it have no
    error, and all others have theirs as if that direction were known.

    References:
        Bradley Efron, David Hinkley: Assessing the Accuracy of the Maximum Likelihood Estimator: Observed Versus
        Expected Fisher Information (1978).
    """
    quantile = float(ndtri(0.975))
    numbers: dict[str, Number] = {"bounded": bool(getattr(loss.model, "transforms", None))}
    method = Fact(FactKind.OBSERVED_INFORMATION, numbers=numbers)
    if kink is not None:
        method = Fact(FactKind.EXPECTED_INFORMATION, numbers={**numbers, "kink": kink})
    if information is None:
        why = Fact(FactKind.NO_INFORMATION_AT_KINK, numbers={"kink": kink})
        return Uncertainty(None, (why,), quantile, Fact(FactKind.NO_METHOD), kink=kink)
    if not all_finite(information):
        why = Fact(FactKind.HESSIAN_NOT_FINITE, numbers={"matrix": "Hessian"})
        return Uncertainty(None, (why,), quantile, method, kink=kink)
    if endless is not None:
        return _beside_endless(loss, information, endless, quantile, method)
    bound = parameters_at_bound(loss, theta, _errors_alone(information))
    edge = domain_edge(loss, theta, information, bound)
    if edge is not None:
        return replace(_along_edge(loss, theta, information, edge, bound, quantile, method), edge=edge.facts, kink=kink)
    free = [k for k in range(len(theta)) if k not in bound]
    least = np.zeros(len(theta))
    if kink is None and free:
        beyond = _towards_bounds(loss, theta, bound)
        information, least = settled_information(loss, theta, beyond, information, free)
    reason = _not_a_maximum(information[np.ix_(free, free)], [loss.names[k] for k in free], least[free])
    if reason is not None:
        return Uncertainty(None, (reason,), quantile, method, at_bound=tuple(bound), directions=(reason,))
    held = information.copy()
    held[bound, :] = held[:, bound] = 0.0  # where a bound holds the maximum the whole H need not be positive
    factor = _root_of(held, least)
    if bound:
        inverse = without_parameters(factor, loss.names, bound, least)
    else:
        inverse = inverse_information(factor, loss.names, least)
    undetermined = {k: _in_a_likelihood(why) for k, why in inverse.undetermined.items()}
    directions = tuple(map(_in_a_likelihood, inverse.directions))
    inverse = replace(inverse, undetermined=undetermined, directions=directions)
    return with_errors(inverse, quantile, method, bound, kink=kink)


def _towards_bounds(loss: LossFunction, theta: Tensor, bound: Sequence[int]) -> Tensor:
    """Theta with the unconstrained numbers of what has run into a bound far beyond all that could matter.

    What others do there that is less by as much they do by rounding only: at a concentration of 1e-16 VonMises has no
    ``loc``.
    """
    transforms = getattr(loss.model, "transforms", {})
    far = theta.detach().clone()
    for k in bound:
        if loss.names[k] in transforms:
            far[k] += math.copysign(_FAR, far[k].item())
    return far


def _beside_endless(
    loss: LossFunction, information: Array, endless: Fact, quantile: float, method: Fact
) -> Uncertainty:
    """The errors of those that do not grow without end: by the information across the direction in which others do."""
    shares: Any = endless.numbers["shares"]
    direction_of = dict(zip(endless.parameters, shares, strict=True))
    direction = np.array([direction_of.get(name, 0.0) for name in loss.names])
    if direction.all():
        alone = tuple(Fact(FactKind.GROWS_WITHOUT_END, (name,)) for name in loss.names)
        return Uncertainty(None, alone, quantile, Fact(FactKind.NO_METHOD), undetermined=dict(enumerate(alone)))
    scaled = ScaledCurvature.of(information)
    along = direction * scaled.size
    _, _, directions = np.linalg.svd(along[None, :] / np.linalg.norm(along))
    across = directions[1:].T
    inner = ScaledCurvature.of(across.T @ (information / np.outer(scaled.size, scaled.size)) @ across)
    inverse = across @ inner.inverse() @ across.T / np.outer(scaled.size, scaled.size)
    determined = (direction == 0) & (inverse.diagonal() > 0)
    undetermined = {
        k: Fact(FactKind.GROWS_WITHOUT_END, (name,)) for k, name in enumerate(loss.names) if not determined[k]
    }
    if not determined.any():
        reasons = tuple(undetermined.values())
        return Uncertainty(None, reasons, quantile, Fact(FactKind.NO_METHOD), undetermined=undetermined)
    covariance = np.where(np.outer(determined, determined), inverse, 0.0)
    root = np.zeros((len(direction), int(determined.sum())))
    root[determined] = np.linalg.cholesky(covariance[np.ix_(determined, determined)])
    return with_errors(InverseInformation(root, undetermined, ()), quantile, method, ())


def _along_edge(
    loss: LossFunction,
    theta: Tensor,
    information: Array,
    edge: DomainEdge,
    bound: Sequence[int],
    quantile: float,
    method: Fact,
) -> Uncertainty:
    r"""Errors of what still moves along the edge, :math:`Z (Z^T H Z)^{-1} Z^T` with the directions Z along it.

    H counts the bend of the edge itself.
    """
    along = edge.directions(tuple(bound))
    moves = edge.has_freedom(along)
    argument = edge.facts[0].numbers["argument"]
    undetermined = {
        k: Fact(FactKind.SITS_AT_BOUND, (name,))
        if k in bound
        else Fact(FactKind.HELD_BY_EDGE, (name,), {"argument": argument})
        for k, name in enumerate(loss.names)
        if not moves[k]
    }
    root = np.zeros((len(along), 0))
    if moves.any():
        # By the distribution's own scores: at an end of an argument autograd has none.
        gradient = LikelihoodTerms(loss.model, loss.objective)(loss.observations).gradient
        bend = edge.bend(gradient, theta, bound)
        scaled = ScaledCurvature.of(along.T @ (information + bend) @ along)
        if scaled.values[0] <= THRESHOLDS.hessian * scaled.strongest:
            free = np.flatnonzero(moves)
            down = (along @ (scaled.vectors[:, 0] / scaled.size) / edge.scale)[free]
            moving, shares = direction([loss.names[k] for k in free], down, 1 / edge.scale[free])
            numbers: dict[str, Number] = {"eigenvalue": float(scaled.values[0]), "shares": shares}
            reason = Fact(FactKind.NOT_A_MAXIMUM, moving, numbers)
            return Uncertainty(None, (reason,), quantile, method, at_bound=tuple(bound), directions=(reason,))
        root = along @ (scaled.vectors / np.sqrt(scaled.values) / scaled.size[:, None])
        root[np.logical_not(moves)] = 0.0
    return with_errors(InverseInformation(root, undetermined, ()), quantile, method, bound)


def _in_a_likelihood(fact: Fact) -> Fact:
    """What is true of a curve's prediction, of a likelihood."""
    return replace(fact, kind=FactKind.FLAT_LIKELIHOOD) if fact.kind is FactKind.IDLE else fact


def _errors_alone(information: Array) -> Array:
    """The error that each parameter would have if all others were known, as a root ``(p, p)``."""
    diagonal = information.diagonal()
    return np.diag(np.where(diagonal > 0, 1 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0)), math.inf))


def _root_of(information: Array, least: Array) -> Array:
    """R with ``R^T R`` the information; exactly singular where curvature is rounding of it, or of the ``least``."""
    scaled = ScaledCurvature.of(information, least)
    return scaled.root(np.where(scaled.values > THRESHOLDS.hessian * scaled.strongest, scaled.values, 0.0))


def _not_a_maximum(information: Array, names: Sequence[str], least: Array) -> Fact | None:
    """Why the point is no maximum of the likelihood, if it is none: the direction in which it rises."""
    if not names:
        return None
    scaled = ScaledCurvature.of(information, least)
    lowest, down = scaled.values[0], scaled.vectors[:, 0]
    if lowest >= -THRESHOLDS.hessian * scaled.strongest:
        return None
    moving, shares = direction(names, down, scaled.size)
    return Fact(FactKind.NOT_A_MAXIMUM, moving, {"eigenvalue": float(lowest), "shares": shares})
