"""Tasks that Lightning optimises: loss, backward, optimizer step."""

from collections.abc import Callable
from functools import partial
from typing import Any, cast

import torch
from lightning.pytorch.cli import ReduceLROnPlateau
from torch import Tensor

from paramfit.observations import Observations
from paramfit.optimizers import BlockOptimizer
from paramfit.tasks.accumulation import AccumulationWindow
from paramfit.tasks.base import EstimationTask

__all__ = ["AutomaticTask"]


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
        batches = self.trainer.accumulate_grad_batches
        self._window = AccumulationWindow(self.losses, self._trainable, batches) if batches > 1 else None

    def training_step(self, observations: Observations, batch_idx: int) -> Tensor:
        """The loss of one batch."""
        observations = self._batch = self.in_precision(observations)
        loss = self.loss(observations) if self._window is None else self._window.total(observations, batch_idx)
        if isinstance(self.lr_schedulers(), ReduceLROnPlateau):
            self.log("train/loss", loss if self._window is None else self._window.loss, logger=False)
        return loss

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

    def _loss_with_gradient(self) -> Tensor:
        """What Lightning's closure computes, without its hooks: for all updates of a block but the first."""
        assert self._batch is not None  # the block's first update went through training_step
        for parameter in self._trainable:
            parameter.grad = None
        with torch.enable_grad():
            loss = self.loss(self._batch)
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return loss.detach()
