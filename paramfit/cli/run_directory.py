"""Leaving nothing behind where a run could not be."""

import os
import shutil
import traceback
from collections.abc import Sequence
from pathlib import Path

from lightning.pytorch.loggers import Logger

__all__ = ["raised_by_lightning", "remove_run"]


def remove_run(folder: Path, loggers: Sequence[Logger]) -> None:
    """Remove a run directory, and the folders above it that it was alone in."""
    for logger in loggers:
        logger.finalize("failed")
    shutil.rmtree(folder)
    _remove_if_empty(folder.parent, folder.parent.parent)


def raised_by_lightning(error: BaseException) -> bool:
    """Whether Lightning itself refused something: a Trainer option, or a callback of its own."""
    return f"{os.sep}lightning{os.sep}" in traceback.extract_tb(error.__traceback__)[-1].filename


def _remove_if_empty(*folders: Path) -> None:
    for folder in folders:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
