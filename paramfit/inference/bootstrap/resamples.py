"""The nonparametric bootstrap: what other samples would have said."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from scipy.special import ndtr, ndtri
from torch import Tensor
from torch.func import jacfwd

from paramfit.distributions.domain import unchecked
from paramfit.errors import InputError
from paramfit.facts import Fact, FactKind, without_repetition
from paramfit.inference.bootstrap.resampled_fits import solve_weighted
from paramfit.inference.bootstrap.weighted_losses import WEIGHTS_AT_ONCE, WeightedLoss, weighted_loss
from paramfit.inference.loss_function import LossFunction
from paramfit.torch_overhead import one_thread

__all__ = ["Bootstrap", "acceleration", "bootstrap", "influences", "left_out"]

_MOST_FAILED = 0.1  # of the resamples: without more of them, a tail may be missing


@dataclass(frozen=True)
class Bootstrap:
    """Estimates from resampled observations, and the intervals they give."""

    names: tuple[str, ...]  # of the parameters
    estimate: Tensor  # from the observations themselves, (p,), as values within their bounds
    estimates: Tensor  # of each resample that could be fitted, (B, p), likewise; NaN where nothing determines it
    acceleration: Tensor  # how the standard error changes with the parameter, (p,), for bca
    resamples: int  # how many were drawn
    seed: int  # what they were drawn by
    failed: int  # how many could not be fitted; they are left out
    reasons: tuple[Fact, ...]  # parameters without estimates, and resamples that failed

    @property
    def is_telling(self) -> bool:
        """Whether those that could be fitted stand for all: what fails is no random part of them."""
        return self.failed <= _MOST_FAILED * self.resamples

    @property
    def standard_errors(self) -> Tensor:
        """Standard deviation of the estimates, ``(p,)``; NaN for less than two."""
        return self.estimates.std(0) if len(self.estimates) > 1 else torch.full_like(self.estimate, math.nan)

    def percentile(self, level: float = 0.95) -> Tensor:
        """Percentile intervals, lower and upper end, ``(p, 2)``, at a level between 0 and 1.

        References:
            Bradley Efron, Robert Tibshirani: An Introduction to the Bootstrap (1993), chapter 13.
        """
        tail = _tail(level)
        shares = torch.tensor([tail, 1 - tail], dtype=torch.float64)
        return self._quantiles(shares.expand(len(self.names), 2))

    def bca(self, level: float = 0.95) -> Tensor:
        r"""Bias-corrected and accelerated intervals, lower and upper end, ``(p, 2)``, at a level between 0 and 1.

        .. math:: \Phi\Big(z_0 + \frac{z_0 + z}{1 - a (z_0 + z)}\Big)

        are the shares whose quantiles are taken, with z of the normal distribution, :math:`\Phi(z_0)` the share of
        estimates below the estimate (half of those that equal it included), and a the acceleration. NaN where all
        estimates lie on one side.

        References:
            Bradley Efron: Better Bootstrap Confidence Intervals (1987).
        """
        tail = _tail(level)
        ends = torch.tensor([ndtri(tail), ndtri(1 - tail)], dtype=torch.float64)
        below = (self.estimates < self.estimate).double() + (self.estimates == self.estimate).double() / 2
        bias = torch.from_numpy(ndtri(below.mean(0).numpy())).unsqueeze(1)
        shifted = bias + ends
        shares = ndtr((bias + shifted / (1 - self.acceleration.unsqueeze(1) * shifted)).numpy())
        return self._quantiles(torch.from_numpy(shares))

    def _quantiles(self, shares: Tensor) -> Tensor:
        """For each parameter the quantiles of its estimates, ``(p, k)``; NaN where a share is."""
        quantiles = torch.full_like(shares, math.nan)
        for k, share in enumerate(shares):
            if len(self.estimates) and bool(share.isfinite().all()):
                quantiles[k] = torch.quantile(self.estimates[:, k], share)
        return quantiles


@torch.no_grad()
def bootstrap(
    loss: LossFunction,
    theta: Tensor,
    resamples: int = 1000,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
    held: Sequence[int] = (),
) -> Bootstrap:
    r"""Draw observations with replacement, fit each resample, and keep the estimates.

    A resample is a vector of counts, how often each observation was drawn: :math:`w_b \sim
    \mathrm{Multinomial}(n, 1/n)`. All are fitted together (``solve_weighted``), each from the estimate on. Nothing is
    assumed of the errors but that observations are independent of each other and come from one population.
    ``held`` parameters sit at a bound, and their resamples stay there. ``progress`` is called with the number of
    resamples done, after every chunk.

    Raises:
        InputError: for less than one resample, less than two observations, an objective that cannot be resampled, or a
            model that cannot be computed in batches.

    References:
        Bradley Efron: Bootstrap Methods: Another Look at the Jackknife (1979).
    """
    if resamples < 1:
        raise InputError(f"resamples: expected at least 1, but got {resamples}")
    if loss.n < 2:
        raise InputError(f"bootstrap: {loss.n} observation cannot be resampled; give at least 2")
    generator = torch.Generator().manual_seed(seed)
    at_once = max(1, WEIGHTS_AT_ONCE // loss.n)
    kept = []
    # A check of arguments is a branch on values, which no batch can take.
    with unchecked(), one_thread(at_once > 1):
        problem = weighted_loss(loss, theta, held)
        for done in range(0, resamples, at_once):
            count = min(at_once, resamples - done)
            fits = solve_weighted(problem, _counts(count, loss.n, generator))
            kept.append(fits.theta[fits.converged])
            if progress is not None:
                progress(done + count)
        accelerations = acceleration(problem)
    estimates = loss.natural(torch.cat(kept).T).T.clone()
    estimates[:, list(problem.undetermined)] = math.nan
    failed, reasons = resamples - len(estimates), list(problem.undetermined.values())
    if failed:
        reasons.append(Fact(FactKind.RESAMPLES_FAILED, numbers={"failed": failed, "resamples": resamples}))
    return Bootstrap(
        names=loss.names,
        estimate=loss.natural(problem.start),
        estimates=estimates,
        acceleration=accelerations,
        resamples=resamples,
        seed=seed,
        failed=failed,
        reasons=without_repetition(reasons),
    )


def _counts(resamples: int, n: int, generator: torch.Generator) -> Tensor:
    """How often each observation was drawn, ``(B, n)``."""
    drawn = torch.randint(n, (resamples, n), generator=generator)
    drawn += n * torch.arange(resamples).unsqueeze(1)
    return torch.bincount(drawn.flatten(), minlength=resamples * n).view(resamples, n).double()


def _tail(level: float) -> float:
    if not 0 < level < 1:
        raise InputError(f"level: expected a share between 0 and 1, but got {level}")
    return (1 - level) / 2


_MOST_LEFT_OUT = 2000
"""Of more observations, one changes the estimate so little that its influence is as good, and far cheaper."""


def acceleration(problem: WeightedLoss) -> Tensor:
    r"""Efron's acceleration of each parameter, ``(p,)``.

    .. math:: a = \frac{\sum_i U_i^3}{6\, (\sum_i U_i^2)^{3/2}}

    with :math:`U_i = \bar\theta_{(\cdot)} - \theta_{(i)}` of the jackknife, or the influence of observation i (the
    infinitesimal jackknife) for more than 2000 observations, or where a fit without one of them fails. 0 for a
    parameter on which no observation has an influence.

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
