"""Dataclasses as JSON and back: bit for bit, with the place of what cannot be read."""

import math
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import cache
from reprlib import Repr
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from paramfit.errors import InputError

__all__ = ["from_plain", "to_plain", "value_from"]

_NOT_FINITE = {str(value): value for value in (math.inf, -math.inf, math.nan)}
_WIDTH = 40


def to_plain(value: Any) -> Any:
    """Dictionaries, lists, numbers and text; numbers that are not finite as text, since JSON has none.

    Fields with ``metadata={"key": ...}`` go by that key; those with ``compare=False`` are left out, and so are fields
    of that description whose value is None.
    """
    if is_dataclass(value):
        return {
            _key(part): to_plain(getattr(value, part.name))
            for part in fields(value)
            if part.compare and not (part.metadata.get("optional") and getattr(value, part.name) is None)
        }
    if isinstance(value, Mapping):
        return {key: to_plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(inner) for inner in value]
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def from_plain(kind: Any, value: Any, place: str = "") -> Any:
    """The object of a type that ``to_plain`` has written.

    Raises:
        InputError: with words that follow the file's name: what is missing, or what cannot be.
    """
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        return _one_of(get_args(kind), value, place)
    if is_dataclass(kind):
        return _dataclass(kind, value, place)
    if origin is tuple:
        return _tuple(get_args(kind), value, place)
    if origin is not None:  # a mapping from names
        inner = get_args(kind)[1]
        _check(isinstance(value, dict), place, value)
        return {name: from_plain(inner, entry, _within(place, name)) for name, entry in value.items()}
    return value if kind is Any else _scalar(kind, value, place)


def value_from(source: Mapping[str, Any], key: str, kind: Any, place: str = "") -> Any:
    """What a mapping in a file has under a key, as ``from_plain`` reads it.

    Raises:
        InputError: if the key is missing, or its value cannot be.
    """
    if key not in source:
        raise InputError(f"has no {_within(place, key)}, as files of an older version have not")
    return from_plain(kind, source[key], _within(place, key))


def _one_of(kinds: tuple[Any, ...], value: Any, place: str) -> Any:
    """The first of a union's types that the value has; numbers before text, since some are written as text."""
    if value is None and NoneType in kinds:
        return None
    fitting = [kind for kind in kinds if kind is not NoneType and _may_be(kind, value)]
    _check(bool(fitting), place, value)
    return from_plain(fitting[0], value, place)


def _may_be(kind: Any, value: Any) -> bool:
    if is_dataclass(kind) or get_origin(kind) in (dict, Mapping, *_MAPPINGS):
        return isinstance(value, dict)
    if get_origin(kind) is tuple:
        return isinstance(value, list)
    if kind is float:
        return type(value) is float or (isinstance(value, str) and value in _NOT_FINITE)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return value in [member.value for member in kind]
    return type(value) is kind


_MAPPINGS = (get_origin(Mapping[str, int]),)


def _scalar(kind: Any, value: Any, place: str) -> Any:
    if kind is float:
        if isinstance(value, str) and value in _NOT_FINITE:
            return _NOT_FINITE[value]
        _check(isinstance(value, float) or (type(value) is int and abs(value) < 2**1023), place, value)
        return float(value)
    if issubclass(kind, Enum):
        _check(_may_be(kind, value), place, value)
        return kind(value)
    _check(type(value) is kind, place, value)
    return value


def _tuple(kinds: tuple[Any, ...], value: Any, place: str) -> tuple[Any, ...]:
    _check(isinstance(value, list), place, value)
    if kinds[-1] is ...:
        return tuple(from_plain(kinds[0], entry, f"{place}[{k}]") for k, entry in enumerate(value))
    _check(len(value) == len(kinds), place, value)
    return tuple(
        from_plain(kind, entry, f"{place}[{k}]") for k, (kind, entry) in enumerate(zip(kinds, value, strict=True))
    )


def _dataclass(kind: Any, value: Any, place: str) -> Any:
    _check(isinstance(value, dict), place, value)
    given = {}
    for name, key, hint, is_needed in _form(kind):
        if key in value or is_needed:
            given[name] = value_from(value, key, hint, place)
    return kind(**given)


@cache
def _form(kind: Any) -> tuple[tuple[str, str, Any, bool], ...]:
    """For each field its name, its key, its type, and whether a file must have it."""
    hints = get_type_hints(kind)
    return tuple(
        (part.name, _key(part), hints[part.name], part.default is MISSING and part.default_factory is MISSING)
        for part in fields(kind)
        if part.compare
    )


def _key(part: Any) -> str:
    key: str = part.metadata.get("key", part.name)
    return key


def _within(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name


def _check(holds: bool, place: str, value: Any) -> None:
    if not holds:
        shown = Repr()
        shown.maxstring = shown.maxother = _WIDTH
        raise InputError(f"says {shown.repr(value)} for {place}, which cannot be")
