"""What is compared, saved and restored by its fields."""

from collections.abc import Callable
from dataclasses import fields
from enum import Enum
from typing import Any, ClassVar, Generic, Self, TypeVar, overload

import numpy as np
import torch
from torch import Tensor

from paramfit.errors import InputError

__all__ = ["Value", "as_plain", "derived", "from_plain"]

_KIND = "kind"

T = TypeVar("T")


class derived(Generic[T]):  # a decorator, as property is
    """A property that is computed at its first reading: ``functools.cached_property`` without Python 3.11's lock.

    The lock takes longer than what most properties of a solver's state compute.
    """

    def __init__(self, function: Callable[[Any], T]) -> None:
        self._function = function
        self.__doc__ = function.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        """Learn under which name the value is kept."""
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> "derived[T]": ...

    @overload
    def __get__(self, instance: object, owner: type) -> T: ...

    def __get__(self, instance: object | None, owner: type) -> "derived[T] | T":
        """The value; kept where Python looks before it asks a descriptor that cannot be set."""
        if instance is None:
            return self
        value = instance.__dict__[self._name] = self._function(instance)
        return value


class Value:
    """Base of frozen dataclasses (``eq=False``) that hold arrays: equal where their fields are, bit for bit."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    def changed(self, **values: Any) -> Self:
        """The same with other values: what ``dataclasses.replace`` gives, in a fraction of its time."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__, **values)
        for derived in other.__dict__.keys() - self.__dataclass_fields__.keys():  # cached of the former
            del other.__dict__[derived]
        return other

    def __eq__(self, other: object) -> bool:
        """Whether the other is of the same class with the same fields; NaN is equal to NaN."""
        return type(self) is type(other) and _equal(as_plain(self), as_plain(other))

    __hash__ = None  # type: ignore[assignment]  # arrays have none


def as_plain(value: Any) -> Any:
    """A value as dictionaries, tuples, numbers and tensors, which a checkpoint can hold (``weights_only``)."""
    if hasattr(value, "__dataclass_fields__"):
        plain = {field.name: as_plain(getattr(value, field.name)) for field in fields(value)}
        return {_KIND: type(value).__name__, **plain}
    if isinstance(value, Enum):
        return {_KIND: type(value).__name__, "value": value.value}
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value.copy())
    return tuple(map(as_plain, value)) if isinstance(value, tuple | list) else value


def from_plain(plain: Any, kinds: tuple[type, ...]) -> Any:
    """The value that ``as_plain`` was given; an InputError for dataclasses and enums other than these kinds."""
    if isinstance(plain, dict):
        named = {kind.__name__: kind for kind in kinds}
        kind = named.get(plain.get(_KIND, ""))
        if kind is None:
            raise InputError(
                "ckpt_path: the checkpoint holds a solver of another version of paramfit; start anew without it"
            )
        return kind(**{name: from_plain(part, kinds) for name, part in plain.items() if name != _KIND})
    if isinstance(plain, Tensor):
        return plain.numpy().copy()
    return tuple(from_plain(part, kinds) for part in plain) if isinstance(plain, tuple | list) else plain


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_equal(one[name], other[name]) for name in one)
    if isinstance(one, tuple):
        return isinstance(other, tuple) and len(one) == len(other) and all(map(_equal, one, other))
    if isinstance(one, Tensor):
        floats = one.is_floating_point()
        return isinstance(other, Tensor) and np.array_equal(one.numpy(), other.numpy(), equal_nan=floats)
    return bool(one == other or (one != one and other != other))  # NaN alone is not equal to itself
