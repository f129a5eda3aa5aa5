"""What is said of a parameter before a fit: where it starts, between what bounds it stays, whether it is fitted."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor
from torch.distributions import biject_to, constraints
from torch.distributions.transforms import Transform

from paramfit.errors import InputError
from paramfit.synonyms import nearest_options

__all__ = ["ParameterSpec", "dtype_named"]

_INSIDE = 1e-3  # so far from its bound a smooth transform moves a start: small, and yet with a slope to go by


@dataclass(frozen=True)
class ParameterSpec:
    r"""A parameter as the user describes it, in one form for every model.

    Wherever a model takes a parameter, it takes a number (the start), a mapping with the fields below, or nothing
    where no start is needed: ``250``, ``{start: 5.0e-4, lower: 0, unit: 1/s}``, ``{start: 2, fixed: true}``.

    A solver (``paramfit.fit``, ``LeastSquares``, ``MaximumLikelihood`` with ``Newton``) keeps the bounds itself: the
    ``nn.Parameter`` is the value, a start on a bound is taken as it is, and an optimum on a bound is the bound. For any
    other optimizer they hold by a smooth transform: the ``nn.Parameter`` of a bounded parameter is an unconstrained
    number ``u``,

    .. math:: \theta = l + e^u, \qquad \theta = h - e^u, \qquad \theta = l + (h - l) / (1 + e^{-u})

    for a lower bound, an upper bound, or both (``torch.distributions.biject_to``). There a start on a bound is moved
    inside: by a thousandth of the way to the other bound or, where there is none, of the bound's size (of 1, where that
    is less).

    Attributes:
        start: where the descent starts; None where the solver finds it.
        lower: the parameter is at least that; minus infinity is no bound.
        upper: the parameter is at most that; infinity is no bound.
        fixed: whether it keeps its start.
        unit: shown in the report.

    Raises:
        InputError: for a start or a bound that is not a number, bounds that leave no room, a start outside the
            bounds, or a fixed or bounded parameter without start.

    Example:
        >>> ParameterSpec.of("rate", {"start": 2.0, "lower": 0}).lower
        0.0
    """

    start: float | None = None
    lower: float | None = None
    upper: float | None = None
    fixed: bool = False
    unit: str | None = None

    def __post_init__(self) -> None:
        """Take an infinite bound as none."""
        if self.lower == -math.inf:
            object.__setattr__(self, "lower", None)
        if self.upper == math.inf:
            object.__setattr__(self, "upper", None)

    @classmethod
    def of(cls, name: str, given: Any) -> "ParameterSpec":
        """The parameter ``name`` as it was given: a number, a mapping, None, or a specification.

        Raises:
            InputError: if it cannot be one; the message names the parameter.
        """
        if isinstance(given, ParameterSpec):
            return given.checked(name)
        if given == "None":
            given = None  # what the command line makes of null
        if not isinstance(given, Mapping):
            spec = cls(start=None if given is None else _number(name, "start", given))
            return spec.checked(name)
        field_names = [field.name for field in fields(cls)]
        for key in given:
            if key not in field_names:
                raise InputError(f"parameters.{name}: there is no {key!r}; {nearest_options(str(key), field_names)}")
        fixed, unit = given.get("fixed", False), given.get("unit")
        if fixed in ("true", "false"):
            fixed = fixed == "true"  # from the command line
        if not isinstance(fixed, bool):
            raise InputError(f"parameters.{name}.fixed: expected true or false, but got {fixed!r}")
        numbers = {
            key: None if given.get(key) is None else _number(name, key, given[key], unbounded)
            for key, unbounded in (("start", None), ("lower", -math.inf), ("upper", math.inf))
        }
        return cls(**numbers, fixed=fixed, unit=unit).checked(name)

    def checked(self, name: str) -> "ParameterSpec":
        """This specification, if it is one that a fit can begin with.

        Raises:
            InputError: if not; the message names the parameter.
        """
        if self.unit is not None and not isinstance(self.unit, str):
            raise InputError(
                f"parameters.{name}.unit: expected text, but got {self.unit!r:.40}; put a unit such as '1' in quotes"
            )
        lower = -math.inf if self.lower is None else self.lower
        upper = math.inf if self.upper is None else self.upper
        if not lower < upper:
            raise InputError(f"parameters.{name}: no number lies between lower {lower:g} and upper {upper:g}")
        if self.start is None:
            if self.fixed or self.bounded:
                needs = (
                    "a fixed parameter needs one; give the value that it keeps"
                    if self.fixed
                    else f"a bounded parameter needs one; give a start between lower {lower:g} and upper {upper:g}"
                )
                raise InputError(f"parameters.{name}.start: {needs}")
            return self
        if not self.fixed and not lower <= self.start <= upper:
            raise InputError(
                f"parameters.{name}.start: {self.start:g} is outside its bounds (lower {lower:g}, upper {upper:g});"
                " give a start between them"
            )
        return self

    @property
    def bounded(self) -> bool:
        """Whether there is a bound that a fit has to keep."""
        return not self.fixed and (self.lower is not None or self.upper is not None)

    @property
    def box(self) -> tuple[float, float]:
        """Lower and upper bound of a parameter that is not fixed, infinite where there is none."""
        if self.fixed:
            return -math.inf, math.inf
        return -math.inf if self.lower is None else self.lower, math.inf if self.upper is None else self.upper

    @property
    def inner_start(self) -> float:
        """The start, or 0 where there is none; one on a bound is moved inside (see above)."""
        start = 0.0 if self.start is None else self.start
        lower, upper = self.box
        if lower < start < upper:
            return start
        way = upper - lower if math.isfinite(upper - lower) else max(abs(start), 1.0)
        return start + _INSIDE * way if start == lower else start - _INSIDE * way

    @property
    def transform(self) -> Transform | None:
        """From the unconstrained number to the parameter; None where there is no bound."""
        if not self.bounded:
            return None
        kinds: Any = constraints  # which torch leaves untyped
        if self.upper is None:
            allowed = kinds.greater_than(self.lower)
        elif self.lower is None:
            allowed = kinds.less_than(self.upper)
        else:
            allowed = kinds.interval(self.lower, self.upper)
        bijection: Transform = biject_to(allowed)
        return bijection

    def slope(self, unconstrained: Tensor) -> Tensor:
        """Derivative of the parameter by its unconstrained number, in its shape."""
        if not self.bounded:
            return torch.ones_like(unconstrained)
        if self.upper is None:
            return unconstrained.exp()
        if self.lower is None:
            return -unconstrained.exp()
        return (self.upper - self.lower) * unconstrained.sigmoid() * (-unconstrained).sigmoid()


def _number(name: str, key: str, given: Any, unbounded: float | None = None) -> float:
    """A finite number, or the infinity that stands for no bound."""
    try:
        value = math.nan if isinstance(given, bool) else float(given)
    except (TypeError, ValueError):
        value = math.nan
    if not math.isfinite(value) and value != unbounded:
        raise InputError(f"parameters.{name}.{key}: expected a finite number, but got {given!r}")
    return value


_PRECISIONS = {"float32": torch.float32, "float64": torch.float64}


def dtype_named(name: str | torch.dtype) -> torch.dtype:
    """The torch dtype called ``name``.

    Args:
        name: ``"float32"`` or ``"float64"`` (or the torch dtype itself).

    Raises:
        InputError: for any other name; estimates in half precision would mean nothing.

    Example:
        >>> dtype_named("float64")
        torch.float64
    """
    dtype = name if isinstance(name, torch.dtype) else _PRECISIONS.get(name)
    if dtype not in _PRECISIONS.values() or dtype is None:
        raise InputError(f"dtype: expected one of {', '.join(_PRECISIONS)}, but got {name!r}")
    return dtype
