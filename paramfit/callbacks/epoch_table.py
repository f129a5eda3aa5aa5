"""Lines to read while a fit runs."""

from lightning.pytorch import Callback, LightningModule, Trainer

from paramfit.callbacks.run import task_of
from paramfit.callbacks.table_forms import TableForm
from paramfit.tasks.updates import Update

__all__ = ["EpochTable"]


class EpochTable(Callback):
    """Print lines about chosen updates.

    Args:
        form: which updates and how: ``GradientLines``, ``LossLines``, ``ValidationLines`` or ``EstimateRows``; nothing
            is printed where it is not given.
    """

    def __init__(self, form: TableForm | None = None) -> None:
        self.form = form

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print the header, and listen."""
        if self.form is None:
            return
        self.form.prepare(trainer, pl_module)
        task_of(pl_module).listeners.append(self)
        header = self.form.header()
        if header is not None:
            print(header)

    def next_update(self, after: int) -> int:
        """What the form wants to tell."""
        return 2**62 if self.form is None else self.form.next_update(after)

    def on_update(self, update: Update) -> None:
        """Print what the form says."""
        lines = None if self.form is None else self.form.lines(update)
        if lines is not None:
            print(lines)
