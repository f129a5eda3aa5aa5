"""Files that are whole or not there, whoever is killed while writing them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import chain, count
from pathlib import Path
from typing import BinaryIO

try:
    from fcntl import LOCK_EX, LOCK_NB, flock
except ImportError:  # a system without it, such as Windows
    HAS_LOCKS = False
else:
    HAS_LOCKS = True

__all__ = ["new_file", "remove_unfinished", "whole_file"]

#: What a run directory may hold unfinished: all that paramfit writes there under a name of its own.
_UNFINISHED = (
    "config.yaml.part",
    "hparams.yaml.part",
    "estimates.json.part",
    "*.pt2.part",
    "predictions*.csv.part",
    "predictions*.parquet.part",
    "checkpoints/*.ckpt.part",
    "figures/*.png.part",
    "figures/*.gif.part",
)


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Write a file beside its target; it gets its name when it is on the disk, and is removed where writing fails.

    Folders that are missing are made. The unfinished file has the target's name with ``.part`` behind it, and is
    locked: another process that writes the same target waits, and what a killed one has left is written over.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = None
    while file is None:
        file = _locked(_unfinished(path), wait=True)
    with _finished(file, path):
        yield file


@contextmanager
def new_file(path: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """As ``whole_file``, but what is there, or is being written, is kept: the new file is then ``name_1``, and so on.

    Gives the file and the path that it will have.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for free in chain([path], (path.with_stem(f"{path.stem}_{number}") for number in count(1))):
        if os.path.lexists(free):
            continue
        file = _locked(_unfinished(free), wait=False)
        if file is None:
            continue
        if os.path.lexists(free):  # finished by another between the look and the lock
            with file:
                _unfinished(free).unlink()
            continue
        with _finished(file, free):
            yield file, free
        return


def remove_unfinished(run_directory: Path) -> None:
    """Remove what killed processes have left unfinished in a run directory; what is still being written stays."""
    for pattern in _UNFINISHED if HAS_LOCKS else ():
        for unfinished in run_directory.glob(pattern):
            with suppress(OSError), unfinished.open("r+b") as file:
                flock(file, LOCK_EX | LOCK_NB)
                unfinished.unlink()


def _unfinished(path: Path) -> Path:
    return path.with_name(f"{path.name}.part")


def _locked(unfinished: Path, *, wait: bool) -> BinaryIO | None:
    """The unfinished file, empty; None where another process has it, or finished it before it could be locked."""
    file = os.fdopen(os.open(unfinished, os.O_RDWR | os.O_CREAT, 0o666), "r+b")
    with suppress(OSError):  # a file system that has no locks
        try:
            if HAS_LOCKS:
                flock(file, LOCK_EX if wait else LOCK_EX | LOCK_NB)
            is_ours = os.path.samestat(os.fstat(file.fileno()), unfinished.stat())
        except (BlockingIOError, FileNotFoundError):
            is_ours = False
        if not is_ours:
            file.close()
            return None
    file.truncate()
    return file


@contextmanager
def _finished(file: BinaryIO, path: Path) -> Iterator[None]:
    """Flush the file to the disk after it was written and give it its name, or remove it."""
    unfinished = _unfinished(path)
    with file:
        try:
            yield
            file.flush()
            os.fsync(file.fileno())
            if not HAS_LOCKS:
                file.close()  # such a system renames no open file
            os.replace(unfinished, path)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise
