"""Checkpoints that are whole or not there, and read only as they were written."""

import hashlib
import io
import math
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.fabric.utilities.types import _PATH
from torch import Tensor

from paramfit.atomic_files import whole_file
from paramfit.errors import InputError
from paramfit.wording import printable

__all__ = ["AtomicCheckpointIO"]

_CHECKSUM = "paramfit_checksum"
_PARTS = {"paramfit", "state_dict", "loops"}
_MOST_SHARED = 10  # times over that a file's bytes may stand in its entries: a fit's own stand in two or three
_WIDTH = 120  # characters of torch's own complaint


class AtomicCheckpointIO(TorchCheckpointIO):
    """Write a checkpoint beside its target, flush it to the disk, and only then give it its name.

    A checksum over all entries goes with it, so that one that was damaged, or changed by another program, is not taken
    for the fit's own.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: _PATH, storage_options: Any | None = None) -> None:
        """Write the checkpoint whole or not at all."""
        content = io.BytesIO()  # torch makes an error of its own of a disk that is full
        torch.save({**checkpoint, _CHECKSUM: _checksum(checkpoint)}, content)
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
            _check_archive(path)
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as damage:  # whatever unpickling a damaged file raises: there is no common base
            first_line = (str(damage).strip().splitlines() or [type(damage).__name__])[0][:_WIDTH]
            raise InputError(f"ckpt_path: {name} is damaged or no checkpoint ({first_line})") from damage
        if not isinstance(checkpoint, dict) or not checkpoint.keys() >= _PARTS:
            raise InputError(
                f"ckpt_path: {name} was not made by paramfit; give a checkpoints/*.ckpt of one of its runs"
            )
        # A Trainer without this plugin, and earlier versions, write none.
        most = _MOST_SHARED * os.path.getsize(path)
        if _CHECKSUM in checkpoint and checkpoint.pop(_CHECKSUM) != _checksum(checkpoint, most):
            raise InputError(
                f"ckpt_path: {name} was changed after the fit wrote it: its entries do not match its checksum; give it"
                " as it was, or fit again"
            )
        return checkpoint


def _check_archive(path: _PATH) -> None:
    """Refuse an archive before it is unpacked: torch looks at no checksum, and writes none that is compressed."""
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        unpacked = sum(member.file_size for member in members)
        if unpacked > os.path.getsize(path) or any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise zipfile.BadZipFile(f"it would unpack to {unpacked} bytes")
        damaged = archive.testzip()
    if damaged is not None:
        raise zipfile.BadZipFile(f"the checksum of {damaged} is wrong")


def _checksum(entries: Mapping[str, Any], most: float = math.inf) -> str | None:
    """A digest of all entries: equal for equal values of equal types, wherever they are.

    None where the entries say more bytes than ``most``: lists that hold one another many times, or themselves, and
    tensors that repeat one number.
    """
    digest = hashlib.sha256()
    pending: list[Any] = [entries]
    while pending:  # no recursion: a file may nest deeper than Python's stack
        value = pending.pop()
        most -= value.nbytes if _has_bytes(value) else 1
        if most < 0:
            return None
        if isinstance(value, Tensor):
            digest.update(f"{value.dtype}{tuple(value.shape)}".encode())
            if _has_bytes(value):
                plain = value.detach().cpu().resolve_conj().resolve_neg().reshape(-1)
                digest.update(plain.contiguous().view(torch.uint8).numpy().tobytes())
        elif isinstance(value, Mapping):
            digest.update(f"mapping {len(value)}".encode())
            pending += [part for pair in value.items() for part in pair]
        elif isinstance(value, list | tuple):
            digest.update(f"{'tuple' if isinstance(value, tuple) else 'list'} {len(value)}".encode())
            pending += value
        else:
            digest.update(f"{type(value).__name__} {value!r};".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _has_bytes(value: Any) -> bool:
    """Whether it is a tensor with bytes; without elements it need not have strides to look at them by."""
    is_dense = isinstance(value, Tensor) and value.layout is torch.strided and not value.is_meta
    return is_dense and value.numel() > 0
