"""Tasks that Lightning optimises: loss, backward, optimizer step."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, cast

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn
from torch.optim import SGD
from torchmetrics import Metric

from paramfit.objectives import Objective, SquaredError
from paramfit.observations import Observations
from paramfit.optimizers import BlockOptimizer
from paramfit.passes.descent_losses import DescentSums
from paramfit.tasks.base import EstimationTask
from paramfit.tasks.lightning_callbacks import schedules_accumulation

__all__ = ["AutomaticTask", "Regression"]


class AccumulationWindow:
    """The batches between two updates, whose losses are added up and divided once.

    A mean over unequal batches is not the mean of their means. Each batch therefore gives its plain sum to autograd;
    when the last batch is in, the accumulated gradient is divided by the count of all observations, and the penalty,
    which belongs to no batch, is added once. Lightning divides each loss by the number of batches that the ``trainer``
    accumulates in this epoch, which is undone here.
    """

    def __init__(
        self,
        sums: Callable[[Observations], DescentSums],
        objective: Objective,
        parameters: Sequence[nn.Parameter],
        trainer: Trainer,
    ) -> None:
        self.sums = sums  # of one batch
        self.objective = objective
        self.parameters = parameters
        self.trainer = trainer
        self._window: dict[int, Observations] = {}
        self._sums: DescentSums | None = None

    def total(self, observations: Observations, batch_idx: int) -> Tensor:
        """The sum of one batch's losses, scaled so that Lightning's division leaves the sum."""
        batches = self.trainer.accumulate_grad_batches
        if batch_idx % batches == 0:
            self._window, self._sums = {}, None
        self._window[batch_idx] = observations  # a line search comes back with the same batch
        return self._total_of(observations) * batches

    def _total_of(self, observations: Observations) -> Tensor:
        """The sum of one batch's losses, which the sums of the window hold afterwards, without their gradient."""
        sums = self.sums(observations)
        self._sums = sums.detached() if self._sums is None else self._sums + sums.detached()
        return sums.total

    @property
    def loss(self) -> Tensor:
        """The objective over the batches so far, with its penalty, ``()``; it tracks no gradient."""
        assert self._sums is not None  # asked for after a batch
        with torch.no_grad():
            return self._sums.loss(self.objective, self.parameters)

    def closure(self, last_batch: Callable[[], object]) -> Callable[[], Tensor]:
        """The closure of one update over the whole window; ``last_batch`` adds the gradient of its last batch.

        The gradients of all batches but the last are there already. A line search evaluates anew at other parameters:
        then the earlier batches, which are kept, are evaluated anew as well, so that loss and gradient agree.
        """
        earlier = list(self._window.values())
        objective = self.objective
        first = True

        def evaluate() -> Tensor:
            nonlocal first
            if not first:  # at other parameters: the batches before the last anew
                for parameter in self.parameters:
                    parameter.grad = None
                self._sums = None
                with torch.enable_grad():
                    for observations in earlier:
                        self._total_of(observations).backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            first = False
            last_batch()
            assert self._sums is not None  # the last batch is in it
            with torch.no_grad():
                for parameter in self.parameters:
                    if parameter.grad is not None:
                        parameter.grad = objective.finish(parameter.grad, self._sums.n)
                        if objective.penalised:
                            parameter.grad = parameter.grad + objective.penalty_gradient(parameter)
            return self.loss

        return evaluate


class AutomaticTask(EstimationTask):
    """A task under Lightning's automatic optimisation, with any ``torch.optim`` optimizer.

    ``accumulate_grad_batches`` gives the gradient of the objective over all observations accumulated, unequal batches
    included.
    """

    _window: AccumulationWindow | None = None
    _batch: Observations | None = None
    _plain = False

    def on_train_start(self) -> None:
        """Prepare for accumulation where it is on."""
        super().on_train_start()
        # Scaled losses, autocast and clipping are Lightning's: with them every update takes its way.
        self._plain = str(self.trainer.precision) in {"32-true", "64-true"} and not self.trainer.gradient_clip_val
        trainer = self.trainer
        accumulates = trainer.accumulate_grad_batches > 1 or schedules_accumulation(trainer.callbacks)  # type: ignore[attr-defined]
        self._window = AccumulationWindow(self.sums, self.objective, self._trainable, trainer) if accumulates else None

    def training_step(self, observations: Observations, batch_idx: int) -> Tensor:
        """The loss of one batch."""
        observations = self._batch = self.in_precision(observations)
        return self.loss(observations) if self._window is None else self._window.total(observations, batch_idx)

    def optimizer_step(
        self, epoch: int, batch_idx: int, optimizer: Any, optimizer_closure: Callable[[], Any] | None = None
    ) -> None:
        """One training step of the optimizer: a block of updates, or one update over the accumulated batches."""
        if self._window is not None and optimizer_closure is not None:
            optimizer_closure = self._window.closure(optimizer_closure)
        step = partial(super().optimizer_step, epoch, batch_idx, optimizer, optimizer_closure)
        if self._window is not None or not self._plain:
            step()
        else:
            cast("BlockOptimizer", optimizer.optimizer).run(self._loss_with_gradient, step)
        self.log_block()

    def _loss_with_gradient(self) -> Tensor:
        """What Lightning's closure computes, without its hooks: for all updates of a block but the first."""
        assert self._batch is not None  # the block's first update went through training_step
        for parameter in self._trainable:
            parameter.grad = None
        with torch.enable_grad():
            loss = self.loss(self._batch)
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return loss.detach()


class Regression(AutomaticTask):
    r"""Any model whose forward returns one prediction for each observation, by any torch optimizer.

    .. math:: \hat\theta = \arg\min_\theta L(f_\theta(x), y)

    Args:
        model: the user's model; ``forward(*inputs)`` takes one tensor ``(n,)`` for each input column and returns
            ``(n,)``.
        objective: the loss; the mean squared error where it is not given.
        optimizer: a ``torch.optim`` optimizer; SGD with a learning rate of 0.01 where it is not given.
        scheduler: a learning-rate scheduler, stepped once per training step.
        updates_per_step: updates that a training step makes on its batch.
        metrics: of torchmetrics, by the names they are to have: of predictions and targets, in report and TensorBoard.

    Raises:
        InputError: for a model without trainable parameters or a block without updates.
    """

    def __init__(
        self,
        model: nn.Module,
        objective: Objective | None = None,
        optimizer: OptimizerCallable = lambda parameters: SGD(parameters, lr=1e-2),
        scheduler: LRSchedulerCallable | None = None,
        updates_per_step: int = 1,
        metrics: dict[str, Metric] | None = None,
    ) -> None:
        super().__init__(model, objective or SquaredError(), optimizer, scheduler, updates_per_step, metrics)
        # By value: of a subclass, the command line hands on its own arguments alone.
        self.save_hyperparameters({"updates_per_step": updates_per_step}, logger=False)
