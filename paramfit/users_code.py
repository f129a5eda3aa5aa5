"""Where in a person's own file an error arose."""

import inspect
import sysconfig
import traceback
from pathlib import Path
from typing import NamedTuple

__all__ = ["Place", "place_in_users_code", "place_of"]

_OURS = Path(__file__).resolve().parent
_LIBRARIES = {Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib", "purelib", "platlib")}
_LIBRARY_FOLDERS = {"site-packages", "dist-packages"}


class Place(NamedTuple):
    """A line of a file, and the function that it is in."""

    file: str
    line: int
    function: str

    def __str__(self) -> str:
        """As editors and terminals take it."""
        return f"{self.file}:{self.line}"


def place_in_users_code(error: BaseException) -> Place | None:
    """The line of a person's own file that an error came from, whatever library it called; None where it was ours.

    Of a file that is no Python it is the line that cannot be read.
    """
    if isinstance(error, SyntaxError) and error.filename and not _is_library(Path(error.filename)):
        return Place(error.filename, error.lineno or 1, "<module>")
    # The outermost frame is of who catches the error: what called us, and was not called.
    for frame in reversed(traceback.extract_tb(error.__traceback__)[1:]):
        path = Path(frame.filename)
        if _is_library(path) or not path.is_file():  # compiled modules name files that are elsewhere
            continue
        return None if path.resolve().is_relative_to(_OURS) else Place(frame.filename, frame.lineno or 1, frame.name)
    return None


def place_of(kind: type) -> Place | None:
    """Where a person's own class begins; None for one of ours or of a library, or whose source is nowhere."""
    try:
        file, (_, line) = inspect.getsourcefile(kind), inspect.getsourcelines(kind)
    except (OSError, TypeError):
        return None
    if file is None or _is_library(Path(file)) or Path(file).resolve().is_relative_to(_OURS):
        return None
    return Place(file, line, kind.__name__)


def _is_library(path: Path) -> bool:
    return not _LIBRARY_FOLDERS.isdisjoint(path.parts) or any(map(path.resolve().is_relative_to, _LIBRARIES))
