"""The directory that a run makes for itself."""

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

__all__ = ["RunFolder"]

_ATTEMPTS = 100  # another run that was alone in a folder above may remove it just now
_RESULTS = ("checkpoints/*.ckpt", "estimates.json")


@dataclass(frozen=True)
class RunFolder:
    """A run directory that this process has made, and the folders above it that it has made for it.

    Attributes:
        path: of the directory.
        above: the folders, innermost first.
    """

    path: Path
    above: tuple[Path, ...]

    @classmethod
    def made(cls, path: Path) -> "RunFolder | None":
        """Make the directory; None where there is something of that name: of two processes, one has made it.

        Raises:
            OSError: if it cannot be made.
        """
        above: list[Path] = []
        for attempt in count(1):
            try:
                path.mkdir()
            except FileExistsError:
                return None
            except FileNotFoundError:
                if attempt == _ATTEMPTS:
                    raise
                _make_parents(path, above)
            else:
                break
        return cls(path, tuple(above))

    def remove(self) -> None:
        """Remove the directory and the folders made for it, unless it holds a checkpoint or a result."""
        if any(any(self.path.glob(pattern)) for pattern in _RESULTS):
            return
        with suppress(OSError):  # a disk that fails; or another run is in a folder above
            shutil.rmtree(self.path)
            for folder in self.above:
                folder.rmdir()


def _make_parents(path: Path, made: list[Path]) -> None:
    """Make the folders that are missing above a path, and put them in front of ``made``."""
    missing = [folder for folder in path.parents if not os.path.lexists(folder)]
    for folder in reversed(missing):
        with suppress(FileExistsError, FileNotFoundError):
            folder.mkdir()
            made.insert(0, folder)
