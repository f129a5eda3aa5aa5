"""How much worse the data are explained elsewhere than at the optimum."""

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from scipy.special import fdtri, ndtri, stdtrit
from torch import Tensor

from paramfit.errors import InputError
from paramfit.inference.loss_function import LossFunction
from paramfit.linalg.lapack import Array, lengths, scaled_eigenvectors, singular_decomposition
from paramfit.objectives import NegativeLogLikelihood, SquaredError
from paramfit.passes.likelihood_terms import LikelihoodTerms
from paramfit.passes.residual_rows import ResidualRows

__all__ = ["ConstrainedMinimum", "Deviance", "deviance_of"]

_SINGULAR = 1e-13  # a direction this much weaker than the strongest is rounding
_ENOUGH = 1e-12  # a step that promises less of the deviance, which is about 4 at an interval's end, is not taken
_NEARLY = 1e-7  # where rounding hides every decrease, a step that promises less is as good as none
_MOST_STEPS = 60
_MOST_HALVINGS = 30


class ConstrainedMinimum(NamedTuple):
    """The lowest deviance with some parameters held.

    Attributes:
        theta: where, ``(p,)``.
        deviance: how much.
        found: whether it is a minimum; a search that ended elsewhere has no say.
    """

    theta: Tensor
    deviance: float
    found: bool


class Deviance(ABC):
    r"""The deviance ``D(theta) = 2 (l_max - l(theta))`` around the optimum of a loss, and its constrained minima.

    Args:
        loss: the objective over the training observations.
        theta: the optimum, ``(p,)``.
        held: numbers of parameters that are held throughout, as those that sit at a bound.
    """

    def __init__(self, loss: LossFunction, theta: Tensor, held: Sequence[int]) -> None:
        self.loss, self.theta = loss, theta.detach().clone()
        self.held = frozenset(held)
        self._reference = self._losses(self.theta)
        self.scale = 2.0

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
    def step(self, theta: Tensor, free: Sequence[int]) -> tuple[Array, float] | None:
        """The step of the free parameters, and the decrease that it promises; None where a derivative is not finite."""

    def minimise(self, start: Tensor, held: Sequence[int]) -> ConstrainedMinimum:
        """The minimum over all but the ``held`` parameters, from ``start`` ``(p,)``."""
        free = [k for k in range(len(start)) if k not in self.held and k not in held]
        theta, value = start, self(start)
        if not free or not math.isfinite(value):
            return ConstrainedMinimum(theta, value, math.isfinite(value))
        for _ in range(_MOST_STEPS):
            found = self.step(theta, free)
            if found is None:
                return ConstrainedMinimum(theta, value, False)
            step, promised = found
            if promised <= _ENOUGH:
                return ConstrainedMinimum(theta, value, True)
            lower = self._along(theta, value, free, step, promised)
            if lower is None:
                return ConstrainedMinimum(theta, value, promised <= _NEARLY)
            theta, value = lower
        return ConstrainedMinimum(theta, value, False)

    def _along(
        self, theta: Tensor, value: float, free: Sequence[int], step: Array, promised: float
    ) -> tuple[Tensor, float] | None:
        """The first of ever shorter steps that keeps a part of its promise."""
        share = 1.0
        for _ in range(_MOST_HALVINGS):
            trial = theta.clone()
            trial[list(free)] += share * torch.from_numpy(step)
            reached = self(trial)
            if reached <= value - 1e-4 * share * promised and reached < value:
                return trial, reached
            share /= 2
        return None


class _OfLikelihood(Deviance):
    """By Newton's steps with the exact Hessian; where it curves downwards, its eigenvalues' absolute values."""

    def __init__(self, loss: LossFunction, theta: Tensor, held: Sequence[int]) -> None:
        super().__init__(loss, theta, held)
        self._terms = LikelihoodTerms(copy.deepcopy(loss.model), loss.objective)
        self._trainable = [parameter for parameter in self._terms.model.parameters() if parameter.requires_grad]

    def limit(self, level: float) -> float:
        """By the normal distribution: Wilks' theorem."""
        return float(ndtri((1 + level) / 2))

    def limit_of_pair(self, level: float) -> float:
        """Chi-square with two degrees of freedom."""
        return -2 * math.log1p(-level)

    def step(self, theta: Tensor, free: Sequence[int]) -> tuple[Array, float] | None:
        """Newton's."""
        with torch.no_grad():
            torch.nn.utils.vector_to_parameters(theta.clone(), self._trainable)
        sums = self._terms(self.loss.observations)
        if not sums.is_finite():
            return None
        gradient, hessian = sums.gradient[list(free)], sums.curvature[np.ix_(free, free)]
        values, vectors, size = scaled_eigenvectors(hessian)
        curved = np.abs(values)
        told = curved > _SINGULAR * curved.max()
        along = vectors[:, told].T @ (gradient / size)
        step: Array = -(vectors[:, told] @ (along / curved[told])) / size
        return step, float((along**2 / curved[told]).sum())


class _OfLeastSquares(Deviance):
    r"""By Gauss-Newton steps on the triangular factor; ``D = (RSS - RSS_min) / s^2``, s = 1 where sigma is known.

    References:
        Douglas Bates, Donald Watts: Nonlinear Regression Analysis and Its Applications (1988), chapter 6.
    """

    def __init__(self, loss: LossFunction, theta: Tensor, held: Sequence[int], *, absolute_sigma: bool) -> None:
        super().__init__(loss, theta, held)
        self._rows = ResidualRows(copy.deepcopy(loss.model), SquaredError(), separate=False)
        self._known = loss.observations.sigma is not None and absolute_sigma
        free = [k for k in range(loss.p) if k not in self.held]
        self._freedom = loss.n - _rank(self._factor(self.theta)[:, free])
        self.scale = 1.0
        if self._known:
            return
        rss = self._reference.sum().item()
        if self._freedom < 1 or not rss > 0:
            msg = "profile: there are no residuals to tell the errors' variance by; give more rows, or sigma"
            raise InputError(msg)
        self.scale = self._freedom / rss

    def limit(self, level: float) -> float:
        """By Student's t, or by the normal distribution where sigma is known."""
        half = (1 + level) / 2
        return float(ndtri(half) if self._known else stdtrit(self._freedom, half))

    def limit_of_pair(self, level: float) -> float:
        """Chi-square with two degrees of freedom where sigma is known, otherwise twice F's quantile."""
        return -2 * math.log1p(-level) if self._known else 2 * float(fdtri(2, self._freedom, level))

    def _factor(self, theta: Tensor) -> Array:
        with torch.no_grad():
            trainable = [parameter for parameter in self._rows.model.parameters() if parameter.requires_grad]
            torch.nn.utils.vector_to_parameters(theta, trainable)
            return self._rows(self.loss.observations).factor

    def step(self, theta: Tensor, free: Sequence[int]) -> tuple[Array, float] | None:
        """Gauss's and Newton's."""
        factor = self._factor(theta)
        if not np.isfinite(factor).all():
            return None
        columns = factor[:, list(free)]
        size = lengths(columns)
        size = np.where(size > 0, size, 1.0)
        left, singular, directions = singular_decomposition(columns / size)
        told = singular > max(_SINGULAR * singular[0], 1e-300)
        along = left[:, told].T @ factor[:, -1]
        step: Array = (along / singular[told]) @ directions[told] / size
        return step, self.scale * float(along @ along)


def _rank(columns: Array) -> int:
    size = lengths(columns)
    _, singular, _ = singular_decomposition(columns / np.where(size > 0, size, 1.0))
    return int((singular > _SINGULAR * singular[0]).sum())


def deviance_of(
    loss: LossFunction, theta: Tensor, *, absolute_sigma: bool = True, held: Sequence[int] = ()
) -> Deviance:
    """The deviance of a loss around its optimum.

    Args:
        loss: a squared error or a negative log-likelihood over the training observations.
        theta: the optimum, ``(p,)``.
        absolute_sigma: whether known errors are absolute.
        held: numbers of parameters that are held throughout.

    Raises:
        InputError: for a penalty or another objective, which have no likelihood.
    """
    objective = loss.objective
    if objective.penalised:
        msg = "profile: a penalty is on, and the loss is no likelihood; leave l1 and l2 out"
        raise InputError(msg)
    if isinstance(objective, NegativeLogLikelihood):
        return _OfLikelihood(loss, theta, held)
    if isinstance(objective, SquaredError):
        return _OfLeastSquares(loss, theta, held, absolute_sigma=absolute_sigma)
    msg = f"profile: {type(objective).__name__} is no likelihood; use SquaredError or NegativeLogLikelihood"
    raise InputError(msg)
