"""How much worse the data are explained elsewhere than at the optimum."""

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy.special import fdtri, ndtri, stdtrit
from torch import Tensor
from torch.distributions import Distribution

from paramfit.distributions.domain import Room
from paramfit.errors import InputError
from paramfit.inference.loss_function import LossFunction
from paramfit.linalg.lapack import Array
from paramfit.linalg.unit_free import ScaledColumns
from paramfit.models import ParametricModel
from paramfit.models.base import boxes_of
from paramfit.objectives import NegativeLogLikelihood, SquaredError
from paramfit.passes.barrier import movable_rooms, slopes_of_rooms
from paramfit.passes.base import Pass
from paramfit.passes.likelihood_terms import LikelihoodTerms
from paramfit.passes.residual_rows import ResidualRows
from paramfit.solvers.interior_point import Ending, InteriorPoint, InteriorState
from paramfit.solvers.line_search import GaussNewtonSearch, LineSearch, LineSearchState, NewtonSearch
from paramfit.solvers.loop import solve
from paramfit.solvers.parameter_vector import ParameterVector

__all__ = ["ConstrainedMinimum", "Deviance", "deviance_of"]

_MOST_LOOKS = 10_000  # the search ends by itself
_ON_EDGE = 1e-3  # of a standard error along the edge: near enough to be called a minimum
_ROOM = 1e-3  # of a standard error: as much is enough to begin from the inside
_MOST_MOVES = 20


class ConstrainedMinimum(NamedTuple):
    """The lowest deviance with some parameters held."""

    theta: Tensor  # where, (p,)
    deviance: float  # how much
    is_minimum: bool  # whether it is one; a search that ended elsewhere has no say


class Deviance(ABC):
    r"""The deviance ``D(theta) = 2 (l_max - l(theta))`` around the optimum of a loss, and its constrained minima.

    ``held`` parameters are at a bound: those that are there by a transform stay throughout, all others may leave it
    where that is better. ``pass_`` sums up the derivatives of the loss, over a model of its own.
    """

    def __init__(self, loss: LossFunction, theta: Tensor, held: Sequence[int], pass_: Pass[Any]) -> None:
        self.loss, self.theta = loss, theta.detach().clone()
        self.at_bound = frozenset(held)
        self.boxes = boxes_of(loss.model, loss.names)
        kept = loss.model.boxes if isinstance(loss.model, ParametricModel) else {}
        self.held = frozenset(k for k in held if loss.names[k] not in kept)
        self._reference = self._losses(self.theta)
        self.scale = 2.0
        self._pass = pass_
        self._vector = ParameterVector(pass_.parameters)

    def _losses(self, theta: Tensor) -> Tensor:
        loss = self.loss
        with torch.no_grad():
            return loss.objective.losses(loss.prediction(theta), *loss.observations.measured).expand(loss.n)

    def __call__(self, theta: Tensor) -> float:
        """The deviance; infinite where the loss is not finite."""
        try:
            # Row by row: the difference of two large sums would have fewer digits.
            difference = (self._losses(theta) - self._reference).sum().item()
        except ValueError:  # a distribution that checks its arguments, beyond where it exists
            return math.inf
        return self.scale * difference if math.isfinite(difference) else math.inf

    @abstractmethod
    def limit(self, level: float) -> float:
        """The root of the deviance at the ends of one parameter's interval."""

    @abstractmethod
    def limit_of_pair(self, level: float) -> float:
        """The deviance on the contour of two parameters' region."""

    @abstractmethod
    def search(self, free: tuple[int, ...]) -> LineSearch:
        """The search for the minimum over the free parameters."""

    @abstractmethod
    def slope_and_curvature(self, k: int) -> tuple[float, float]:
        """Of half the deviance along one parameter at the optimum: not 0 and 0, or it could not be followed."""

    def minimise(self, start: Tensor, held: Sequence[int]) -> ConstrainedMinimum:
        """The minimum over all but the ``held`` parameters, from ``start`` ``(p,)``."""
        search = self.search(tuple(k for k in range(len(start)) if k not in self.held and k not in held))
        state, _ = solve(search, search.start(start.numpy(), self(start)), self._look, _MOST_LOOKS)
        return ConstrainedMinimum(torch.from_numpy(state.theta), state.value, state.is_minimum)

    def sums(self, theta: Array) -> Any:
        """The derivatives of the loss there."""
        self._vector.write(theta)
        with torch.no_grad():
            return self._pass(self.loss.observations)

    def _look(self, state: LineSearchState) -> Any:
        """From the state of a search to the derivatives at its best point, or to the deviance on its way."""
        return self.sums(state.theta) if state.step is None else self(torch.from_numpy(state.trial))


class _OfLikelihood(Deviance):
    """By the likelihood's exact Hessian; where the way is barred by an edge of the domain, from the inside."""

    def minimise(self, start: Tensor, held: Sequence[int]) -> ConstrainedMinimum:
        """The minimum over all but the ``held`` parameters, which may be on the edge of the distribution's domain."""
        plain = super().minimise(start, held)
        if plain.is_minimum or not self._has_rooms:
            return plain
        free = tuple(k for k in range(len(start)) if k not in self.held and k not in held)
        inside = self._moved_inside(plain.theta.numpy(), free)
        if inside is None or not free:
            return plain
        search = InteriorPoint(first=1e-4, last=1e-8, factor=1e-2)  # it begins near its end
        state, _ = solve(search, search.start(inside, self._scale, free), self._look_inside, _MOST_LOOKS)
        theta = torch.from_numpy(state.theta)
        if state.ending is Ending.INSIDE:
            return super().minimise(theta, held)
        on_edge = state.ending is Ending.ON_EDGE and state.distance_along_edge <= _ON_EDGE
        return ConstrainedMinimum(theta, self(theta), on_edge)

    @cached_property
    def _has_rooms(self) -> bool:
        """Whether there is a domain that a parameter could leave."""
        prediction: Any = self.loss.prediction(self.theta)
        return isinstance(prediction, Distribution) and bool(movable_rooms(self.loss.model, prediction))

    @cached_property
    def _scale(self) -> Array:
        """A standard error of each parameter, all others being known, ``(p,)``."""
        diagonal = self.sums(self.theta.numpy()).curvature.diagonal()
        scale: Array = 1 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
        return scale

    def _look_inside(self, state: InteriorState) -> Any:
        self._vector.write(state.trial)
        with torch.no_grad():
            return self._pass(self.loss.observations, slacks=state.slacks)

    def _moved_inside(self, theta: Array, free: tuple[int, ...]) -> Array | None:
        """The nearest point at which all rows have room, by steps of the free parameters to linearised edges."""

        def rooms_at(point: Tensor) -> list[Room]:
            made: Any = self.loss.prediction(point)
            return movable_rooms(self.loss.model, made)

        scale = self._scale[list(free)]
        for _ in range(_MOST_MOVES):
            try:
                slack, slopes, _, _ = slopes_of_rooms(rooms_at, torch.from_numpy(theta), self.loss.n)
            except ValueError:  # a distribution that checks its arguments is not made outside
                return None
            inner = slopes[:, list(free)] * scale
            least = _ROOM * np.linalg.norm(inner, axis=1)
            close = slopes.any(axis=1) & ((slack <= 0) | (slack < least))
            if not close.any():
                return theta
            step, *_ = np.linalg.lstsq(inner[close], 2 * least[close] - slack[close], rcond=None)
            theta = theta.copy()
            theta[list(free)] += scale * step
        return None

    def search(self, free: tuple[int, ...]) -> LineSearch:
        """Newton's."""
        return NewtonSearch(free, self.boxes)

    def slope_and_curvature(self, k: int) -> tuple[float, float]:
        """By the Hessian."""
        sums = self.sums(self.theta.numpy())
        return abs(float(sums.gradient[k])), abs(float(sums.curvature[k, k]))

    def limit(self, level: float) -> float:
        """By the normal distribution: Wilks' theorem."""
        return float(ndtri((1 + level) / 2))

    def limit_of_pair(self, level: float) -> float:
        """Chi-square with two degrees of freedom."""
        return -2 * math.log1p(-level)


class _OfLeastSquares(Deviance):
    r"""By Gauss-Newton steps on the triangular factor; ``D = (RSS - RSS_min) / s^2``, s = 1 where sigma is known.

    References:
        Douglas Bates, Donald Watts: Nonlinear Regression Analysis and Its Applications (1988), chapter 6.
    """

    def __init__(self, loss: LossFunction, theta: Tensor, held: Sequence[int], *, absolute_sigma: bool) -> None:
        super().__init__(loss, theta, held, ResidualRows(copy.deepcopy(loss.model), SquaredError(), separate=False))
        self._sigma_is_absolute = loss.observations.sigma is not None and absolute_sigma
        free = [k for k in range(loss.p) if k not in self.at_bound]
        self._freedom = loss.n - int(ScaledColumns.of(self.sums(theta.numpy()).factor[:, free]).strong().sum())
        self.scale = 1.0
        if self._sigma_is_absolute:
            return
        rss = self._reference.sum().item()
        if self._freedom < 1 or not rss > 0:
            raise InputError(
                "profile: there are no residuals to tell the errors' variance by; give more rows, or sigma"
            )
        self.scale = self._freedom / rss

    def search(self, free: tuple[int, ...]) -> LineSearch:
        """Gauss's and Newton's."""
        return GaussNewtonSearch(free, self.boxes, self.scale)

    def slope_and_curvature(self, k: int) -> tuple[float, float]:
        """By the triangular factor."""
        factor = self.sums(self.theta.numpy()).factor
        column, residual = factor[:, k], factor[:, -1]
        return self.scale * abs(float(column @ residual)), self.scale * float(column @ column)

    def limit(self, level: float) -> float:
        """By Student's t, or by the normal distribution where sigma is known."""
        half = (1 + level) / 2
        return float(ndtri(half) if self._sigma_is_absolute else stdtrit(self._freedom, half))

    def limit_of_pair(self, level: float) -> float:
        """Chi-square with two degrees of freedom where sigma is known, otherwise twice F's quantile."""
        return -2 * math.log1p(-level) if self._sigma_is_absolute else 2 * float(fdtri(2, self._freedom, level))


def deviance_of(
    loss: LossFunction, theta: Tensor, *, absolute_sigma: bool = True, held: Sequence[int] = ()
) -> Deviance:
    """The deviance of a squared error or a negative log-likelihood around its optimum; an InputError for all else."""
    objective = loss.objective
    if objective.penalised:
        raise InputError("profile: a penalty is on, and the loss is no likelihood; leave l1 and l2 out")
    if isinstance(objective, NegativeLogLikelihood):
        return _OfLikelihood(loss, theta, held, LikelihoodTerms(copy.deepcopy(loss.model), objective))
    if isinstance(objective, SquaredError):
        return _OfLeastSquares(loss, theta, held, absolute_sigma=absolute_sigma)
    raise InputError(f"profile: {type(objective).__name__} is no likelihood; use SquaredError or NegativeLogLikelihood")
