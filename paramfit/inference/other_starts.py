"""A short look from other starts: whether a much better fit can be seen from where no one began."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import betainc
from torch import Tensor, nn
from torch.func import functional_call

from paramfit.distributions.center import predicted_mean
from paramfit.errors import InputError
from paramfit.inference.trial_values import TrialValues, values_to_try
from paramfit.linalg.lapack import Array
from paramfit.models import FunctionModel, ParametricModel
from paramfit.models.base import natural_values, unconstrained_values
from paramfit.objectives import Objective, RobustError
from paramfit.observations import Observations
from paramfit.torch_overhead import one_thread

__all__ = ["MOST_LOOKED_AT", "BetterPoint", "look_from_other_starts", "seen_rows"]

MOST_LOOKED_AT = 2000
"""Rows, drawn at random of more: of a difference that is worth a word they show enough."""

_MOST_PARAMETERS = 12  # of more, a look at random says nothing
_SCANNED_SLOWLY = 200  # starts of a model that is mapped over them, whatever it is made of
_MOST_ELEMENTS = 1_000_000  # of one call's predictions: 8 MB
_SEED = 20
_PROBES = 6  # starts at which it is seen in which parameters the curve is a straight line
_STRAIGHT = 1e-9  # of the largest prediction
_DIFFERENCE = 1e-7  # of a parameter, for its derivative: half the digits
_DEPENDENT = 1e-9  # of a column's length: what is left of it after projection is rounding
_FEWER_DAMPED, _MORE_DAMPED, _FIRST_DAMPING = 0.2, 4.0, 1e-2
_ALIKE = 1 + 1e-6  # times the least loss
_SPIKES = {2: 0.1, 1: 0.05}
"""How probable it may be that noise points so much to a curve, by the number of rows left out: those that gain most.

A spike on two outliers is no better minimum; on one and its neighbour it is unlikely.
"""
_HINT = 20.0  # times as probable: what a glance needs to be followed by a search
_LEFT = 0.1  # of the variance: a curve that leaves less explains the rows, which noise does not by chance
_LESS = 0.99  # times the loss, with such a curve
_REFUSALS = (InputError, ValueError, RuntimeError, TypeError, NotImplementedError)


class _Effort(NamedTuple):
    """How much is looked at."""

    scanned: int  # starts
    rows: int  # for them, drawn at random of more
    refined: int  # of the starts, by a few steps
    first_steps: int
    kept: int  # of those, by more
    last_steps: int


_SEARCH = _Effort(scanned=800, rows=100, refined=20, first_steps=5, kept=5, last_steps=8)
_GLANCE = _Effort(scanned=400, rows=50, refined=8, first_steps=3, kept=0, last_steps=0)


class BetterPoint(NamedTuple):
    """Where a fit that is significantly better was seen."""

    values: dict[str, float]  # of parameters that differ from their estimates, within bounds, by name
    loss: float  # the sum of the losses there, over the rows that were looked at
    loss_at_fit: float  # the same at the estimates


def seen_rows(observations: Observations) -> Observations:
    """All rows, or of many some, drawn at random: a regular choice would not see what changes as regularly."""
    if observations.n <= MOST_LOOKED_AT:
        return observations
    chosen = np.random.default_rng(_SEED).choice(observations.n, MOST_LOOKED_AT, replace=False)
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
    trainable = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
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
        search = _Search(model, names, objective, trials)
        with torch.no_grad(), one_thread(), np.errstate(all="ignore"):
            if glance:
                rows = _some_rows(n, _GLANCE.rows, np.random.default_rng(_SEED))
                points = search.best(observations.rows(torch.from_numpy(rows)), _GLANCE)
                if not search.better(points, residual[rows], spread * len(rows) / n, _HINT):
                    return None
            points = search.best(observations, _SEARCH)
    except _REFUSALS:
        return None  # a model that can only be called by itself, and not at many points at once
    better = search.better(points, residual, spread)
    if not better:
        return None
    alike = [(values, loss) for values, loss in better if loss <= better[0][1] * _ALIKE]
    # A width below 0 gives the same curve, and so does a phase beyond a turn: the least surprising is named.
    values, loss = min(alike, key=lambda point: ((point[0] * trials.starts < 0).sum(), np.abs(point[0]).sum()))
    moved = {name: value for name, value, at in zip(names, values.tolist(), estimates, strict=True) if value != at}
    return BetterPoint(moved, loss, float(_losses(objective, residual).sum()))


def _losses(objective: Objective, residual: Array) -> Array:
    if not isinstance(objective, RobustError):
        return np.square(residual)
    z = torch.from_numpy(np.square(residual / objective.scale))
    losses: Array = objective.scale**2 * objective.rho(z)[0].numpy()
    return losses


def _probability(objective: Objective, residual: Array, other: Array, p: int, spikes: int) -> float:
    """That noise alone points so much from the residuals ``(n,)`` to others; see ``look_from_other_starts``."""
    n = len(residual)
    before, after = _losses(objective, residual), _losses(objective, other)
    kept = np.argsort(before - after)[: n - spikes]
    if isinstance(objective, RobustError):
        left = after[kept].sum() / before[kept].sum()
    else:
        rows, away = residual[kept], residual[kept] - other[kept]
        along = max(0.0, float(rows @ away))
        left = 1 - along**2 / float((rows @ rows) * (away @ away)) if along else 1.0
    freedom = max(1, n - spikes - p)
    return n * float(betainc(freedom / 2, p / 2, np.clip(left, 0.0, 1.0)))


def _some_rows(n: int, most: int, random: np.random.Generator) -> NDArray[np.intp]:
    chosen: NDArray[np.intp] = np.arange(n) if n <= most else np.sort(random.choice(n, most, replace=False))
    return chosen


class _Solved(NamedTuple):
    """Points with their linear parameters solved for; K of them."""

    values: Array  # (K, p)
    loss: Array  # (K,)
    residual: Array  # over sigma and, under a robust objective, times the root of its weight, (K, n)
    curve: Array  # the predictions, (K, n)
    basis: list[Array]  # orthonormal columns of the linear parameters, each (K, n)
    weight: Array | None  # the root of each row's weight, (K, n)


@dataclass(frozen=True)
class _Search:
    """Points of one model: scanned, and improved."""

    model: nn.Module
    names: tuple[str, ...]
    objective: Objective
    trials: TrialValues

    def best(self, observations: Observations, effort: _Effort) -> list[tuple[Array, Array]]:
        """The best points ``(p,)``, the best first, and the residuals over sigma there ``(n,)``."""
        random = np.random.default_rng(_SEED)
        points = self.trials.combinations(
            random, effort.scanned if self._broadcasts else min(effort.scanned, _SCANNED_SLOWLY)
        )
        few = observations.rows(torch.from_numpy(_some_rows(observations.n, effort.rows, random)))
        linear, idle = self._linear(points[:_PROBES], few)
        points[:, idle] = self.trials.estimates[idle]
        others = [number for number in range(len(self.names)) if number not in linear]
        if not others:
            return []
        solved = self._solved(points, linear, few, None)
        points = solved.values[_best(solved.loss, effort.refined)]
        for most, steps in ((effort.refined, effort.first_steps), (effort.kept, effort.last_steps)):
            if not most:
                break
            solved = self._improved(points[:most], linear, others, observations, steps)
            points = solved.values[np.argsort(np.where(np.isfinite(solved.loss), solved.loss, np.inf))]
        residuals = _over_sigma(observations.target.numpy() - self._curves(points, observations), observations)
        return [(point, rows) for point, rows in zip(points, residuals, strict=True) if np.isfinite(rows).all()]

    def better(
        self, points: Sequence[tuple[Array, Array]], residual: Array, spread: float, hint: float = 1.0
    ) -> list[tuple[Array, float]]:
        """Of the points those of significantly less loss than the fit's residuals, with their losses."""
        n, p = len(residual), len(self.names)
        at_fit = float(_losses(self.objective, residual).sum())
        chosen = []
        for values, rows in points:
            loss = float(_losses(self.objective, rows).sum())
            if not loss < at_fit:
                continue
            explains = rows @ rows <= _LEFT * spread * (n - p) / (n - 1) and loss < _LESS * at_fit
            if explains or any(
                _probability(self.objective, residual, rows, p, spikes) <= hint * most
                for spikes, most in _SPIKES.items()
            ):
                chosen.append((values, loss))
        return chosen

    @property
    def _broadcasts(self) -> bool:
        """Whether the model promises to take parameters with a leading dimension."""
        return isinstance(self.model, ParametricModel) and not isinstance(self.model, FunctionModel)

    def _curves(self, values: Array, observations: Observations) -> Array:
        """The predictions at points ``(K, p)``: ``(K, n)``."""
        points = {
            name: unconstrained_values(self.model, name, torch.from_numpy(np.ascontiguousarray(values[:, number])))
            for number, name in enumerate(self.names)
        }
        at_once = max(1, _MOST_ELEMENTS // observations.n)
        parts = []
        for first in range(0, len(values), at_once):
            part = {name: column[first : first + at_once] for name, column in points.items()}
            parts.append(self._called(part, observations.inputs))
        return np.concatenate([part.expand(-1, observations.n).numpy() for part in parts])

    def _called(self, points: dict[str, Tensor], inputs: tuple[Tensor, ...]) -> Tensor:
        if self._broadcasts:
            called: Any = functional_call(self.model, points, inputs)
            curves: Tensor = called if isinstance(called, Tensor) else predicted_mean(called)
            return curves
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "There is a performance drop")
            mapped: Tensor = torch.vmap(lambda point: functional_call(self.model, point, inputs))(points)
        return mapped

    def _linear(self, points: Array, observations: Observations) -> tuple[list[int], list[int]]:
        """Numbers of parameters in which, all at once, the curve is a straight line; of those that never move it."""
        p = len(self.names)
        lengths = self.trials.steps(points)  # (K, p), within bounds
        pairs = [(j, k) for j in range(p) for k in range(j)]
        moves = [np.zeros(p), *np.eye(p), *(np.eye(p) / 2), *(np.eye(p)[j] + np.eye(p)[k] for j, k in pairs)]
        at = np.concatenate([points + lengths * move for move in moves])
        curves = self._curves(at, observations).reshape(len(moves), len(points), -1)
        middle, whole, half, both = curves[0], curves[1 : p + 1], curves[p + 1 : 2 * p + 1], curves[2 * p + 1 :]
        size = np.abs(curves).max(axis=(0, 2)) * _STRAIGHT

        def vanishes(bend: Array) -> bool:
            tested = np.isfinite(bend).all(axis=1)
            return bool(tested.any() and (np.abs(bend).max(axis=1)[tested] <= size[tested]).all())

        straight = [vanishes(whole[j] - 2 * half[j] + middle) for j in range(p)]
        apart = {pair: vanishes(both[i] - whole[pair[0]] - whole[pair[1]] + middle) for i, pair in enumerate(pairs)}
        declared = self.model.linear_parameters() if isinstance(self.model, ParametricModel) else ()
        linear: list[int] = []
        for j in sorted(range(p), key=lambda j: self.names[j] not in declared):
            if straight[j] and all(apart[max(j, k), min(j, k)] for k in linear):
                linear.append(j)
        return sorted(linear), [j for j in range(p) if (whole[j] == middle).all()]

    def _solved(
        self, points: Array, linear: Sequence[int], observations: Observations, weight: Array | None
    ) -> _Solved:
        """The points with their linear parameters solved for, and the losses there."""
        count, q = len(points), len(linear)
        lengths = self.trials.steps(points)
        at = np.repeat(points[None], q + 1, axis=0)
        for place, j in enumerate(linear, start=1):
            at[place, :, j] += lengths[:, j]
        curves = self._curves(at.reshape(-1, points.shape[1]), observations).reshape(q + 1, count, -1)
        residual = _over_sigma(observations.target.numpy() - curves[0], observations)
        columns = [_over_sigma(curves[i + 1] - curves[0], observations) for i in range(q)]
        if weight is not None:
            residual, columns = residual * weight, [column * weight for column in columns]
        residual, shares, basis = _projected(columns, residual)
        values, curve = points.copy(), curves[0]
        for place, j in enumerate(linear):
            values[:, j] += shares[place] * lengths[:, j]
            curve = curve + shares[place][:, None] * (curves[place + 1] - curves[0])
        inside = self.trials.within(values)
        if not isinstance(self.objective, RobustError):
            loss = np.where(inside, np.square(residual).sum(axis=1), np.inf)
            return _Solved(values, np.where(np.isfinite(loss), loss, np.inf), residual, curve, basis, None)
        plain = residual if weight is None else residual / weight
        z = np.square(plain / self.objective.scale)
        rho, first, _ = (part.numpy() for part in self.objective.rho(torch.from_numpy(z)))
        loss = np.where(inside, self.objective.scale**2 * rho.sum(axis=1), np.inf)
        return _Solved(values, np.where(np.isfinite(loss), loss, np.inf), residual, curve, basis, np.sqrt(first))

    def _improved(
        self, points: Array, linear: Sequence[int], others: Sequence[int], observations: Observations, steps: int
    ) -> _Solved:
        """The points after some damped steps of their nonlinear parameters, each at its own damping."""
        solved = self._solved(points, linear, observations, None)
        if solved.weight is not None:
            solved = self._solved(solved.values, linear, observations, solved.weight)
        damping = np.full(len(points), _FIRST_DAMPING)
        for _ in range(steps):
            step = self._step(solved, others, observations, damping)
            trial = self.trials.clipped(solved.values + step)
            after = self._solved(trial, linear, observations, solved.weight)
            better = after.loss < solved.loss
            damping = np.where(better, damping * _FEWER_DAMPED, damping * _MORE_DAMPED)
            solved = _chosen(better, after, solved)
        return solved

    def _step(self, solved: _Solved, others: Sequence[int], observations: Observations, damping: Array) -> Array:
        count, m = len(solved.values), len(others)
        lengths = self.trials.steps(solved.values) * _DIFFERENCE
        at = np.repeat(solved.values[None], m, axis=0)
        for place, k in enumerate(others):
            at[place, :, k] += lengths[:, k]
        curves = self._curves(at.reshape(-1, at.shape[2]), observations).reshape(m, count, -1)
        jacobian = np.empty((count, curves.shape[2], m))
        for place, k in enumerate(others):
            column = _over_sigma(curves[place] - solved.curve, observations) / lengths[:, k, None]
            if solved.weight is not None:
                column = column * solved.weight
            jacobian[:, :, place] = _without(column, solved.basis)
        size = np.sqrt(np.square(jacobian).sum(axis=1))
        size = np.where((size > 0) & np.isfinite(size), size, 1.0)
        jacobian = np.nan_to_num(jacobian / size[:, None, :], posinf=0.0, neginf=0.0)
        residual = np.nan_to_num(solved.residual, posinf=0.0, neginf=0.0)
        matrix = jacobian.transpose(0, 2, 1) @ jacobian + (damping[:, None] + 1e-12)[:, :, None] * np.eye(m)
        slope = (residual[:, None, :] @ jacobian)[:, 0, :, None]
        step = np.zeros_like(solved.values)
        step[:, list(others)] = np.linalg.solve(matrix, slope)[:, :, 0] / size
        return np.nan_to_num(step)


def _over_sigma(rows: Array, observations: Observations) -> Array:
    return rows if observations.sigma is None else rows / observations.sigma.numpy()


def _best(loss: Array, most: int) -> NDArray[np.intp]:
    """Numbers of the best points, of points of the same loss one."""
    order = np.argsort(loss, kind="stable")
    values = loss[order]
    new = np.concatenate([[True], values[1:] > values[:-1] * (1 + 1e-9)]) & np.isfinite(values)
    best: NDArray[np.intp] = order[new][:most]
    return best


def _projected(columns: Sequence[Array], residual: Array) -> tuple[Array, list[Array], list[Array]]:
    """Residuals ``(K, n)`` of least squares on each point's columns, the coefficients ``(K,)``, an orthonormal basis.

    By Gram and Schmidt, all points at once, each column twice; a column that depends on those before has the
    coefficient 0.
    """
    count = len(columns)
    basis: list[Array] = []
    upper = np.zeros((count, count, len(residual)))
    along = np.zeros((count, len(residual)))
    for j, column in enumerate(columns):
        length = np.sqrt(np.square(column).sum(axis=1))
        for _ in range(2):
            for i, direction in enumerate(basis):
                share = (direction * column).sum(axis=1)
                upper[i, j] += share
                column = column - share[:, None] * direction
        left = np.sqrt(np.square(column).sum(axis=1))
        usable = (left > _DEPENDENT * length) & np.isfinite(left)
        upper[j, j] = np.where(usable, left, np.inf)
        direction = np.where(usable[:, None], column / np.where(usable, left, 1.0)[:, None], 0.0)
        along[j] = (direction * residual).sum(axis=1)
        residual = residual - along[j][:, None] * direction
        basis.append(direction)
    shares: list[Array] = [np.zeros(len(residual))] * count
    for j in reversed(range(count)):
        above = sum((upper[j, k] * shares[k] for k in range(j + 1, count)), start=np.zeros(len(residual)))
        shares[j] = np.where(np.isinf(upper[j, j]), 0.0, (along[j] - above) / upper[j, j])
    return residual, shares, basis


def _without(column: Array, basis: Sequence[Array]) -> Array:
    for direction in basis:
        column = column - (direction * column).sum(axis=1)[:, None] * direction
    return column


def _chosen(better: NDArray[np.bool_], after: _Solved, before: _Solved) -> _Solved:
    """Each point as it is after or before."""
    choose: Callable[[Array, Array], Array] = lambda new, old: np.where(better[:, None], new, old)  # noqa: E731
    return _Solved(
        choose(after.values, before.values),
        np.where(better, after.loss, before.loss),
        choose(after.residual, before.residual),
        choose(after.curve, before.curve),
        [choose(new, old) for new, old in zip(after.basis, before.basis, strict=True)],
        None if after.weight is None or before.weight is None else choose(after.weight, before.weight),
    )
