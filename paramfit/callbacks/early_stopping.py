"""Stopping when held-out observations no longer gain."""

import math
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import EarlyStopping

from paramfit.callbacks.run import data_of, task_of
from paramfit.errors import InputError
from paramfit.facts import Fact, FactKind, Number, Status, Stop

__all__ = ["FitEarlyStopping"]


class FitEarlyStopping(EarlyStopping):
    """Lightning's early stopping, off until a patience is given, with its traps mended.

    The patience is the configured one after a resume too; ``min_epochs`` does not hold a stop back; a monitored metric
    that will never come is refused at the start; the message names value, threshold and consequence; and a metric that
    is not finite is left to the divergence detection.

    Args:
        monitor: the metric, checked after each validation.
        patience: how many validations in a row may pass without improvement; ``null``: no early stopping.
        min_delta: how much lower (or higher) a metric must be to count as an improvement.
        mode: ``min`` or ``max``.

    Raises:
        InputError: for a patience below 1, another mode, or (when the fit starts) ``val/...`` monitored without
            validation data.
    """

    def __init__(
        self, monitor: str = "val/loss", patience: int | None = None, min_delta: float = 0.0, mode: str = "min"
    ) -> None:
        if patience is not None and patience < 1:
            raise InputError(f"early_stopping.patience: expected at least 1 validation, or null, but got {patience}")
        if mode not in {"min", "max"}:
            raise InputError(f"early_stopping.mode: expected min or max, but got {mode!r}")
        super().__init__(
            monitor, min_delta, patience or 1, mode=mode, check_finite=False, check_on_train_epoch_end=False
        )
        self.enabled = patience is not None
        self._value = math.nan  # of the metric, at the last validation

    @property
    def reads_metrics(self) -> bool:
        """Whether it looks at what training steps log."""
        return self.enabled and not self.monitor.startswith("val/")

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Refuse to wait for a metric that will never come."""
        data = data_of(trainer)
        if self.enabled and data is not None and not data.validation.n:
            raise InputError(
                f"early_stopping.monitor: {self.monitor} needs validation data, but no row is held out; give"
                " --data.validation_fraction 0.2, or leave --early_stopping.patience out"
            )

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop a resumed fit at once where it had stopped: it ends with the same estimates."""
        if self.enabled and self.wait_count >= self.patience:
            self._stop(pl_module)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Check the metric, and say why the fit stops."""
        if not self.enabled or trainer.state.fn != "fit" or trainer.sanity_checking:
            return
        value = trainer.callback_metrics.get(self.monitor)
        if value is None:
            metrics = ", ".join(sorted(trainer.callback_metrics)) or "none"
            raise InputError(f"early_stopping.monitor: there is no metric {self.monitor}; there are: {metrics}")
        if not bool(torch.isfinite(value)):
            return
        self._value = value.item()
        should_stop, _ = self._evaluate_stopping_criteria(value)
        if should_stop:
            self._stop(pl_module)

    def _stop(self, module: LightningModule) -> None:
        numbers: dict[str, Number] = {
            "monitor": self.monitor,
            "value": self._value,
            "best": self.best_score.item(),
            "min_delta": self.min_delta,
            "validations": self.wait_count,
            "patience": self.patience,
        }
        task_of(module).request_stop(Stop(Status.STOPPED_EARLY, Fact(FactKind.NO_IMPROVEMENT, numbers=numbers)))

    def state_dict(self) -> dict[str, Any]:
        """What counts, and the metric's last value."""
        return {**super().state_dict(), "value": self._value}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on counting, with the configured patience."""
        super().load_state_dict({**state_dict, "patience": self.patience})
        self._value = state_dict.get("value", math.nan)
