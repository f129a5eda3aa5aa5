"""Checkpoints that are whole or not there."""

import io
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.fabric.utilities.types import _PATH

from paramfit.atomic_files import whole_file
from paramfit.errors import InputError

__all__ = ["AtomicCheckpointIO"]


class AtomicCheckpointIO(TorchCheckpointIO):
    """Write a checkpoint beside its target, flush it to the disk, and only then give it its name."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: _PATH, storage_options: Any | None = None) -> None:
        """Write the checkpoint whole or not at all."""
        content = io.BytesIO()  # torch makes an error of its own of a disk that is full
        torch.save(checkpoint, content)
        with whole_file(Path(path)) as file:
            file.write(content.getbuffer())

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
