"""The nonparametric bootstrap: what other samples would have said."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from scipy.special import ndtr, ndtri
from torch import Tensor

from paramfit.errors import InputError
from paramfit.facts import Fact, FactKind, without_repetition
from paramfit.inference.bootstrap.jackknife import acceleration
from paramfit.inference.bootstrap.resampled_fits import solve_weighted
from paramfit.inference.bootstrap.weighted_losses import WEIGHTS_AT_ONCE, unvalidated, weighted_loss
from paramfit.inference.loss_function import LossFunction
from paramfit.torch_overhead import one_thread

__all__ = ["Bootstrap", "bootstrap"]

_MOST_FAILED = 0.1  # of the resamples: without more of them, a tail may be missing


@dataclass(frozen=True)
class Bootstrap:
    """Estimates from resampled observations, and the intervals they give.

    Attributes:
        names: of the parameters.
        estimate: from the observations themselves, ``(p,)``, as values within their bounds.
        estimates: of each resample that could be fitted, ``(B, p)``, likewise; NaN for a parameter that the
            observations do not determine.
        acceleration: how the standard error changes with the parameter, ``(p,)``, for ``bca``.
        resamples: how many were drawn.
        seed: what they were drawn by.
        failed: how many could not be fitted; they are left out.
        reasons: parameters without estimates, and resamples that failed.
    """

    names: tuple[str, ...]
    estimate: Tensor
    estimates: Tensor
    acceleration: Tensor
    resamples: int
    seed: int
    failed: int
    reasons: tuple[Fact, ...]

    @property
    def is_telling(self) -> bool:
        """Whether those that could be fitted stand for all: what fails is no random part of them."""
        return self.failed <= _MOST_FAILED * self.resamples

    @property
    def standard_errors(self) -> Tensor:
        """Standard deviation of the estimates, ``(p,)``; NaN for less than two."""
        return self.estimates.std(0) if len(self.estimates) > 1 else torch.full_like(self.estimate, math.nan)

    def percentile(self, level: float = 0.95) -> Tensor:
        """Percentile intervals, lower and upper end, ``(p, 2)``.

        Args:
            level: the share that lies within, between 0 and 1.

        Raises:
            InputError: for another level.

        References:
            Bradley Efron, Robert Tibshirani: An Introduction to the Bootstrap (1993), chapter 13.
        """
        tail = _tail(level)
        shares = torch.tensor([tail, 1 - tail], dtype=torch.float64)
        return self._quantiles(shares.expand(len(self.names), 2))

    def bca(self, level: float = 0.95) -> Tensor:
        r"""Bias-corrected and accelerated intervals, lower and upper end, ``(p, 2)``.

        .. math:: \Phi\Big(z_0 + \frac{z_0 + z}{1 - a (z_0 + z)}\Big)

        are the shares whose quantiles are taken, with z of the normal distribution, :math:`\Phi(z_0)` the share of
        estimates below the estimate (half of those that equal it included), and a the acceleration. NaN where all
        estimates lie on one side.

        Args:
            level: the share that lies within, between 0 and 1.

        Raises:
            InputError: for another level.

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

    Args:
        loss: the objective over the observations, of least squares, robust or a negative log-likelihood.
        theta: its optimum, ``(p,)``.
        resamples: how many.
        seed: the same seed draws the same resamples.
        progress: called with the number of resamples done, after every chunk.
        held: numbers of parameters that sit at a bound: their resamples stay there.

    Raises:
        InputError: for less than one resample, less than two observations, an objective that cannot be resampled, or a
            model that cannot be computed in batches.

    References:
        Bradley Efron: Bootstrap Methods: Another Look at the Jackknife (1979).
    """
    if resamples < 1:
        msg = f"resamples: expected at least 1, but got {resamples}"
        raise InputError(msg)
    if loss.n < 2:
        msg = f"bootstrap: {loss.n} observation cannot be resampled; give at least 2"
        raise InputError(msg)
    generator = torch.Generator().manual_seed(seed)
    at_once = max(1, WEIGHTS_AT_ONCE // loss.n)
    kept = []
    with unvalidated(), one_thread(at_once > 1):
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
    failed = resamples - len(estimates)
    return Bootstrap(
        names=loss.names,
        estimate=loss.natural(problem.start),
        estimates=estimates,
        acceleration=accelerations,
        resamples=resamples,
        seed=seed,
        failed=failed,
        reasons=_reasons(failed, resamples, list(problem.undetermined.values())),
    )


def _counts(resamples: int, n: int, generator: torch.Generator) -> Tensor:
    """How often each observation was drawn, ``(B, n)``."""
    drawn = torch.randint(n, (resamples, n), generator=generator)
    drawn += n * torch.arange(resamples).unsqueeze(1)
    return torch.bincount(drawn.flatten(), minlength=resamples * n).view(resamples, n).double()


def _tail(level: float) -> float:
    if not 0 < level < 1:
        msg = f"level: expected a share between 0 and 1, but got {level}"
        raise InputError(msg)
    return (1 - level) / 2


def _reasons(failed: int, resamples: int, undetermined: list[Fact]) -> tuple[Fact, ...]:
    """One fact for each kind of what is missing."""
    if failed:
        undetermined.append(Fact(FactKind.RESAMPLES_FAILED, numbers={"failed": failed, "resamples": resamples}))
    return without_repetition(undetermined)
