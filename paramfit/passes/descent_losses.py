"""What descent needs to know of a batch: the sum of its losses, differentiable, and how many they are."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Distribution

from paramfit.distributions.domain import OutsideDomain, outside_fact
from paramfit.objectives import Objective
from paramfit.observations import Observations
from paramfit.passes.base import Pass, refuse_shapes

__all__ = ["DescentLosses", "DescentSums"]


@dataclass(frozen=True, eq=False)
class DescentSums:
    """The losses of some rows; those of other rows are added by ``+``, and so are their gradients."""

    total: Tensor  # the sum of the losses, (), neither averaged nor penalised; differentiable where autograd is on
    n: int  # how many rows

    def __add__(self, other: "DescentSums") -> "DescentSums":
        """The losses of the rows of both."""
        return DescentSums(self.total + other.total, self.n + other.n)

    def is_finite(self) -> bool:
        """Whether the sum is."""
        return bool(torch.isfinite(self.total))

    def detached(self) -> "DescentSums":
        """The same without what made it."""
        return DescentSums(self.total.detach(), self.n)

    def loss(self, objective: Objective, parameters: Iterable[Tensor]) -> Tensor:
        """The objective over the rows, with its penalty, ``()``: a mean is divided once, by all of them."""
        loss = objective.finish(self.total, self.n)
        return loss + objective.penalty(parameters) if objective.penalised else loss


class DescentLosses(Pass[DescentSums]):
    """The losses of any model under any objective, in the order of the objective's own summation.

    Raises:
        OutsideDomain: where an argument of a distribution has left what it allows.
    """

    differentiates = True
    subject = "the loss"
    remedy = "give other starts"

    def _pieces(self, observations: Observations) -> Iterable[Observations]:
        return (observations,)

    def _sums(self, piece: Observations, *, expected: bool) -> DescentSums:
        del expected  # descent has no curvature
        prediction = self.model(*piece.inputs)
        total = self.objective.total(prediction, *piece.measured)
        if total.ndim:
            refuse_shapes(prediction, piece.target)
        if isinstance(prediction, Distribution) and not math.isfinite(total.item()):
            outside = outside_fact(prediction)
            if outside is not None:
                raise OutsideDomain(outside)
        return DescentSums(total, piece.n)

    def _is_finite(self, observations: Observations) -> Tensor:
        losses = self.objective.losses(self.model(*observations.inputs), *observations.measured)
        return torch.isfinite(losses)
