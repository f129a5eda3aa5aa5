"""The one line that an end with exit code 2 leaves."""

import re
import sys

from paramfit.wording import visible

__all__ = ["one_line", "print_error", "print_warning"]

_LONGEST = 1000  # characters of a line, whatever the length of what the user gave


def one_line(text: str) -> str:
    """The text without line breaks and without more than one space in a row."""
    return " ".join(re.split(r"[ \t\r\n]+", text.strip()))


def print_error(message: str) -> None:
    """Print a message to standard error, to the letter, cut in its middle where it is long."""
    _print("error", message)


def print_warning(message: str) -> None:
    """The same, of what went well and is not what it seems."""
    _print("warning", message)


def _print(kind: str, message: str) -> None:
    line = visible(one_line(message))
    if len(line) > _LONGEST:
        line = f"{line[: _LONGEST // 2]} ... {line[-_LONGEST // 2 :]}"
    print(f"{kind}: {line}", file=sys.stderr, flush=True)
