"""How fast a standard error changes with its parameter, from leaving out one observation at a time."""

import torch
from torch import Tensor
from torch.func import jacfwd

from paramfit.inference.bootstrap.resampled_fits import solve_weighted
from paramfit.inference.bootstrap.weighted_losses import WEIGHTS_AT_ONCE, WeightedLoss

__all__ = ["acceleration", "influences", "left_out"]

_MOST_LEFT_OUT = 2000
"""Of more observations, one changes the estimate so little that its influence is as good, and far cheaper."""


def acceleration(problem: WeightedLoss) -> Tensor:
    r"""Efron's acceleration of each parameter, ``(p,)``.

    .. math:: a = \frac{\sum_i U_i^3}{6\, (\sum_i U_i^2)^{3/2}}

    with :math:`U_i = \bar\theta_{(\cdot)} - \theta_{(i)}` of the jackknife, or the influence of observation i (the
    infinitesimal jackknife) for more than 2000 observations, or where a fit without one of them fails. 0 for a
    parameter on which no observation has an influence.

    Args:
        problem: the loss and the estimate.

    References:
        Bradley Efron: Better Bootstrap Confidence Intervals (1987), section 6.
    """
    values = left_out(problem) if problem.loss.n <= _MOST_LEFT_OUT else None
    pulls = influences(problem) if values is None else values.mean(0) - values
    size = pulls.abs().amax(0)
    scaled = pulls / torch.where(size > 0, size, 1.0)  # whose cubes neither overflow nor vanish
    spread = scaled.square().sum(0)
    return scaled.pow(3).sum(0) / (6 * torch.where(spread > 0, spread, 1.0).pow(1.5))


def left_out(problem: WeightedLoss) -> Tensor | None:
    """The estimates without each observation, ``(n, p)``, as values within bounds; None if one cannot be fitted."""
    n = problem.loss.n
    at_once = max(1, WEIGHTS_AT_ONCE // n)
    estimates = []
    for first in range(0, n, at_once):
        weights = torch.ones(min(at_once, n - first), n, dtype=torch.float64)
        weights.diagonal(first).zero_()
        fits = solve_weighted(problem, weights)
        if not bool(fits.converged.all()):
            return None
        estimates.append(fits.theta)
    return problem.loss.natural(torch.cat(estimates).T).T


def influences(problem: WeightedLoss) -> Tensor:
    r"""How each estimate moves with the weight of each observation, ``(n, p)``.

    .. math:: U_i = -\frac{d\theta}{d\theta_u}\, H^{-1} \nabla \ell_i

    at the estimate, with the Hessian H of the summed loss and :math:`\theta_u` the unconstrained numbers.

    Args:
        problem: the loss and the estimate.

    References:
        Frank Hampel: The Influence Curve and Its Role in Robust Estimation (1974).
    """
    loss, basis = problem.loss, problem.basis

    def losses(phi: Tensor) -> Tensor:
        predicted = loss.prediction(problem.start + basis @ phi)
        return loss.objective.losses(predicted, *loss.observations.measured).expand(loss.n)

    slopes = jacfwd(losses)(torch.zeros(basis.shape[1], dtype=torch.float64))
    hessian = loss.hessian(problem.start) * (loss.n if loss.objective.reduction == "mean" else 1)
    pulls = -torch.linalg.solve(basis.T @ hessian @ basis, slopes.T)
    influence: Tensor = (basis @ pulls).T * loss.slopes(problem.start)
    return influence
