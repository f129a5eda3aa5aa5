"""A summed loss with its slope and curvature at many parameter vectors, each with its own weights."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from paramfit.errors import InputError
from paramfit.facts import Fact, FactKind
from paramfit.inference.bootstrap.batched_predictions import BatchedPredictions
from paramfit.inference.loss_function import LossFunction
from paramfit.linalg.lapack import Array, triangle
from paramfit.linalg.unit_free import THRESHOLDS, ScaledColumns, ScaledCurvature, inverse_information
from paramfit.models.base import boxes_of
from paramfit.objectives import NegativeLogLikelihood, RobustError, SquaredError
from paramfit.passes.base import ROWS_AT_ONCE
from paramfit.shown.words import sentences

__all__ = ["WEIGHTS_AT_ONCE", "Expansion", "WeightedLoss", "weighted_loss"]

WEIGHTS_AT_ONCE = 1 << 18
"""Weights of the fits that are solved together: two megabytes."""

_LEAST_WEIGHT = 0.2  # of a row's own curvature under a robust objective, see ResidualRows
_EXACT = 1e-9  # of the target's size: residuals are not resolved any finer
_EPS = float(np.finfo(np.float64).eps)


class Expansion(NamedTuple):
    """A loss to second order, in coordinates phi whose unit is about a standard error."""

    value: Tensor  # the weighted sum of the losses, (B,)
    slope: Tensor  # its derivative by phi, (B, r)
    curvature: Tensor  # the second derivative or what stands for it, (B, r, r); near the identity at the estimate

    def rows(self, index: Tensor) -> "Expansion":
        """Those at ``index``."""
        return Expansion(*(part[index] for part in self))

    def updated(self, other: "Expansion", where: Tensor) -> "Expansion":
        """The other's where the mask ``(B,)`` says so."""
        pairs = zip(self, other, strict=True)
        return Expansion(*(torch.where(where.view(-1, *(1,) * (new.ndim - 1)), new, old) for old, new in pairs))


class WeightedLoss(ABC):
    r"""The loss :math:`L_b(\theta_b) = \sum_i w_{bi}\, \ell_i(\theta_b)` for a batch of weights and parameters.

    It is expanded in coordinates phi of its own, :math:`\theta = \hat\theta + F \phi`, with :math:`F F^T` the inverse
    information at the estimate. There the curvature of every reweighted sample is near the identity, whatever the
    parameters' units and correlations: products and damping need no other scaling. ``held`` parameters sit at a bound,
    and stay there.

    Attributes:
        start: the estimate, ``(p,)``.
        box: lower and upper bounds, ``(2, p)``; None where there are none, or transforms keep them.
        basis: F ``(p, r)``, of the r directions that the observations determine.
        regular: whether products of the parameters' own columns, of equal length, keep at least half their digits.
        undetermined: parameters that have a share in the others, by number, with the reason.
        rounding: differences of the value that mean nothing.
    """

    def __init__(self, loss: LossFunction, theta: Tensor, held: Sequence[int] = ()) -> None:
        self.loss, self.start = loss, theta.detach().double()
        boxes = boxes_of(loss.model, loss.names)
        self.box = torch.tensor(boxes, dtype=torch.float64).T if boxes else None
        factor, self.rounding = self._at_start()
        if not np.isfinite(factor).all():
            raise InputError(
                "bootstrap: the curvature of the loss is not finite at the estimate; fit to convergence first"
            )
        factor[:, list(held)] = 0.0
        information = inverse_information(factor, loss.names)
        at_bound = {k: Fact(FactKind.SITS_AT_BOUND, (loss.names[k],)) for k in held}
        self.undetermined = information.undetermined | at_bound
        scaled = ScaledColumns.of(factor)
        kept = information.root.shape[1]
        if not kept:
            raise InputError(f"bootstrap: there is nothing to resample for, since {sentences(information.directions)}")
        self.basis = torch.from_numpy(scaled.directions[:kept].T / scaled.singular[:kept] / scaled.size[:, None])
        self.regular = bool(scaled.singular[kept - 1] > THRESHOLDS.half_the_digits * scaled.singular[0])
        near = self.start + 0.1 * self.basis.sum(1)
        self._parts = self._split(torch.stack([self.start, near]))

    def _split(self, points: Tensor) -> list[tuple[slice, BatchedPredictions]]:
        data = self.loss.observations
        places = [slice(at, min(at + ROWS_AT_ONCE, data.n)) for at in range(0, data.n, ROWS_AT_ONCE)]
        first = LossFunction.around(self.loss.model, self.loss.objective, data.rows(places[0]))
        predictions = BatchedPredictions(first, points)
        return [(place, predictions.over(data.rows(place))) for place in places]

    @abstractmethod
    def _at_start(self) -> tuple[Array, float]:
        """A triangular root ``(p, p)`` of the information at the estimate, and the value's rounding."""

    def expand(self, theta: Tensor, weights: Tensor) -> Expansion:
        """The loss to second order, for theta ``(B, p)``, ``(1, p)`` if all are the same, and weights ``(B, n)``."""
        at_once = max(1, ROWS_AT_ONCE // self.loss.n)
        blocks = [
            self._expand_block(theta if len(theta) == 1 else theta[at : at + at_once], weights[at : at + at_once])
            for at in range(0, len(weights), at_once)
        ]
        return blocks[0] if len(blocks) == 1 else Expansion(*map(torch.cat, zip(*blocks, strict=True)))

    def _expand_block(self, theta: Tensor, weights: Tensor) -> Expansion:
        """The same for few enough to stay in the processor's cache."""
        parts = [self._expand(predictions, theta, weights[:, place]) for place, predictions in self._parts]
        if len(parts) == 1:
            return parts[0]
        return Expansion(*(torch.stack(pieces).sum(0) for pieces in zip(*parts, strict=True)))

    @abstractmethod
    def _expand(self, predictions: BatchedPredictions, theta: Tensor, weights: Tensor) -> Expansion:
        """The same for some of the observations."""


class WeightedSquares(WeightedLoss):
    r"""Half the squared residuals over the residual variance, or a robust function of them, by Gauss-Newton.

    The Jacobian is brought to phi before it is multiplied with itself. Its columns are orthonormal at the estimate, so
    that the normal equations lose no digits, however badly the parameters themselves are conditioned. Where they are
    conditioned well the small products are brought there instead, which is quicker and costs the step eight digits at
    most; the slope, which decides where it ends, loses four.
    """

    def _at_start(self) -> tuple[Array, float]:
        data, loss = self.loss.observations, self.loss
        columns = loss.jacobian(self.start)
        target = data.target if data.sigma is None else data.target / data.sigma
        losses = loss.objective.losses(loss.prediction(self.start), *data.measured).detach()
        size = target.square().mean().item()
        variance = losses.sum().item() / max(1, loss.n - loss.p)
        self._scale = math.sqrt(max(variance, _EXACT**2 * size)) or 1.0
        if data.sigma is not None:
            columns = columns / data.sigma.unsqueeze(1)
        rounding = 16 * _EPS * loss.n * (variance + _EPS * size) / self._scale**2
        return triangle((columns / self._scale).numpy()), rounding

    def _expand(self, predictions: BatchedPredictions, theta: Tensor, weights: Tensor) -> Expansion:
        r = self.basis.shape[1]
        rows = predictions.rows(theta)
        change = rows.new_zeros(r + 1, len(rows))  # to phi, and the residual to its own standard deviation
        change[:r, :-1] = self.basis.T / self._scale
        change[r, -1] = 1 / self._scale
        objective = self.loss.objective
        early = isinstance(objective, RobustError) or not self.regular
        if early:
            rows = (change @ rows.flatten(1)).view(r + 1, len(theta), -1)
        if not isinstance(objective, RobustError):
            if len(theta) < len(weights):  # the same rows for all: their products need not be made again
                products = (weights @ (rows * rows.transpose(0, 1)).flatten(0, 1).T).view(-1, len(rows), len(rows))
            else:
                products = (rows * weights).transpose(0, 1) @ rows.permute(1, 2, 0)
            if not early:
                products = change @ products @ change.T
            return Expansion(products[:, r, r] / 2, -products[:, :r, r], products[:, :r, :r])
        rows = rows.expand(-1, len(weights), -1)
        weighted = rows * weights
        z = (rows[r] * (self._scale / objective.scale)).square()
        rho, first, second = objective.rho(z)
        value = (objective.scale / self._scale) ** 2 / 2 * (weights * rho).sum(1)
        slope = -(weighted[:r] * (first * rows[r])).sum(2).T
        curved = weighted[:r] * (first + 2 * second * z).clamp_min(_LEAST_WEIGHT * first)
        return Expansion(value, slope, curved.transpose(0, 1) @ rows[:r].permute(1, 2, 0))


class WeightedLikelihood(WeightedLoss):
    """The negative log-likelihood, with its exact second derivatives by autograd."""

    def _at_start(self) -> tuple[Array, float]:
        loss, data = self.loss, self.loss.observations
        hessian = loss.hessian(self.start) * (loss.n if loss.objective.reduction == "mean" else 1)
        if not bool(torch.isfinite(hessian).all()):
            return hessian.numpy(), 0.0
        scaled = ScaledCurvature.of(hessian.numpy())
        losses = loss.objective.losses(loss.prediction(self.start), *data.measured).detach()
        # Where the curvature is negative the estimate is no optimum; its size is still a scale to begin with.
        root = scaled.root(np.where(scaled.strong(THRESHOLDS.hessian), np.abs(scaled.values), 0.0))
        return root, 16 * _EPS * losses.expand(loss.n).abs().sum().item()

    @torch.enable_grad()
    def _expand(self, predictions: BatchedPredictions, theta: Tensor, weights: Tensor) -> Expansion:
        phi = theta.new_zeros(len(weights), self.basis.shape[1], requires_grad=True)
        value = (weights * predictions.losses(theta + phi @ self.basis.T)).sum(1)
        (slope,) = torch.autograd.grad(value.sum(), phi, create_graph=True)
        columns = [
            torch.autograd.grad(one.sum(), phi, retain_graph=True, allow_unused=True, materialize_grads=True)[0]
            for one in slope.unbind(1)
        ]
        curvature = torch.stack(columns, dim=1)
        return Expansion(value.detach(), slope.detach(), (curvature + curvature.transpose(1, 2)) / 2)


def weighted_loss(loss: LossFunction, theta: Tensor, held: Sequence[int] = ()) -> WeightedLoss:
    """The weighted form of a loss around its optimum ``(p,)``; ``held`` parameters sit at a bound, and stay there.

    Raises:
        InputError: for a penalty, an objective without curvature, or a model that cannot be computed in batches.
    """
    if loss.objective.penalised:
        raise InputError("bootstrap: a penalty (l1, l2) biases the estimates, and resampling does not tell by how much")
    if isinstance(loss.objective, SquaredError | RobustError):
        return WeightedSquares(loss, theta, held)
    if isinstance(loss.objective, NegativeLogLikelihood):
        return WeightedLikelihood(loss, theta, held)
    raise InputError(
        f"bootstrap: {type(loss.objective).__name__} has no curvature to solve by; give a squared or robust error"
    )
