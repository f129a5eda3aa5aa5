"""The lessons' table of updates, in each of its forms."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from paramfit.callbacks.run import data_of, loss_function_of, mean_loss, refuse_below_one, task_of
from paramfit.errors import InputError
from paramfit.inference.convergence import closed_form
from paramfit.tasks.updates import Update

__all__ = ["EpochTable", "EstimateRows", "GradientLines", "LossLines", "TableForm", "ValidationLines"]

_LESSON = (1, 2, 3, 10, 11, 99, 100, 4000, 5000)
_ELLIPSES = (4, 12, 101)
_MOST_DECIMALS = 17  # a float64 has no more


class TableForm(ABC):
    """Which updates are told, and how. An update is what the lessons call an epoch."""

    #: The line above the table.
    header: str | None = None

    def prepare(self, trainer: Trainer, module: LightningModule) -> None:  # noqa: B027  # most forms need no look
        """Look at the run before the first update."""

    @abstractmethod
    def next_update(self, after: int) -> int:
        """The first update later than ``after`` that is told."""

    @abstractmethod
    def lines(self, update: Update) -> str | None:
        """What is told of one update."""

    def ending(self, update: int, losses: tuple[float, float | None]) -> str | None:
        """What is told of the state after the last update, whose line has the loss before it; None for nothing.

        ``losses`` are those of the training and of the held-out rows, None where there are none: the report's.
        """
        return None

    def on_update(self, update: Update) -> None:
        """Print what is told of one update."""
        lines = self.lines(update)
        if lines is not None:
            print(lines)


def _refuse_decimals(decimals: int) -> None:
    """Refuse a number of decimals that no line can have."""
    if not 0 <= decimals <= _MOST_DECIMALS:
        raise InputError(f"epoch_table.form.decimals: expected 0 to {_MOST_DECIMALS}, but got {decimals}")


def _as_printed(tensors: Sequence[Tensor]) -> str:
    return str(torch.cat([tensor.detach().cpu().reshape(-1) for tensor in tensors]))


class GradientLines(TableForm):
    """Loss, parameters and gradient: ``Epoch 1, Loss 1763.884766`` and two lines below.

    Of a descent the loss is that before the update, and the parameters are those after it. A solver looks at a trial
    point, the start first, and stays where no trial is better: loss and parameters are both those of its best point.

    The first update whose loss is not finite is told too.

    Args:
        at: updates that are told; by default those of the lesson.
        ellipsis_at: updates at which three dots stand for what is left out.
        decimals: of the loss.
    """

    def __init__(self, at: Sequence[int] = _LESSON, ellipsis_at: Sequence[int] = _ELLIPSES, decimals: int = 6) -> None:
        _refuse_decimals(decimals)
        self.decimals = decimals
        self.at = tuple(at)
        self.ellipsis_at = tuple(ellipsis_at)
        self._was_finite = True

    def next_update(self, after: int) -> int:
        """The chosen updates."""
        return min((number for number in self.at + self.ellipsis_at if number > after), default=2**62)

    def lines(self, update: Update) -> str | None:
        """Three lines, or three dots."""
        finite = math.isfinite(update.loss)
        if update.number in self.at or (not finite and self._was_finite):
            self._was_finite = finite
            gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in update.parameters]
            return (
                f"Epoch {update.number:d}, Loss {update.loss:.{self.decimals}f}\n"
                f"    Params: {_as_printed(update.parameters)}\n"
                f"    Grad:   {_as_printed(gradients)}"
            )
        return "..." if update.number in self.ellipsis_at else None

    def ending(self, update: int, losses: tuple[float, float | None]) -> str:
        """One line."""
        return f"After epoch {update:d}, Loss {losses[0]:.{self.decimals}f}"


class LossLines(TableForm):
    """The loss now and then: ``Epoch 500, Loss 7.8601``.

    Args:
        every: distance between the updates that are told.
        decimals: of the loss.
    """

    def __init__(self, every: int = 500, decimals: int = 4) -> None:
        refuse_below_one("epoch_table.form.every", every)
        _refuse_decimals(decimals)
        self.every = every
        self.decimals = decimals

    def next_update(self, after: int) -> int:
        """Every so many."""
        return (after // self.every + 1) * self.every

    def lines(self, update: Update) -> str:
        """One line."""
        return f"Epoch {update.number:d}, Loss {update.loss:.{self.decimals}f}"

    def ending(self, update: int, losses: tuple[float, float | None]) -> str:
        """One line."""
        return f"After epoch {update:d}, Loss {losses[0]:.{self.decimals}f}"


class ValidationLines(TableForm):
    """Both losses before the update: ``Epoch 1, Training loss: 66.5811, Validation loss: 142.3890``.

    Args:
        every: distance between the updates that are told, after the first three.
        decimals: of the losses.
    """

    def __init__(self, every: int = 500, decimals: int = 4) -> None:
        refuse_below_one("epoch_table.form.every", every)
        _refuse_decimals(decimals)
        self.every = every
        self.decimals = decimals
        self._validation_loss: Callable[[], float] = lambda: math.nan
        self._measured = (0, math.nan)  # after which update, and the loss then

    def prepare(self, trainer: Trainer, module: LightningModule) -> None:
        """Measure the validation loss before the next update.

        Raises:
            InputError: if no row is held out.
        """
        data = data_of(trainer)
        if data is None or not data.validation.n:
            raise InputError(
                "epoch_table.form: ValidationLines needs validation data, but no row is held out; give"
                " --data.validation_fraction 0.2, or another form"
            )
        self._validation_loss = partial(mean_loss, module, data.validation)
        self._measured = (task_of(module).updates, self._validation_loss())

    def next_update(self, after: int) -> int:
        """The first three and every so many; and the one before each, at whose end the loss is measured."""
        by_stride = after + 1 if after < 3 else (after // self.every + 1) * self.every
        return by_stride if by_stride == after + 1 else by_stride - 1

    def lines(self, update: Update) -> str | None:
        """One line at the updates that are told."""
        before, validation = self._measured
        self._measured = (update.number, self._validation_loss())
        if update.number > 3 and update.number % self.every:
            return None
        if before != update.number - 1:
            validation = math.nan
        return f"Epoch {update.number:d}, {self._both(update.loss, validation)}"

    def ending(self, update: int, losses: tuple[float, float | None]) -> str:
        """One line."""
        train, validation = losses
        return f"After epoch {update:d}, {self._both(train, math.nan if validation is None else validation)}"

    def _both(self, train: float, validation: float) -> str:
        return f"Training loss: {train:.{self.decimals}f}, Validation loss: {validation:.{self.decimals}f}"


class EstimateRows(TableForm):
    """A table of loss and estimate after the update, with the distance to the closed-form estimate.

    For models of one parameter.

    Args:
        every: distance between the updates that are told.
    """

    header = "{} {:>24} {:>15} {:>15}".format("step", "loss", "estimate", "diff. target")

    def __init__(self, every: int = 500) -> None:
        refuse_below_one("epoch_table.form.every", every)
        self.every = every
        self._loss_after: Callable[[], float] | None = None
        self._target = math.nan

    def prepare(self, trainer: Trainer, module: LightningModule) -> None:
        """Find the closed-form estimate.

        Raises:
            InputError: if the model has more than one parameter.
        """
        data = data_of(trainer)
        if data is None:
            return
        loss = loss_function_of(module, data.train)
        if loss.p != 1:
            raise InputError(
                f"epoch_table.form: EstimateRows is for models of one parameter, not of {loss.p}; try GradientLines"
            )
        exact = closed_form(loss)
        self._target = math.nan if exact is None else exact.item()
        self._loss_after = partial(mean_loss, module, data.train)

    def next_update(self, after: int) -> int:
        """Every so many."""
        return (after // self.every + 1) * self.every

    def lines(self, update: Update) -> str:
        """One row."""
        loss = update.loss if self._loss_after is None else self._loss_after()
        estimate = update.parameters[0].item()
        return f"{update.number:5d} {loss:24.3f} {estimate:15.5f} {estimate - self._target:15.5f}"


class EpochTable(Callback):
    """Print lines about chosen updates.

    A line has the loss before its update, as the lessons have it; the last line has that after the last update, which
    is the loss of the report.

    Args:
        form: which updates and how: ``GradientLines``, ``LossLines``, ``ValidationLines`` or ``EstimateRows``; nothing
            is printed where it is not given.
    """

    def __init__(self, form: TableForm | None = None) -> None:
        self.form = form

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print the header, and let the form listen."""
        if self.form is None:
            return
        self.form.prepare(trainer, pl_module)
        task_of(pl_module).listeners.append(self.form)
        if self.form.header is not None:
            print(self.form.header)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print the state after the last update."""
        data = data_of(trainer)
        if self.form is None or data is None:
            return
        held_out = mean_loss(pl_module, data.validation) if data.validation.n else None
        line = self.form.ending(task_of(pl_module).updates, (mean_loss(pl_module, data.train), held_out))
        if line is not None:
            print(line)
