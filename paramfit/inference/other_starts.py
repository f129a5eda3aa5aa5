"""A short look from other starts: whether a much better fit can be seen from where no one began."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from scipy.special import betainc
from torch import nn

from paramfit.errors import InputError
from paramfit.inference.start_search import SEED, Effort, StartSearch, losses_of, some_rows
from paramfit.inference.trial_values import values_to_try
from paramfit.linalg.lapack import Array
from paramfit.models.base import natural_values, trainable_parameters
from paramfit.objectives import Objective, RobustError
from paramfit.observations import Observations
from paramfit.torch_overhead import one_thread

__all__ = ["MOST_LOOKED_AT", "BetterPoint", "look_from_other_starts", "seen_rows"]

MOST_LOOKED_AT = 2000
"""Rows, drawn at random of more: of a difference that is worth a word they show enough."""

_MOST_PARAMETERS = 12  # of more, a look at random says nothing
_ALIKE = 1 + 1e-6  # times the least loss
_SPIKES = {2: 0.1, 1: 0.05}
"""How probable it may be that noise points so much to a curve, by the number of rows left out: those that gain most.

A spike on two outliers is no better minimum; on one and its neighbour it is unlikely.
"""
_HINT = 20.0  # times as probable: what a glance needs to be followed by a search
_LEFT = 0.1  # of the variance: a curve that leaves less explains the rows, which noise does not by chance
_LESS = 0.99  # times the loss, with such a curve
_REFUSALS = (InputError, ValueError, RuntimeError, TypeError, NotImplementedError)


_SEARCH = Effort(scanned=800, rows=100, refined=20, first_steps=5, kept=5, last_steps=8)
_GLANCE = Effort(scanned=400, rows=50, refined=8, first_steps=3, kept=0, last_steps=0)


class BetterPoint(NamedTuple):
    """Where a fit that is significantly better was seen."""

    values: dict[str, float]  # of parameters that differ from their estimates, within bounds, by name
    loss: float  # the sum of the losses there, over the rows that were looked at
    loss_at_fit: float  # the same at the estimates


def seen_rows(observations: Observations) -> Observations:
    """All rows, or of many some, drawn at random: a regular choice would not see what changes as regularly."""
    if observations.n <= MOST_LOOKED_AT:
        return observations
    chosen = np.random.default_rng(SEED).choice(observations.n, MOST_LOOKED_AT, replace=False)
    return observations.rows(torch.from_numpy(np.sort(chosen)))


def look_from_other_starts(
    model: nn.Module,
    objective: Objective,
    observations: Observations,
    residual: Array,
    spread: float,
    *,
    glance: bool = False,
) -> BetterPoint | None:
    r"""The best of some thousand other points, where it is significantly better than the fit; None otherwise.

    Points are tried that curves commonly begin at: parameters at places, extent and frequencies of the data, and at
    multiples of their starts (``TrialValues``). Parameters in which the prediction is a straight line are solved for
    exactly at each; the best points are improved by a few damped Gauss-Newton steps. The choice is seeded.

    The loss is to be less there, by a hundredth where the curve leaves at most a tenth of the variance. Other curves
    are to be significant: with residuals :math:`e` of the fit and :math:`d`, the better curve less that of the fit,
    over all rows but the two that gain most,

    .. math:: c^2 = \frac{(e^T d)^2}{e^T e \, d^T d}

    is so large that :math:`1 - c^2`, under noise distributed as :math:`\mathrm{Beta}((n - p) / 2, p / 2)`, has a
    probability, times n for the places where one may look, of at most 0.1; or of at most 0.05 over all rows but one.
    The share by which the loss is less, which is at most :math:`c^2`, stands in its place for robust losses.

    Of 476 fits of true models that began at the truth and converged (10 to 1000 rows, R² from 0.05 to 0.999, six kinds
    of noise), none was told of a better point; of 282 of them with at most 60 rows, none came nearer than 5.

    Args:
        model: float64, on the CPU, in evaluation mode, with scalar parameters at the estimates; it is left as it is.
        objective: a squared error, or a robust one.
        observations: the rows to look at.
        residual: of each at the estimates, over sigma where it is known, ``(n,)``.
        spread: the sum of squares of the target about its mean, over sigma where it is known.
        glance: few points at few rows first, and more only where something is near being significant at those.
    """
    trainable = trainable_parameters(model)
    names = tuple(trainable)
    if not observations.inputs or len(names) > _MOST_PARAMETERS or any(one.ndim for one in trainable.values()):
        return None
    n = len(residual)
    if n <= len(names) + max(_SPIKES):
        return None
    try:
        unconstrained = [parameter.detach() for parameter in trainable.values()]
        estimates = torch.stack(natural_values(model, names, unconstrained)).numpy()
        trials = values_to_try(model, names, estimates, observations, residual)
        search = StartSearch(model, names, objective, trials)
        with torch.no_grad(), one_thread(), np.errstate(all="ignore"):
            if glance:
                rows = some_rows(n, _GLANCE.rows, np.random.default_rng(SEED))
                points = search.best(observations.rows(torch.from_numpy(rows)), _GLANCE)
                if not _significant(objective, points, residual[rows], spread * len(rows) / n, len(names), _HINT):
                    return None
            points = search.best(observations, _SEARCH)
    except _REFUSALS:
        return None  # a model that can only be called by itself, and not at many points at once
    better = _significant(objective, points, residual, spread, len(names))
    if not better:
        return None
    alike = [(values, loss) for values, loss in better if loss <= better[0][1] * _ALIKE]
    # A width below 0 gives the same curve, and so does a phase beyond a turn: the least surprising is named.
    values, loss = min(alike, key=lambda point: ((point[0] * trials.starts < 0).sum(), np.abs(point[0]).sum()))
    moved = {name: value for name, value, at in zip(names, values.tolist(), estimates, strict=True) if value != at}
    return BetterPoint(moved, loss, float(losses_of(objective, residual).sum()))


def _probability(objective: Objective, residual: Array, other: Array, p: int, spikes: int) -> float:
    """That noise alone points so much from the residuals ``(n,)`` to others; see ``look_from_other_starts``."""
    n = len(residual)
    before, after = losses_of(objective, residual), losses_of(objective, other)
    kept = np.argsort(before - after)[: n - spikes]
    if isinstance(objective, RobustError):
        left = after[kept].sum() / before[kept].sum()
    else:
        rows, away = residual[kept], residual[kept] - other[kept]
        along = max(0.0, float(rows @ away))
        left = 1 - along**2 / float((rows @ rows) * (away @ away)) if along else 1.0
    freedom = max(1, n - spikes - p)
    return n * float(betainc(freedom / 2, p / 2, np.clip(left, 0.0, 1.0)))


def _significant(
    objective: Objective,
    points: Sequence[tuple[Array, Array]],
    residual: Array,
    spread: float,
    p: int,
    hint: float = 1.0,
) -> list[tuple[Array, float]]:
    """Of the points those of significantly less loss than the fit's residuals, with their losses."""
    n = len(residual)
    at_fit = float(losses_of(objective, residual).sum())
    chosen = []
    for values, rows in points:
        loss = float(losses_of(objective, rows).sum())
        if not loss < at_fit:
            continue
        explains = rows @ rows <= _LEFT * spread * (n - p) / (n - 1) and loss < _LESS * at_fit
        if explains or any(
            _probability(objective, residual, rows, p, spikes) <= hint * most for spikes, most in _SPIKES.items()
        ):
            chosen.append((values, loss))
    return chosen
