"""A model at many parameter vectors at once."""

import copy
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call, jacfwd, vmap

from paramfit.errors import InputError
from paramfit.inference.loss_function import InPlaceOfForward, LossFunction
from paramfit.models import ParametricModel
from paramfit.objectives import NegativeLogLikelihood
from paramfit.observations import Observations

__all__ = ["BatchedPredictions"]

_CLOSE = 1e-9  # two ways to compute the same number


class BatchedPredictions:
    """Predictions, Jacobians and losses of a model for a batch of parameter vectors.

    A ``ParametricModel`` whose parameters broadcast computes a whole batch in one call; whether it does is tried at two
    ``points`` ``(2, p)``, and its numbers compared with those of single calls. Any other model goes through
    ``torch.func.vmap``, and an InputError says that neither works.
    """

    def __init__(self, loss: LossFunction, points: Tensor) -> None:
        self.loss = loss
        self.broadcasts = self.jacobian_broadcasts = False
        self._joint = (
            InPlaceOfForward(loss.model, "value_and_jacobian") if isinstance(loss.model, ParametricModel) else None
        )
        singly = torch.stack([self._single_losses(theta) for theta in points])
        self.broadcasts = self._agrees(points, singly)
        if self.broadcasts and not isinstance(loss.objective, NegativeLogLikelihood):
            self.jacobian_broadcasts = self._jacobian_agrees(points)
        if not self.broadcasts:
            self._try_vmap(points)

    def over(self, observations: Observations) -> "BatchedPredictions":
        """The same for other observations."""
        others = copy.copy(self)
        others.loss = LossFunction.around(self.loss.model, self.loss.objective, observations)
        return others

    def losses(self, theta: Tensor) -> Tensor:
        """The loss of each observation, ``(B, p)`` to ``(B, n)``, differentiable by theta."""
        if not self.broadcasts:
            return vmap(self._single_losses)(theta)
        predicted = functional_call(self.loss.model, self._named(theta), self.loss.observations.inputs)
        return self._per_observation(predicted).expand(len(theta), self.loss.n)

    def rows(self, theta: Tensor) -> Tensor:
        """The Jacobian's columns and last the residual ``target - prediction``, over sigma: ``(p + 1, B, n)``."""
        data = self.loss.observations
        rows = theta.new_empty(theta.shape[1] + 1, len(theta), self.loss.n)
        if self.jacobian_broadcasts:
            named = {f"model.{name}": value for name, value in self._named(theta).items()}
            predicted, columns = functional_call(self._joint, named, data.inputs)  # type: ignore[arg-type]
            for place, name in enumerate(self.loss.names):
                rows[place] = columns[name]
        else:
            predicted = vmap(self.loss.prediction)(theta)
            rows[:-1] = vmap(jacfwd(self.loss.prediction))(theta).permute(2, 0, 1)
        torch.sub(data.target, predicted, out=rows[-1])
        return rows if data.sigma is None else rows.div_(data.sigma)

    def _named(self, theta: Tensor) -> dict[str, Tensor]:
        return dict(zip(self.loss.names, theta.unbind(1), strict=True))

    def _single_losses(self, theta: Tensor) -> Tensor:
        return self._per_observation(self.loss.prediction(theta)).expand(self.loss.n)

    def _per_observation(self, predicted: Any) -> Tensor:
        return self.loss.objective.losses(predicted, *self.loss.observations.measured)

    def _agrees(self, points: Tensor, singly: Tensor) -> bool:
        """Whether one call gives what single calls give."""
        if self._joint is None or any(value.ndim for value in self.loss.model.parameters()):
            return False
        self.broadcasts = True
        try:
            return _same(self.losses(points), singly)
        except Exception:  # whatever a function raises that was not made for these shapes
            return False

    def _jacobian_agrees(self, points: Tensor) -> bool:
        self.jacobian_broadcasts = True
        try:
            at_once = self.rows(points)
        except Exception:  # as above
            return False
        data = self.loss.observations
        residuals = torch.stack([data.target - self.loss.prediction(theta) for theta in points])
        singly = [*torch.stack([self.loss.jacobian(theta) for theta in points]).unbind(2), residuals]
        rows = torch.stack([one if data.sigma is None else one / data.sigma for one in singly])
        return _same(at_once, rows)

    def _try_vmap(self, points: Tensor) -> None:
        try:
            self.losses(points)
        except (RuntimeError, ValueError, NotImplementedError) as failure:
            raise InputError(
                f"model: torch.func cannot compute {type(self.loss.model).__name__} for many parameters at once"
                f" ({' '.join(str(failure).split())[:200]}); write its forward with torch's functions and without"
                " branches on values"
            ) from failure


def _same(one: Tensor, other: Tensor) -> bool:
    """Whether each row agrees, as seen from its largest number."""
    return one.shape == other.shape and bool(
        ((one - other).abs() <= _CLOSE * other.abs().amax(dim=-1, keepdim=True)).all()
    )
