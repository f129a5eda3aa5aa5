"""The exact gradient of an objective over several batches."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from paramfit.objectives import Objective
from paramfit.observations import Observations

__all__ = ["AccumulationWindow"]


class AccumulationWindow:
    """The batches between two updates, whose losses are added up and divided once.

    A mean over unequal batches is not the mean of their means. Each batch therefore gives its plain sum to autograd;
    when the last batch is in, the accumulated gradient is divided by the count of all observations, and the penalty,
    which belongs to no batch, is added once.

    Args:
        model: gives the prediction.
        objective: gives total, reduction and penalty.
        parameters: whose gradients accumulate.
        batches: how many batches Lightning accumulates; it divides each loss by that, which is undone here.
    """

    def __init__(
        self, model: nn.Module, objective: Objective, parameters: Sequence[nn.Parameter], batches: int
    ) -> None:
        self.model = model
        self.objective = objective
        self.parameters = parameters
        self.batches = batches
        self._seen: dict[int, Observations] = {}
        self._total = torch.zeros(())

    def total(self, observations: Observations, batch_idx: int) -> Tensor:
        """The sum of one batch's losses, scaled so that Lightning's division leaves the sum."""
        if batch_idx % self.batches == 0:
            self._seen = {}
            self._total = torch.zeros((), dtype=observations.target.dtype, device=observations.target.device)
        total = self._sum(observations)
        self._seen[batch_idx] = observations  # a line search comes back with the same batch
        self._total = self._total + total.detach()
        return total * self.batches

    def _sum(self, observations: Observations) -> Tensor:
        return self.objective.total(self.model(*observations.inputs), *observations.measured)

    @property
    def _count(self) -> int:
        return sum(observations.n for observations in self._seen.values())

    @property
    def loss(self) -> Tensor:
        """The objective over the batches so far, with its penalty, ``()``; it tracks no gradient."""
        with torch.no_grad():
            loss = self.objective.finish(self._total, self._count)
            return loss + self.objective.penalty(self.parameters) if self.objective.penalised else loss

    def closure(self, last_batch: Callable[[], object]) -> Callable[[], Tensor]:
        """The closure of one update over the whole window.

        The gradients of all batches but the last are there already. A line search evaluates anew at other parameters:
        then the earlier batches, which are kept, are evaluated anew as well, so that loss and gradient agree.

        Args:
            last_batch: evaluates the last batch and adds its gradient.
        """
        earlier = list(self._seen.values())
        first = True

        def evaluate() -> Tensor:
            nonlocal first
            if not first:
                self._replay(earlier)
            first = False
            last_batch()
            count = self._count
            with torch.no_grad():
                for parameter in self.parameters:
                    if parameter.grad is None:
                        continue
                    gradient = self.objective.finish(parameter.grad, count)
                    if self.objective.penalised:
                        gradient = gradient + self.objective.penalty_gradient(parameter)
                    parameter.grad = gradient
            return self.loss

        return evaluate

    def _replay(self, earlier: Sequence[Observations]) -> None:
        """Evaluate the batches before the last anew, at the present parameters."""
        for parameter in self.parameters:
            parameter.grad = None
        self._total = torch.zeros_like(self._total)
        with torch.enable_grad():
            for observations in earlier:
                total = self._sum(observations)
                total.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
                self._total = self._total + total.detach()
