"""Many updates within one training step."""

from collections.abc import Callable
from typing import Any

import torch
from torch.optim import Optimizer

from paramfit.errors import InputError
from paramfit.optimizers.gradient_descent import GradientDescent

__all__ = ["BlockOptimizer"]


class BlockOptimizer(Optimizer):
    """Any optimizer, making ``updates_per_step`` updates in each ``step(closure)``.

    Lightning's cost is paid once for a step: a block of 100 updates pays a hundredth of it for each.

    Args:
        inner: the optimizer that makes the updates; its parameter groups and state are shared, not copied.
        updates_per_step: how many updates a block has, at least 1.
        after_update: called with the loss before each update, after it; a block ends early where it returns True.

    Raises:
        InputError: if a block has less than one update.
    """

    def __init__(
        self, inner: Optimizer, updates_per_step: int = 1, after_update: Callable[[Any], bool] | None = None
    ) -> None:
        if updates_per_step < 1:
            msg = f"updates_per_step: a block has at least one update, but got {updates_per_step}"
            raise InputError(msg)
        for group in inner.param_groups:
            group["updates_per_step"] = updates_per_step
        super().__init__(inner.param_groups, inner.defaults)
        self.inner = inner
        self.updates_per_step = updates_per_step
        self.after_update = after_update
        self._closure: Callable[[], Any] | None = None
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

        That closure, with the hooks Lightning wraps around it, is then called once for the block instead of once for
        each update, which calls ``closure``.

        Returns:
            The loss before the block's last update.
        """
        self._closure = closure
        try:
            return step()
        finally:
            self._closure = None

    @torch.no_grad()
    def step(self, closure: Callable[[], Any]) -> Any:  # type: ignore[override]  # a block cannot do without closure
        """Make one block of updates.

        Args:
            closure: fills the gradients and returns the loss.

        Returns:
            The loss before the block's last update.
        """
        if self._closure is not None:
            closure()
            closure = self._closure
        else:
            closure = torch.enable_grad()(closure)
        update = self.inner.update if isinstance(self.inner, GradientDescent) else self.inner.step
        loss = None
        for _ in range(self.updates_per_step):
            loss = update(closure)
            if self.after_update is not None and self.after_update(loss):
                break
        return loss
