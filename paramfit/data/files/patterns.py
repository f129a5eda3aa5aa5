"""Which files a path or a pattern means."""

import glob
import os
from collections.abc import Iterator, Sequence

from paramfit.data.files.reader import is_table
from paramfit.errors import InputError
from paramfit.wording import nearest_names, printable

__all__ = ["table_file", "table_files"]

_ANY_DEPTH = "**"


def table_file(pattern: str, option: str) -> str:
    """The one file that is meant by a pattern; messages name the ``option`` that it was given to.

    Raises:
        InputError: as ``table_files``, and if there are several.
    """
    files = table_files(pattern, option)
    if len(files) > 1:
        raise InputError(f"{option}: {len(files)} files match {printable(pattern)}; give one of them")
    return files[0]


def table_files(patterns: str | Sequence[str], option: str = "path") -> list[str]:
    """The files that are meant, in the order of the patterns, those of one pattern sorted by name.

    A pattern is a path or a glob such as ``data/**/*.csv`` (``**``: any depth of folders). A file that has exactly this
    name is meant even where the name looks like a pattern; ``~`` is the home folder. Messages name the ``option``.

    Raises:
        InputError: if nothing is there, if it is a folder, or if a file is meant twice.
    """
    given = [patterns] if isinstance(patterns, str | os.PathLike) else list(patterns)
    if not given:
        raise InputError(f"{option}: give at least one file")
    files = [file for pattern in given for file in _meant(os.path.expanduser(os.fspath(pattern)), option)]
    real_paths: set[str] = set()
    for file in files:
        if os.path.realpath(file) in real_paths:
            msg = f"{option}: {printable(file)} is meant twice, and its rows would count double; name it once"
            raise InputError(msg)
        real_paths.add(os.path.realpath(file))
    return files


def _meant(pattern: str, option: str) -> list[str]:
    if os.path.isdir(pattern):
        inside = os.path.join(pattern, "*.csv")
        msg = f"{option}: {printable(pattern)} is a folder; name a file, or a pattern such as {printable(inside)}"
        raise InputError(msg)
    if os.path.isfile(pattern):
        return [pattern]
    if os.path.exists(pattern):
        raise InputError(f"{option}: {printable(pattern)} is not a regular file")
    if glob.has_magic(pattern):
        matching = sorted({file for file in _matching(pattern) if os.path.isfile(file)})
        if matching:
            return matching
    raise InputError(f"{option}: {_absence(pattern)}")


def _matching(pattern: str) -> Iterator[str]:
    """What a glob matches; ``**`` looks into each real folder once, however many links lead to it."""
    parts = pattern.split(os.sep)
    if _ANY_DEPTH not in parts:
        yield from glob.iglob(pattern)
        return
    place = parts.index(_ANY_DEPTH)
    above, below = os.sep.join(parts[:place]), os.sep.join(parts[place + 1 :])
    visited: set[str] = set()
    for root in glob.iglob(above + os.sep) if place else [os.curdir]:
        for folder, inside, _ in os.walk(root, followlinks=True):
            real = os.path.realpath(folder)
            if real in visited:
                inside.clear()
                continue
            visited.add(real)
            inside[:] = sorted(name for name in inside if not name.startswith("."))
            start = "" if folder == os.curdir else os.path.join(os.path.normpath(folder), "")
            yield from _matching(glob.escape(start.removeprefix(os.curdir + os.sep)) + (below or "*"))


def _absence(pattern: str) -> str:
    """What is not there, and what is instead."""
    folder, name = os.path.split(pattern)
    what = "no file matches" if glob.has_magic(pattern) else "there is no file"
    if not os.path.isdir(folder or "."):
        return f"{what} {printable(pattern)}: there is no folder {printable(folder)}"
    files = (entry for entry in os.scandir(folder or ".") if os.path.isfile(entry.path))
    tables = sorted(entry.name for entry in files if is_table(entry.path))
    hint = nearest_names(name, tables) if tables else "the folder holds no table (CSV or Parquet)"
    return f"{what} {printable(pattern)}; {hint}"
