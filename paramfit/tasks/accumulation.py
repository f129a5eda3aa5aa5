"""The exact gradient of an objective over several batches."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from paramfit.observations import Observations
from paramfit.passes.descent_losses import DescentLosses, DescentSums

__all__ = ["AccumulationWindow"]


class AccumulationWindow:
    """The batches between two updates, whose losses are added up and divided once.

    A mean over unequal batches is not the mean of their means. Each batch therefore gives its plain sum to autograd;
    when the last batch is in, the accumulated gradient is divided by the count of all observations, and the penalty,
    which belongs to no batch, is added once.

    Args:
        losses: what is summed up.
        parameters: whose gradients accumulate.
        batches: how many batches Lightning accumulates; it divides each loss by that, which is undone here.
    """

    def __init__(self, losses: DescentLosses, parameters: Sequence[nn.Parameter], batches: int) -> None:
        self.losses = losses
        self.parameters = parameters
        self.batches = batches
        self._window: dict[int, Observations] = {}
        self._sums: DescentSums | None = None

    def total(self, observations: Observations, batch_idx: int) -> Tensor:
        """The sum of one batch's losses, scaled so that Lightning's division leaves the sum."""
        if batch_idx % self.batches == 0:
            self._window, self._sums = {}, None
        self._window[batch_idx] = observations  # a line search comes back with the same batch
        return self._total_of(observations) * self.batches

    def _total_of(self, observations: Observations) -> Tensor:
        """The sum of one batch's losses, which the sums of the window hold afterwards, without their gradient."""
        sums = self.losses(observations)
        self._sums = sums.detached() if self._sums is None else self._sums + sums.detached()
        return sums.total

    @property
    def sums(self) -> DescentSums:
        """Of the batches so far; they track no gradient."""
        assert self._sums is not None  # asked for after a batch
        return self._sums

    @property
    def loss(self) -> Tensor:
        """The objective over the batches so far, with its penalty, ``()``; it tracks no gradient."""
        with torch.no_grad():
            return self.sums.loss(self.losses.objective, self.parameters)

    def closure(self, last_batch: Callable[[], object]) -> Callable[[], Tensor]:
        """The closure of one update over the whole window; ``last_batch`` adds the gradient of its last batch.

        The gradients of all batches but the last are there already. A line search evaluates anew at other parameters:
        then the earlier batches, which are kept, are evaluated anew as well, so that loss and gradient agree.
        """
        earlier = list(self._window.values())
        objective = self.losses.objective
        first = True

        def evaluate() -> Tensor:
            nonlocal first
            if not first:
                self._replay(earlier)
            first = False
            last_batch()
            with torch.no_grad():
                for parameter in self.parameters:
                    if parameter.grad is not None:
                        parameter.grad = objective.finish(parameter.grad, self.sums.n)
                        if objective.penalised:
                            parameter.grad = parameter.grad + objective.penalty_gradient(parameter)
            return self.loss

        return evaluate

    def _replay(self, earlier: Sequence[Observations]) -> None:
        """Evaluate the batches before the last anew, at the present parameters."""
        for parameter in self.parameters:
            parameter.grad = None
        self._sums = None
        with torch.enable_grad():
            for observations in earlier:
                self._total_of(observations).backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
