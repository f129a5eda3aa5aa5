"""Many fits of one model to reweighted observations, all in one batch."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from paramfit.inference.bootstrap.weighted_losses import Expansion, WeightedLoss
from paramfit.linalg.box import least_squares_in_box
from paramfit.models import ParametricModel
from paramfit.solvers.loop import solve

__all__ = ["ResampledFits", "ResampledNewton", "solve_weighted"]

_CLOSE = 1e-4  # of a standard error: what may be left of the way to the optimum
_SHRINKING = 0.1  # of the step before: steps that shrink so fast tell what is left
_UNEVEN = 10.0  # times faster than in another direction, at most, a step may shrink in its own
_MOST_STEPS = 100
_FIRST_DAMPING = 1e-2  # of the curvature at the estimate, once an undamped step has failed
_NO_DAMPING = 1e-6
_FLOOR = 1e-12  # keeps a curvature that has vanished invertible
_LOST = 1e3  # times as uncertain as the estimate: the resample does not determine it


@dataclass(frozen=True)
class ResampledFits:
    """A batch of fits, of which some go on."""

    theta: Tensor  # the best of each, (B, p); the optimum of those that have converged
    converged: Tensor  # which of them are optima, (B,)
    factor: Tensor  # triangular factor of each one's curvature at its optimum, (B, r, r); the identity before
    active: Tensor  # numbers of those that go on, (A,)
    trial: Tensor  # where each of these is to be looked at next, (A, p)
    here: Expansion | None  # the loss at the best point of each of these; None before the first look
    damping: Tensor  # lambda of each of these, (A,)
    growth: Tensor  # what it grows by, should the next step fail, (A,)
    length: Tensor  # of the step to the trial, in standard errors, (A,)
    before: Tensor  # of the step before, where that was taken undamped; 0 elsewhere, (A,)

    @property
    def ended(self) -> bool:
        """Whether none goes on."""
        return not len(self.active)


@dataclass(frozen=True)
class ResampledNewton:
    r"""Minimises each weighted loss of a batch, beginning at the estimate.

    .. math:: (H_b + \lambda_b I)\, \Delta\phi_b = -g_b, \qquad \theta_b \leftarrow \theta_b + F \Delta\phi_b

    which is Gauss-Newton (least squares) or Newton (likelihood) until a step fails to lower its loss, and damped from
    then on, each fit by its own :math:`\lambda_b`. A fit has converged with an undamped step that leaves less than 1e-4
    standard errors of the estimate to go, far less than the Monte-Carlo error: because it is that short itself in every
    parameter, or by the rate at which steps shrink, as ten times :math:`|\Delta\phi|^2 / |\Delta\phi_\text{before}|`.

    References:
        Donald Marquardt: An Algorithm for Least-Squares Estimation of Nonlinear Parameters (1963).
        Hans Bruun Nielsen: Damping Parameter in Marquardt's Method (1999).
    """

    problem: WeightedLoss  # the loss and the estimate
    errors: Tensor  # standard errors at the estimate, (p,)

    def start(self, count: int) -> ResampledFits:
        """All at the estimate, where nothing has been looked at."""
        nothing = torch.zeros(count, dtype=torch.float64)
        return ResampledFits(
            theta=self.problem.start.expand(count, -1).clone(),
            converged=torch.zeros(count, dtype=torch.bool),
            factor=torch.eye(self.problem.basis.shape[1], dtype=torch.float64).repeat(count, 1, 1),
            active=torch.arange(count),
            trial=self.problem.start.unsqueeze(0),
            here=None,
            damping=nothing,
            growth=torch.full((count,), 2.0, dtype=torch.float64),
            length=nothing,
            before=nothing,
        )

    def advance(self, fits: ResampledFits, expansion: Expansion) -> ResampledFits:
        """The fits after a look at the trials of those that go on."""
        if fits.here is None:
            return self._proposed(fits, fits.theta, expansion, fits.damping, fits.growth, fits.before)
        best = fits.theta[fits.active]
        better = _is_finite(expansion) & (expansion.value <= fits.here.value + self.problem.rounding)
        taken = torch.where(better.unsqueeze(1), fits.trial, best)
        before = torch.where(better & (fits.damping == 0), fits.length, 0.0)
        damping, growth = _next_damping(fits.damping, fits.growth, better)
        return self._proposed(fits, taken, fits.here.updated(expansion, better), damping, growth, before)

    def _within(
        self, best: Tensor, trial: Tensor, step: Tensor, here: Expansion, factor: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Trials ``(A, p)`` within the bounds, and the steps to them: of the few that leave, one by one."""
        assert self.problem.box is not None
        (lower, upper), basis = self.problem.box, self.problem.basis
        beyond = ((trial < lower) | (trial > upper)).any(1).nonzero()[:, 0].tolist()
        moving = (basis != 0).any(1)
        if not beyond or int(moving.sum()) > basis.shape[1]:
            return trial.clamp(lower, upper), step
        inverse = torch.linalg.inv(basis[moving])
        trial, step = trial.clone(), step.clone()
        for b in beyond:
            # |L^T phi + L^-1 g|, with L L^T the curvature, is least where the parabola is.
            target = -torch.linalg.solve_triangular(factor[b], here.slope[b].unsqueeze(1), upper=False)[:, 0]
            ways = (lower - best[b])[moving], (upper - best[b])[moving]
            moved = least_squares_in_box(
                (factor[b].T @ inverse).numpy(), target.numpy(), *(way.numpy() for way in ways)
            )
            step[b] = inverse @ torch.from_numpy(moved)
            trial[b, moving] = best[b, moving] + torch.from_numpy(moved)
        return trial.clamp(lower, upper), step

    def _proposed(
        self, fits: ResampledFits, best: Tensor, here: Expansion, damping: Tensor, growth: Tensor, before: Tensor
    ) -> ResampledFits:
        """The fits with their next trials; those that have converged are taken out."""
        ridge = (damping + _FLOOR).view(-1, 1, 1) * torch.eye(here.curvature.shape[-1], dtype=torch.float64)
        factor, failed = torch.linalg.cholesky_ex(here.curvature + ridge)
        step = -torch.cholesky_solve(here.slope.unsqueeze(2), factor)[..., 0]
        step = torch.where((failed == 0).unsqueeze(1), step, torch.nan)
        trial = best + step @ self.problem.basis.T
        if self.problem.box is not None:
            trial, step = self._within(best, trial, step, here, factor)
        moved = (_natural(self.problem, trial) - _natural(self.problem, best)).abs()
        length = torch.linalg.vector_norm(step, dim=1)
        shrinks = (length <= _SHRINKING * before) & (_UNEVEN * length.square() <= _CLOSE * before)
        done = (damping == 0) & ((moved <= _CLOSE * self.errors).all(1) | shrinks)
        theta, factors, converged = fits.theta.clone(), fits.factor, fits.converged
        theta[fits.active] = torch.where(done.unsqueeze(1), trial, best)
        left = slice(None)
        if done.any():
            factors, converged = factors.clone(), converged.clone()
            factors[fits.active[done]] = factor[done]
            converged[fits.active[done]] = True
            left = (~done).nonzero()[:, 0]
            here = here.rows(left)
        return ResampledFits(
            theta, converged, factors, fits.active[left], trial[left], here,
            damping[left], growth[left], length[left], before[left],
        )  # fmt: skip


def solve_weighted(problem: WeightedLoss, weights: Tensor) -> ResampledFits:
    """Minimise the loss under each row of weights ``(B, n)``, beginning at the estimate; see ``ResampledNewton``.

    A fit has not converged where its observations leave a parameter a thousand times as uncertain as all of them did.
    """
    errors = _errors(problem, problem.start.unsqueeze(0), problem.basis.unsqueeze(0))[0]
    solver = ResampledNewton(problem, errors)

    def look(fits: ResampledFits) -> Expansion:
        return problem.expand(fits.trial, weights[fits.active])

    fits: ResampledFits
    fits, _ = solve(solver, solver.start(len(weights)), look, _MOST_STEPS + 1)
    converged = fits.converged & _determined(problem, fits.theta, fits.factor, errors)
    return replace(fits, converged=converged)


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
    specs = problem.loss.model.specifications if isinstance(problem.loss.model, ParametricModel) else {}
    bounded = torch.tensor([name in specs and specs[name].bounded for name in problem.loss.names])
    size = torch.where(bounded, _natural(problem, theta).abs(), 0.0)
    return (_errors(problem, theta, root) <= _LOST * torch.maximum(errors, size)).all(1) & theta.isfinite().all(1)
