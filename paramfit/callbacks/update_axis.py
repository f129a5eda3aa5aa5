"""The x-axis that all curves of a fit share."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.loggers import Logger

from paramfit.tasks.updates import EstimationTaskLike

__all__ = ["UpdateAxis", "log_at_update"]


class UpdateAxis:
    """While a fit runs, its loggers put what Lightning counts in training steps at the update that it belongs to.

    A training step is a block of updates, and of a solver's updates each takes as many steps as an epoch has batches.
    Lightning's loggers are handed that number by each callback (``LearningRateMonitor``, ``DeviceStatsMonitor``) and by
    ``self.log`` alike: there is no other place to change it in. Any other number is left as it is.

    Args:
        trainer: whose loggers they are.
        task: counts the updates.
    """

    def __init__(self, trainer: Trainer, task: EstimationTaskLike) -> None:
        self._trainer = trainer
        self._task = task
        self._loggers: Sequence[Logger] = ()

    def begin(self) -> None:
        """Translate from here on."""
        self._loggers = list(self._trainer.loggers)
        for logger in self._loggers:
            vars(logger)["log_metrics"] = partial(self._log, logger)

    def end(self) -> None:
        """Leave the loggers as they were."""
        for logger in self._loggers:
            vars(logger).pop("log_metrics", None)
        self._loggers = ()

    def _log(self, logger: Logger, metrics: dict[str, Any], step: int | None = None) -> None:
        log_at_update(logger, metrics, self._update_at(step))

    def _update_at(self, step: int | None) -> int | None:
        """The updates made so far, where the step is what Lightning has counted so far in any of its ways."""
        loop = self._trainer.fit_loop
        counts = {loop.epoch_loop._batches_that_stepped, self._trainer.global_step, loop.total_batch_idx + 1}
        if self._trainer.validating:
            counts.add(loop.epoch_loop.val_loop.batch_progress.total.ready)
        return self._task.updates if step in counts else step


def log_at_update(logger: Logger, metrics: dict[str, Any], update: int | None) -> None:
    """Log at an update as it is, though the logger may be one that translates."""
    type(logger).log_metrics(logger, metrics, update)
