"""Reading a configuration, and keeping it with the run."""

from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.cli import LightningArgumentParser, SaveConfigCallback

__all__ = ["ConfigFile", "ConfigParser"]


class ConfigParser(LightningArgumentParser):
    """A parser whose errors are exceptions, without fifty lines of usage before them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"exit_on_error": False, "allow_abbrev": False, **kwargs})


class ConfigFile(SaveConfigCallback):
    """``config.yaml`` in the run directory, written when nothing stands in the way of the first update any more."""

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Not yet: the checkpoint has not been read, the optimizer not been made."""

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Now."""
        if trainer.logger is not None and not getattr(trainer, "fast_dev_run", False):
            super().setup(trainer, pl_module, "fit")
