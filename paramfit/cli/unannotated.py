"""Functions of the user's where a part is wanted: one that makes it, and does not say so; one given like a class."""

import inspect
import re
import sys
from collections import abc
from collections.abc import Callable, Iterator, Mapping
from operator import attrgetter
from pkgutil import resolve_name
from typing import Any, get_args, get_origin, get_type_hints

from jsonargparse import Namespace
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

__all__ = ["UNTYPED_FUNCTION", "annotated", "function_at", "functions_given_as_classes", "without_class_path"]

UNTYPED_FUNCTION = re.compile(r"Expected '(\S+)' to be a function that returns (?:<class '|Union\[)?(\w+)")
"""How the parser refuses a function: its path, and what it should say that it returns."""

_RETURNED: dict[str, type] = {"Optimizer": Optimizer, "LRScheduler": LRScheduler}


def annotated(refusal: Exception) -> bool:
    """Whether the parser has refused a function because it says nothing, and now takes it.

    The parser asks of a function what its signature returns. One that says nothing is taken at its option's word, and
    what it gives is looked at when it is called.
    """
    innermost: BaseException = refusal
    while innermost.__cause__ or innermost.__context__:
        innermost = innermost.__cause__ or innermost.__context__  # type: ignore[assignment]  # one of them is there
    match = UNTYPED_FUNCTION.search(str(innermost))
    if match is None or match[2] not in _RETURNED:
        return False
    function = resolve_name(match[1])  # which the parser has imported
    try:
        signature = inspect.signature(function)
        if signature.return_annotation is not inspect.Signature.empty:
            return False
        function.__signature__ = signature.replace(return_annotation=_RETURNED[match[2]])
    except (ValueError, TypeError, AttributeError):  # of a function that is not written in Python, or takes no mark
        return False
    return True


def function_at(path: str) -> Callable[..., Any] | None:
    """The function that a path leads to; None where it leads to a class, or nowhere."""
    part = _imported(path)
    return part if callable(part) and not inspect.isclass(part) else None


def functions_given_as_classes(options: object, place: str = "") -> Iterator[tuple[str, str]]:
    """Each option that is called with arguments of ours and was given a function as a ``class_path``, with that path.

    The parser takes such a function for a class, and would call it before there is anything to call it with.
    """
    if isinstance(options, list):
        for entry in options:
            yield from functions_given_as_classes(entry, place)
        return
    if not isinstance(options, Namespace | Mapping):
        return
    entries = vars(options) if isinstance(options, Namespace) else options
    path, inside = entries.get("class_path"), entries.get("init_args") or {}
    if not isinstance(path, str) or not isinstance(inside, Namespace | Mapping):
        for name, value in entries.items():
            yield from functions_given_as_classes(value, f"{place}.{name}" if place else name)
        return
    called = _called(path)
    for name, value in (vars(inside) if isinstance(inside, Namespace) else inside).items():
        given = value.get("class_path") if isinstance(value, Namespace | Mapping) else None
        if name in called and isinstance(given, str) and function_at(given) is not None:
            yield f"{place}.{name}", given
        else:
            yield from functions_given_as_classes(value, f"{place}.{name}")


def without_class_path(option: str, path: str) -> str:
    """What to write for a function that was given as a class."""
    return f"{option}: {path} is a function, which stands without class_path and options; give --{option} {path}"


def _called(owner: str) -> set[str]:
    """The arguments of a class, or of what it hands arguments on to, that are functions by their types."""
    kind = _imported(owner)
    hints: dict[str, Any] = {}
    for each in reversed(inspect.getmro(kind)) if inspect.isclass(kind) else [kind]:
        try:
            hints |= get_type_hints(vars(each)["__init__"] if inspect.isclass(each) else each)
        except (KeyError, NameError, TypeError, AttributeError):  # it has none of its own, or they cannot be read
            continue
    return {
        name
        for name, hint in hints.items()
        if any(get_origin(each) is abc.Callable for each in (hint, *get_args(hint)))
    }


def _imported(path: str) -> Any:
    """What a path leads to in the modules that the parser has imported; None where that is nothing."""
    module, _, name = path.rpartition(".")
    while module and module not in sys.modules:
        module, _, outer = module.rpartition(".")
        name = f"{outer}.{name}"
    try:
        return attrgetter(name)(sys.modules[module])
    except (KeyError, AttributeError):
        return None
