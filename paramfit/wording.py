"""How names and values that the user gave are quoted in messages, and which known names are near."""

import unicodedata
from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["escaped", "nearest_names", "printable", "quoted", "visible"]

_WIDTH = 40  # characters of a name or a value in a message
_FEW = 8  # names that a message can list


def visible(text: str) -> str:
    r"""The text with every character that has no look of its own as the escape that Python writes for it.

    Such are line ends and other control characters, the escape that begins a terminal's commands, overrides of the
    direction of writing, spaces without width, and bytes that are no text. A terminal, a page, a tag or a figure then
    shows all of it on one line, and obeys none of it.

    Example:
        >>> visible("mg/l\x1b[31m")
        'mg/l\\x1b[31m'
    """
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() or unicodedata.category(letter) == "Zs" else escaped(letter) for letter in text
    )


def escaped(letter: str) -> str:
    """One character as the escape that Python writes for it."""
    return letter.encode("unicode_escape").decode("ascii")


def quoted(text: str) -> str:
    """The text in quotes, on one line, cut where it is long."""
    return repr(text if len(text) <= _WIDTH else text[: _WIDTH - 3] + "...")


def printable(text: str) -> str:
    """The text as it is, in quotes only where it would break the line of a message."""
    return text if text.isprintable() else repr(text)


def nearest_names(
    name: str, choices: Iterable[str], otherwise: str | None = None, *, most: int = 3, nearness: float = 0.6
) -> str:
    """What to suggest for a name that is not among the choices: the nearest of them, or all where none is near.

    Args:
        name: as the user wrote it.
        choices: the names that exist.
        otherwise: what to say where none is near, in place of all of them.
        most: how many are suggested.
        nearness: what counts as near, from 0 (anything) to 1 (the same): difflib's ratio.

    Example:
        >>> nearest_names("Time", ["time", "current"])
        "did you mean 'time'?"
    """
    by_folded = {candidate[:_WIDTH].casefold(): candidate for candidate in choices}
    near = get_close_matches(name[:_WIDTH].casefold(), by_folded, n=most, cutoff=nearness)
    if near:
        return f"did you mean {' or '.join(quoted(by_folded[folded]) for folded in near)}?"
    if otherwise is not None:
        return otherwise
    if not by_folded:
        return "there is none"
    names = list(by_folded.values())
    more = f" and {len(names) - _FEW} more" if len(names) > _FEW else ""
    return f"there are {', '.join(map(quoted, names[:_FEW]))}{more}"
