"""Many points of a model at once: scanned, and the best of them improved by a few damped steps."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call

from paramfit.distributions.center import predicted_mean
from paramfit.inference.trial_values import TrialValues
from paramfit.linalg.lapack import Array
from paramfit.models import FunctionModel, ParametricModel
from paramfit.models.base import unconstrained_values
from paramfit.objectives import Objective, RobustError
from paramfit.observations import Observations

__all__ = ["SEED", "Effort", "StartSearch", "losses_of", "some_rows"]

SEED = 20
"""Of the choice of points and rows."""

_SCANNED_SLOWLY = 200  # starts of a model that is mapped over them, whatever it is made of
_MOST_ELEMENTS = 1_000_000  # of one call's predictions: 8 MB
_PROBES = 6  # starts at which it is seen in which parameters the curve is a straight line
_STRAIGHT = 1e-9  # of the largest prediction
_DIFFERENCE = 1e-7  # of a parameter, for its derivative: half the digits
_DEPENDENT = 1e-9  # of a column's length: what is left of it after projection is rounding
_FEWER_DAMPED, _MORE_DAMPED, _FIRST_DAMPING = 0.2, 4.0, 1e-2


class Effort(NamedTuple):
    """How much is looked at."""

    scanned: int  # starts
    rows: int  # for them, drawn at random of more
    refined: int  # of the starts, by a few steps
    first_steps: int
    kept: int  # of those, by more
    last_steps: int


def losses_of(objective: Objective, residual: Array) -> Array:
    """The loss of each row by its residual over sigma, ``(n,)``."""
    if not isinstance(objective, RobustError):
        return np.square(residual)
    z = torch.from_numpy(np.square(residual / objective.scale))
    losses: Array = objective.scale**2 * objective.rho(z)[0].numpy()
    return losses


def some_rows(n: int, most: int, random: np.random.Generator) -> NDArray[np.intp]:
    """Numbers of all rows, or of many some, drawn at random."""
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
class StartSearch:
    """Points of one model: scanned, and improved."""

    model: nn.Module
    names: tuple[str, ...]
    objective: Objective
    trials: TrialValues

    def best(self, observations: Observations, effort: Effort) -> list[tuple[Array, Array]]:
        """The best points ``(p,)``, the best first, and the residuals over sigma there ``(n,)``."""
        random = np.random.default_rng(SEED)
        points = self.trials.combinations(
            random, effort.scanned if self._broadcasts else min(effort.scanned, _SCANNED_SLOWLY)
        )
        few = observations.rows(torch.from_numpy(some_rows(observations.n, effort.rows, random)))
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
