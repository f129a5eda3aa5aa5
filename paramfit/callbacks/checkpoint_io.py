"""Checkpoints that are whole or not there."""

import os
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.fabric.utilities.types import _PATH

from paramfit.errors import InputError

__all__ = ["AtomicCheckpointIO"]


class AtomicCheckpointIO(TorchCheckpointIO):
    """Write a checkpoint beside its target, flush it to the disk, and only then give it its name."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: _PATH, storage_options: Any | None = None) -> None:
        """Write the checkpoint whole or not at all."""
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_suffix(".ckpt.part")
        try:
            with unfinished.open("wb") as file:
                torch.save(checkpoint, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(unfinished, target)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise

    def load_checkpoint(self, path: _PATH, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Read a checkpoint of plain tensors and values; refuse a file that is missing, damaged or no checkpoint."""
        if not Path(path).is_file():
            raise InputError(f"ckpt_path: there is no file {path}")
        try:
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as damage:  # whatever unpickling a damaged file raises: there is no common base
            first_line = (str(damage).strip().splitlines() or [type(damage).__name__])[0][:120]
            raise InputError(f"ckpt_path: {path} is damaged or no checkpoint ({first_line})") from damage
        if not isinstance(checkpoint, dict) or not {"paramfit", "state_dict", "loops"} <= checkpoint.keys():
            raise InputError(
                f"ckpt_path: {path} was not made by paramfit; give a checkpoints/*.ckpt of one of its runs"
            )
        return checkpoint
