"""Counting updates, and telling who wants to know."""

import math
from collections.abc import Sequence

from torch import Tensor, nn

from paramfit.outcome import Stop
from paramfit.tasks.updates import Update, UpdateListener, all_finite

__all__ = ["UpdateLog"]


class UpdateLog:
    """What happens after each update: it is counted, looked at, and told to the listeners that want it.

    Not part of the task itself, since setting an attribute of an ``nn.Module`` costs as much as the arithmetic of a
    small update.

    Args:
        parameters: the trainable parameters.
    """

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        self.parameters = parameters
        self.count = 0
        self.stop: Stop | None = None
        self.listeners: list[UpdateListener] = []
        self._next_heard = 0

    def begin(self) -> None:
        """Ask the listeners what they want to hear."""
        self._next_heard = min((listener.next_update(self.count) for listener in self.listeners), default=0)

    def after_update(self, loss: Tensor) -> bool:
        """Take in one update, given the loss before it; whether the block ends here."""
        self.count += 1
        value = loss.item()
        finite = math.isfinite(value) and all_finite([parameter.grad for parameter in self.parameters])
        if (self.count == self._next_heard or not finite) and self.listeners:
            update = Update(self.count, value, self.parameters)
            for listener in self.listeners:
                if not finite or listener.next_update(self.count - 1) == self.count:
                    listener.on_update(update)
            self._next_heard = min(listener.next_update(self.count) for listener in self.listeners)
        return not finite or self.stop is not None
