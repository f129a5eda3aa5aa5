"""Names that a variable or a parameter can have."""

import keyword
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from torch import nn

from paramfit.errors import InputError

__all__ = ["as_names", "check_names", "code_names", "is_name"]


def as_names(place: str, given: Iterable[Any]) -> tuple[Any, ...]:
    """Names as Python reads them, which takes two spellings of the same letter for one (NFKC).

    What is no text among them is left to ``check_names``; the message calls ``place`` what is named.

    Raises:
        InputError: for one name instead of a list.
    """
    if isinstance(given, str):
        raise InputError(f"{place}: expected a list of names, but got {given!r}; write [{given}]")
    return tuple(unicodedata.normalize("NFKC", name) if isinstance(name, str) else name for name in given)


def check_names(model: nn.Module, variables: Sequence[str], parameters: Sequence[str]) -> None:
    """Refuse a name that cannot stand in a formula or a module: the parameters will be attributes of the model.

    Names that a library knows, and words of Python's, are names like all others.

    Raises:
        InputError: for the first such name; the message says what is wrong with it.
    """
    if not parameters:
        raise InputError("parameters: there is none, so that there is nothing to estimate")
    for place, names in (("variables", variables), ("parameters", parameters)):
        for name in names:
            if reason := _reason(name):
                raise InputError(f"{place}: {name!r} {reason}; choose another name")
        if twice := [name for number, name in enumerate(names) if name in names[:number]]:
            raise InputError(f"{place}: {twice[0]} is there twice")
    for name in parameters:
        if name in variables:
            raise InputError(f"parameters.{name}: it is a variable as well; choose another name for one of them")
        if hasattr(model, name):
            raise InputError(f"parameters.{name}: every model has something of this name already; choose another name")


def is_name(name: str) -> bool:
    """Whether a variable or a parameter can be called so."""
    return _reason(name) is None


def code_names(names: Collection[str], taken: Collection[str] = ()) -> dict[str, str]:
    """What each name can be called in Python code: itself, unless it is a word of Python's or means something there.

    Args:
        names: of variables and parameters.
        taken: what the code has already.

    Example:
        >>> code_names(["lambda", "x", "np"], ["np"])
        {'lambda': 'lambda_', 'x': 'x', 'np': 'np_'}
    """
    spelt: dict[str, str] = {}
    for name in names:
        word = name
        while keyword.iskeyword(word) or word in taken or word in spelt.values() or (word != name and word in names):
            word += "_"
        spelt[name] = word
    return spelt


def _reason(name: str) -> str | None:
    if not isinstance(name, str) or not name.isidentifier():
        return "is not a name: letters, digits and underscores, no digit first"
    return "begins with an underscore" if name.startswith("_") else None
