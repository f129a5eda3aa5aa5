"""The curves of a fit."""

import time
from typing import Any, NamedTuple

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import Logger, TensorBoardLogger
from torch import nn

from paramfit.callbacks.run import FileWriting, Run, refuse_below_one, run_of, task_of
from paramfit.callbacks.update_axis import UpdateAxis, log_at_update
from paramfit.models.base import natural_values
from paramfit.tasks.updates import Update, parameter_values
from paramfit.wording import visible

__all__ = ["FitHistory"]

_UPDATES_RECORDED_ONE_BY_ONE = 1000
_ROWS_IN_MEMORY = 500
_CURVES = {"loss": ["train/loss", "val/loss"], "parameters": ["parameter/.*"], "gradients": ["gradient/.*"]}


class _Row(NamedTuple):
    update: int
    seconds: float
    values: dict[str, float]


class FitHistory(FileWriting, Callback):
    """Loss, parameters and gradients over the updates.

    Tags: ``train/loss``, ``val/loss`` (and the other held-out metrics), ``parameter/<name>``, ``gradient/<name>``;
    the x-axis counts updates, for what Lightning's own callbacks and ``self.log`` write as well. The loss is the one
    before the update, the parameters are those after it. Rows are kept in memory and written in blocks, one event for
    each update.

    Args:
        every: record every so many updates. By default each of them in a run of up to 1000, and every
            ``trainer.log_every_n_steps`` updates in a longer one.

    Raises:
        InputError: for a distance below 1.
    """

    def __init__(self, every: int | None = None) -> None:
        refuse_below_one("history.every", every)
        self.every = every
        self._stride = 1
        self._names: tuple[str, ...] = ()
        self._model = nn.Module()
        self._rows: list[_Row] = []
        self._loggers: list[Logger] = []
        self._run = Run()
        self._axis: UpdateAxis | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Listen to the updates, and lay out the page of curves."""
        task = task_of(pl_module)
        self._names, self._model = task.names, task.model
        self._loggers, self._run = list(trainer.loggers), run_of(trainer)
        self._rows = []
        is_short = 0 < task.planned_updates <= _UPDATES_RECORDED_ONE_BY_ONE
        self._stride = self.every or (1 if is_short else max(1, int(getattr(trainer, "log_every_n_steps", 0) or 1)))
        if not self._loggers:
            return
        task.listeners.append(self)
        self._axis = UpdateAxis(trainer, task)
        self._axis.begin()
        for logger in self._loggers:
            if isinstance(logger, TensorBoardLogger):
                page = {title: ["Multiline", tags] for title, tags in _CURVES.items()}
                logger.experiment.add_custom_scalars({"fit": page})

    def next_update(self, after: int) -> int:
        """The first update, and every so many."""
        return 1 if after == 0 else (after // self._stride + 1) * self._stride

    def on_update(self, update: Update) -> None:
        """Keep one row."""
        natural = natural_values(self._model, self._names, update.parameters)
        gradients = [parameter.grad for parameter in update.parameters]
        values = {"train/loss": update.loss}
        for kind, tensors in (("parameter", natural), ("gradient", gradients)):
            values |= {
                f"{kind}/{visible(name)}": value for name, value in parameter_values(self._names, tensors).items()
            }
        self._keep(update.number, values)

    def _keep(self, update: int, values: dict[str, float]) -> None:
        self._rows.append(_Row(update, time.time(), values))
        if len(self._rows) >= _ROWS_IN_MEMORY:
            self._write()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep the held-out metrics at the update they belong to."""
        if trainer.state.fn == "fit" and not trainer.sanity_checking and self._loggers:
            metrics = {name: value.item() for name, value in trainer.callback_metrics.items() if name[:4] == "val/"}
            if metrics:
                self._keep(task_of(pl_module).updates, metrics)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write what is left."""
        self._end()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Lose nothing."""
        self._end()

    def _end(self) -> None:
        if self._axis is not None:
            self._axis.end()
        self._axis = None
        self._write()

    def _write(self) -> None:
        rows, self._rows = self._rows, []
        for logger in self._loggers:
            with self._run.writing():
                if isinstance(logger, TensorBoardLogger):
                    _write_events(logger.experiment.file_writer, rows)
                    logger.experiment.flush()
                else:
                    for row in rows:
                        log_at_update(logger, row.values, row.update)


def _write_events(file_writer: Any, rows: list[_Row]) -> None:
    """One event for each row: five tags in one event cost a quarter of five events."""
    from tensorboard.compat.proto.summary_pb2 import Summary  # needed by runs with curves alone

    for row in rows:
        values = [Summary.Value(tag=tag, simple_value=value) for tag, value in row.values.items()]
        file_writer.add_summary(Summary(value=values), global_step=row.update, walltime=row.seconds)
