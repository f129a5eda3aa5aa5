"""Checkpoints that are whole or not there, and read only as they were written."""

import hashlib
import io
import os
import re
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.fabric.utilities.types import _PATH

from paramfit.atomic_files import whole_file
from paramfit.errors import InputError
from paramfit.wording import printable

__all__ = ["AtomicCheckpointIO"]

_PARTS = {"paramfit", "state_dict", "loops"}
_DIGEST = 64  # hexadecimal digits of SHA-256
_AT_ONCE = 2**20  # bytes


class AtomicCheckpointIO(TorchCheckpointIO):
    """Write a checkpoint beside its target, flush it to the disk, and only then give it its name.

    A digest of all its bytes ends the file. Without the right one nothing of it is unpacked: a file that was damaged,
    or changed by another program, is not taken for the fit's own.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: _PATH, storage_options: Any | None = None) -> None:
        """Write the checkpoint whole or not at all."""
        content = io.BytesIO()  # torch makes an error of its own of a disk that is full
        torch.save(checkpoint, content)
        _seal(content)
        with whole_file(Path(path)) as file:
            file.write(content.getbuffer())

    def load_checkpoint(self, path: _PATH, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Read a checkpoint of plain tensors and values.

        Raises:
            InputError: for a file that is missing, damaged, no checkpoint, or not as paramfit wrote it.
        """
        name = printable(os.fspath(path))
        if not os.path.isfile(path):
            raise InputError(f"ckpt_path: there is no file {name}")
        try:
            is_sealed = _is_sealed(path)
        except OSError as unread:
            raise InputError(f"ckpt_path: {name} cannot be read ({unread.strerror})") from unread
        if not is_sealed:
            raise InputError(
                f"ckpt_path: {name} is damaged or no checkpoint of this version of paramfit: its bytes do not match a"
                " checksum at its end; give a checkpoints/*.ckpt as its run wrote it (a Trainer of your own needs"
                " plugins=[paramfit.callbacks.AtomicCheckpointIO()]), or fit again"
            )
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        if not isinstance(checkpoint, dict) or not checkpoint.keys() >= _PARTS:
            raise InputError(
                f"ckpt_path: {name} was not made by paramfit; give a checkpoints/*.ckpt of one of its runs"
            )
        return checkpoint


def _seal(archive: io.BytesIO) -> None:
    """Let a digest of all bytes before it end a ZIP archive, as the comment that may stand there."""
    archive.seek(-2, io.SEEK_END)  # the comment's length: torch writes none
    archive.write(_DIGEST.to_bytes(2, "little"))
    archive.write(hashlib.sha256(archive.getbuffer()).hexdigest().encode())


def _is_sealed(path: _PATH) -> bool:
    """Whether a file ends in the digest of what stands before it; looked at piece by piece, whatever its size."""
    with open(path, "rb") as file:
        left = file.seek(0, io.SEEK_END) - _DIGEST
        if left < 0:
            return False
        file.seek(left)
        stated = file.read()
        if not re.fullmatch(rb"[0-9a-f]{64}", stated):
            return False
        file.seek(0)
        digest = hashlib.sha256()
        while left > 0 and (piece := file.read(min(left, _AT_ONCE))):
            digest.update(piece)
            left -= len(piece)
    return stated == digest.hexdigest().encode()
