"""Tasks that Lightning optimises: loss, backward, optimizer step."""

from collections.abc import Callable
from typing import Any

from lightning.pytorch.cli import ReduceLROnPlateau
from torch import Tensor

from paramfit.observations import Observations
from paramfit.tasks.accumulation import AccumulationWindow
from paramfit.tasks.base import EstimationTask

__all__ = ["AutomaticTask"]


class AutomaticTask(EstimationTask):
    """A task under Lightning's automatic optimisation, with any ``torch.optim`` optimizer.

    ``accumulate_grad_batches`` gives the gradient of the objective over all observations accumulated, unequal batches
    included.
    """

    _window: AccumulationWindow | None = None

    def on_train_start(self) -> None:
        """Prepare for accumulation where it is on."""
        super().on_train_start()
        batches = self.trainer.accumulate_grad_batches
        self._window = AccumulationWindow(self.model, self.objective, self._trainable, batches) if batches > 1 else None

    def training_step(self, observations: Observations, batch_idx: int) -> Tensor:
        """The loss of one batch."""
        observations = self.in_precision(observations)
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
        super().optimizer_step(epoch, batch_idx, optimizer, optimizer_closure)
