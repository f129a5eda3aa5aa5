"""Many updates within one training step."""

from collections.abc import Callable
from functools import cache
from typing import Any, cast

import torch
from torch.optim import Optimizer

from paramfit.errors import InputError
from paramfit.optimizers.gradient_descent import GradientDescent

__all__ = ["BlockOptimizer"]


@cache
def _named_after(inner: Any, block: Any) -> Any:
    """The class of blocks by the name of the optimizer in them, by which Lightning calls learning rates: ``lr-SGD``."""

    class NamedBlock(block):  # type: ignore[misc]  # a class that is a variable
        __doc__ = block.__doc__

    # Its qualified name stays that of a local class, by which nobody looks for an optimizer.
    NamedBlock.__name__ = inner.__name__
    return NamedBlock


class BlockOptimizer(Optimizer):
    """Any optimizer, making ``updates_per_step`` updates in each ``step(closure)``.

    Lightning's cost is paid once for a step: a block of 100 updates pays a hundredth of it for each.

    Args:
        inner: the optimizer that makes the updates; its parameter groups and state are shared, not copied.
        updates_per_step: how many updates a block has, at least 1.
        after_update: called with the loss before each update, after it; a block ends early where it returns True.

    Raises:
        InputError: if a block has less than one update, or (in a step) if the inner optimizer returns no loss.
    """

    def __init__(
        self, inner: Optimizer, updates_per_step: int = 1, after_update: Callable[[Any], bool] | None = None
    ) -> None:
        if updates_per_step < 1:
            raise InputError(f"updates_per_step: a block has at least one update, but got {updates_per_step}")
        self.__class__ = _named_after(cast("Any", type(inner)), cast("Any", type(self)))
        for group in inner.param_groups:
            group["updates_per_step"] = updates_per_step
        super().__init__(inner.param_groups, inner.defaults)
        self.inner = inner
        self.updates_per_step = updates_per_step
        self.after_update = after_update
        self._later: Callable[[], Any] | None = None
        self._share()

    def _share(self) -> None:
        self.state = self.inner.state
        self.param_groups = self.inner.param_groups

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the inner optimizer and share what it restored."""
        self.inner.load_state_dict(state_dict)
        self._share()

    def run(self, closure: Callable[[], Any], step: Callable[[], Any]) -> Any:
        """Make one block by a ``step()`` that brings a closure of its own, such as a ``LightningOptimizer``'s.

        That one, with the hooks Lightning wraps around it, makes the block's first update; ``closure``, which computes
        the same without them, makes all later ones.

        Returns:
            The loss before the block's last update.
        """
        self._later = closure
        try:
            return step()
        finally:
            self._later = None

    @torch.no_grad()
    def step(self, closure: Callable[[], Any]) -> Any:  # type: ignore[override]  # a block cannot do without closure
        """Make one block of updates.

        Args:
            closure: fills the gradients and returns the loss.

        Returns:
            The loss before the block's last update.
        """
        first = torch.enable_grad()(closure)
        later = first if self._later is None else self._later
        update = self.inner.update if isinstance(self.inner, GradientDescent) else self.inner.step
        loss = None
        for number in range(self.updates_per_step):
            loss = update(later if number else first)
            if loss is None:
                raise InputError(
                    f"model.optimizer: {type(self.inner).__name__}.step returned no loss; end it with return loss,"
                    " which the closure gave"
                )
            if self.after_update is not None and self.after_update(loss):
                break
        return loss
