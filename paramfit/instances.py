"""Parts that have to be made already, where it is easy to give their class or another library's."""

import inspect
from typing import Any

from paramfit.errors import InputError

__all__ = ["check_instance"]


def check_instance(option: str, given: Any, kind: type, example: str) -> None:
    """Refuse what is no instance of a kind, and say what to write.

    Args:
        option: what it was given for.
        given: as the user gave it.
        kind: what it has to be one of.
        example: code that makes one.

    Raises:
        InputError: naming both, with the call that makes one of a class.

    Example:
        >>> check_instance("objective", dict, dict, "dict()")
        Traceback (most recent call last):
        paramfit.errors.InputError: objective: dict is a class; give one that is made of it, dict()
    """
    if isinstance(given, kind):
        return
    name = (given if inspect.isclass(given) else type(given)).__name__
    if inspect.isclass(given) and issubclass(given, kind):
        raise InputError(f"{option}: {name} is a class; give one that is made of it, {name}({_needed(given)})")
    what = f"the class {name}" if inspect.isclass(given) else f"one of {name}"
    raise InputError(f"{option}: expected an instance of {kind.__name__}, such as {example}, but got {what}")


def _needed(kind: type) -> str:
    """That a class needs arguments, as dots; nothing where it needs none, or does not say."""
    try:
        parameters = inspect.signature(kind).parameters.values()
    except (TypeError, ValueError):
        return ""
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    needs = any(each.default is inspect.Parameter.empty and each.kind not in variadic for each in parameters)
    return "..." if needs else ""
