"""Many fits of one model to reweighted observations, all in one batch."""

from typing import NamedTuple

import torch
from torch import Tensor

from paramfit.inference.bootstrap.weighted_losses import Expansion, WeightedLoss

__all__ = ["ResampledFits", "solve_weighted"]

_CLOSE = 1e-4  # of a standard error: what may be left of the way to the optimum
_SHRINKING = 0.1  # of the step before: steps that shrink so fast tell what is left
_UNEVEN = 10.0  # times faster than in another direction, at most, a step may shrink in its own
_MOST_STEPS = 100
_FIRST_DAMPING = 1e-2  # of the curvature at the estimate, once an undamped step has failed
_NO_DAMPING = 1e-6
_FLOOR = 1e-12  # keeps a curvature that has vanished invertible
_LOST = 1e3  # times as uncertain as the estimate: the resample does not determine it


class ResampledFits(NamedTuple):
    """The optima of the batch.

    Attributes:
        theta: ``(B, p)``.
        converged: which of them are optima, ``(B,)``.
    """

    theta: Tensor
    converged: Tensor


def solve_weighted(problem: WeightedLoss, weights: Tensor) -> ResampledFits:
    r"""Minimise each weighted loss, beginning at the estimate.

    .. math:: (H_b + \lambda_b I)\, \Delta\phi_b = -g_b, \qquad \theta_b \leftarrow \theta_b + F \Delta\phi_b

    which is Gauss-Newton (least squares) or Newton (likelihood) until a step fails to lower its loss, and damped from
    then on, each fit by its own :math:`\lambda_b`. A fit has converged with an undamped step that leaves less than 1e-4
    standard errors of the estimate to go, far less than the Monte-Carlo error: because it is that short itself in every
    parameter, or by the rate at which steps shrink, as ten times :math:`|\Delta\phi|^2 / |\Delta\phi_\text{before}|`.
    It has not where its observations leave a parameter a thousand times as uncertain as all of them did.

    Args:
        problem: the loss and the estimate.
        weights: of each observation, ``(B, n)``.

    References:
        Donald Marquardt: An Algorithm for Least-Squares Estimation of Nonlinear Parameters (1963).
        Hans Bruun Nielsen: Damping Parameter in Marquardt's Method (1999).
    """
    count = len(weights)
    found = problem.start.expand(count, -1).clone()
    converged = torch.zeros(count, dtype=torch.bool)
    active, theta = torch.arange(count), found.clone()
    damping, growth = torch.zeros(count, dtype=torch.float64), torch.full((count,), 2.0, dtype=torch.float64)
    before = torch.zeros(count, dtype=torch.float64)
    errors = _errors(problem, problem.start.unsqueeze(0), problem.basis.unsqueeze(0))[0]
    factors = torch.eye(problem.basis.shape[1], dtype=torch.float64).repeat(count, 1, 1)
    here = problem.expand(problem.start.unsqueeze(0), weights)
    for _ in range(_MOST_STEPS):
        factor, failed = torch.linalg.cholesky_ex(here.curvature + _diagonal(damping + _FLOOR, here.curvature))
        step = -torch.cholesky_solve(here.slope.unsqueeze(2), factor)[..., 0]
        step = torch.where((failed == 0).unsqueeze(1), step, torch.nan)
        trial = theta + step @ problem.basis.T
        moved = (_natural(problem, trial) - _natural(problem, theta)).abs()
        length = torch.linalg.vector_norm(step, dim=1)
        shrinks = (length <= _SHRINKING * before) & (_UNEVEN * length.square() <= _CLOSE * before)
        done = (damping == 0) & ((moved <= _CLOSE * errors).all(1) | shrinks)
        if done.any():
            found[active[done]] = trial[done]
            factors[active[done]] = factor[done]
            converged[active[done]] = True
            left = (~done).nonzero()[:, 0]
            active, theta, trial, weights = active[left], theta[left], trial[left], weights[left]
            damping, growth, length, here = damping[left], growth[left], length[left], here.rows(left)
        if not len(active):
            break
        there = problem.expand(trial, weights)
        better = _is_finite(there) & (there.value <= here.value + problem.rounding)
        theta, here = torch.where(better.unsqueeze(1), trial, theta), here.updated(there, better)
        before = torch.where(better & (damping == 0), length, 0.0)
        damping, growth = _next_damping(damping, growth, better)
    return ResampledFits(found, converged & _determined(problem, found, factors, errors))


def _diagonal(damping: Tensor, like: Tensor) -> Tensor:
    return damping.view(-1, 1, 1) * torch.eye(like.shape[-1], dtype=like.dtype)


def _next_damping(damping: Tensor, growth: Tensor, better: Tensor) -> tuple[Tensor, Tensor]:
    """A third after a step that was taken, and none at last; after one that was not, more and more."""
    less = torch.where(damping < _NO_DAMPING, 0.0, damping / 3)
    more = torch.where(damping > 0, damping * growth, _FIRST_DAMPING)
    return torch.where(better, less, more), torch.where(better, 2.0, 2 * growth)


def _is_finite(expansion: Expansion) -> Tensor:
    parts = (expansion.value, expansion.slope.sum(1), expansion.curvature.sum((1, 2)))
    return torch.stack([part.isfinite() for part in parts]).all(0)


def _natural(problem: WeightedLoss, theta: Tensor) -> Tensor:
    """Values within their bounds, ``(B, p)``."""
    return problem.loss.natural(theta.T).T


def _errors(problem: WeightedLoss, theta: Tensor, root: Tensor) -> Tensor:
    """Standard errors of the values from a root ``(B, p, r)`` of theta's covariance, ``(B, p)``."""
    return root.square().sum(2).sqrt() * problem.loss.slopes(theta.T).T.abs()


def _determined(problem: WeightedLoss, theta: Tensor, factor: Tensor, errors: Tensor) -> Tensor:
    """Whether the observations of each resample determine all parameters, ``(B,)``."""
    root = torch.linalg.solve_triangular(factor, problem.basis.T.expand(len(theta), -1, -1), upper=False).mT
    # A bounded parameter may leave a bound, where it had hardly an error; its own size is then what to go by.
    transforms = getattr(problem.loss.model, "transforms", {})
    bounded = torch.tensor([name in transforms for name in problem.loss.names])
    size = torch.where(bounded, _natural(problem, theta).abs(), 0.0)
    return (_errors(problem, theta, root) <= _LOST * torch.maximum(errors, size)).all(1) & theta.isfinite().all(1)
