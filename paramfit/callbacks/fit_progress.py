"""One bar for the whole run."""

import math
import time

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ProgressBar
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from paramfit.callbacks.run import task_of
from paramfit.models.base import natural_values
from paramfit.tasks.updates import EstimationTaskLike, Update, parameter_values
from paramfit.wording import visible

__all__ = ["FitProgress"]

_SECONDS_BETWEEN = 0.25  # drawing takes some milliseconds
_MOST_PARAMETERS = 4


class FitProgress(ProgressBar):
    """One progress bar over all updates of a fit, with loss and parameters; Lightning's own has one for each epoch.

    It is drawn four times a second, and only where there is a terminal to draw it on.

    Args:
        console: where to draw; standard error where it is not given.
    """

    def __init__(self, console: Console | None = None) -> None:
        super().__init__()
        self.console = console
        self._bar: Progress | None = None
        self._row = TaskID(0)
        self._task: EstimationTaskLike | None = None
        self._stride = 1
        self._last = 0
        self._finite = True
        self._drawn = 0.0
        self._drawn_at = 0
        self._enabled = True

    def disable(self) -> None:
        """Draw nothing."""
        self._enabled = False

    def enable(self) -> None:
        """Draw again."""
        self._enabled = True

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the bar."""
        super().on_train_start(trainer, pl_module)
        console = self.console or Console(stderr=True)
        if not self._enabled or not console.is_terminal:
            return
        self._task = task = task_of(pl_module)
        self._bar = Progress(
            TextColumn("update"),
            MofNCompleteColumn(),
            BarColumn(bar_width=20),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[values]}", markup=False),
            console=console,
            auto_refresh=False,
        )
        self._row = self._bar.add_task("", total=task.planned_updates or None, completed=task.updates, values="")
        self._bar.start()
        self._last, self._finite = task.planned_updates, True
        self._stride, self._drawn, self._drawn_at = 1, time.monotonic(), task.updates
        task.listeners.append(self)

    def next_update(self, after: int) -> int:
        """About ten updates in the time between two drawings; and the last one, whose values stay to be read."""
        return self._last if after < self._last < after + self._stride else after + self._stride

    def on_update(self, update: Update) -> None:
        """Draw if it is time, and guess when it will be."""
        now = time.monotonic()
        passed = now - self._drawn
        # The first loss that is not finite may be the last of the run; a run that goes on has many.
        left_finite = self._finite and not math.isfinite(update.loss)
        if update.number == self._last or left_finite:
            self._finite = not left_finite
            self._draw(update)
        elif passed >= _SECONDS_BETWEEN:
            self._stride = max(1, (update.number - self._drawn_at) // 10)
            self._drawn, self._drawn_at = now, update.number
            self._draw(update)
        elif passed < _SECONDS_BETWEEN / 20:
            self._stride = min(2 * self._stride, 1000)

    def _draw(self, update: Update) -> None:
        if self._bar is None or self._task is None:
            return
        natural = natural_values(self._task.model, self._task.names, update.parameters)
        values = list(parameter_values(self._task.names, natural).items())[:_MOST_PARAMETERS]
        shown = [f"loss {update.loss:.6g}", *(f"{name} {value:.5g}" for name, value in values)]
        self._bar.update(self._row, completed=update.number, values=visible("  ".join(shown)), refresh=True)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leave the bar where it ended."""
        if self._bar is not None:
            self._bar.update(self._row, completed=task_of(pl_module).updates)
        self._close()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Leave the terminal usable."""
        self._close()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.refresh()
            self._bar.stop()
            self._bar = None
