"""What a distribution's arguments may be: where they are outside, and how far inside."""

import math
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.distributions import ContinuousBernoulli, Distribution, MixtureSameFamily, constraints
from torch.distributions import distribution as distribution_module
from torch.distributions.utils import lazy_property

from paramfit.errors import InputError
from paramfit.facts import Fact, FactKind
from paramfit.shown.words import sentence

__all__ = [
    "OutsideDomain",
    "Room",
    "infinite_outside",
    "outside_fact",
    "outside_rows",
    "raised_by_distribution",
    "refuse_outside",
    "refuse_rows",
    "refused_fact",
    "rooms",
    "unchecked",
]


_OF_TORCH = Path(distribution_module.__file__).resolve().parent
_UNMOVED = "probabilities farther than a rounding of 1 from 0 and 1 (torch moves others there; give logits)"


class Room(NamedTuple):
    """How much room an argument has to one end of what it may be."""

    distribution: str  # name of its class
    argument: str
    value: Tensor  # (..., n), or (..., n, k) for k numbers a row
    end: Tensor  # which it must not pass, of a shape that broadcasts with it
    below: bool  # whether the end lies below
    trailing: int  # dimensions after that of the rows

    @property
    def slack(self) -> Tensor:
        """The distance to the end, negative beyond."""
        return self.value - self.end if self.below else self.end - self.value


class OutsideDomain(ValueError):
    """An argument has left what its distribution allows; ``fact`` has its name, its value and the row."""

    def __init__(self, fact: Fact) -> None:
        super().__init__(str(fact))
        self.fact = fact


class _Constrained(NamedTuple):
    """An argument with its constraint."""

    owner: Distribution
    name: str
    value: Tensor
    constraint: Any
    trailing: int


def rooms(distribution: Distribution) -> list[Room]:
    """The room of every argument to every end of its constraint, as far as ``arg_constraints`` tells one.

    The arguments of the components of a mixture, and of what is transformed or declared ``Independent``, are its own.
    Whole numbers have none, since they are not estimated.
    """
    made = []
    for owner, name, value, constraint, trailing in _constrained(distribution):
        base, trailing = _unwrapped(constraint, trailing)
        if _is_discrete(base):
            continue
        for end, below in zip(_ends(base), (True, False), strict=True):
            if end is not None:
                made.append(Room(type(owner).__name__, name, value, torch.as_tensor(end), below, trailing))
    return made


def infinite_outside(distribution: Distribution, losses: Tensor) -> Tensor:
    """The losses ``(..., n)``, infinite where an argument of the distribution is beyond an end of its constraint.

    An end itself belongs to it, whether torch counts it in or not: there the likelihood says whether it is finite.
    """
    kind: Any = type(distribution)
    plain = _plain_ends(kind)
    if plain is None:
        pairs = [(room.slack, room.trailing) for room in rooms(distribution)]
        masks = [_by_row(slack < 0, trailing) for slack, trailing in pairs]
    else:
        given = vars(distribution)
        masks = [
            value < end if below else value > end
            for name, end, below, lazy in plain
            if not lazy or name in given
            for value in (getattr(distribution, name),)
        ]
    for mask in masks:
        try:
            some = bool(mask.any())
        except RuntimeError:  # under vmap nothing may depend on a value
            some = True
        if some:
            losses = torch.where(mask, math.inf, losses)
    return losses


def outside_fact(
    distribution: Distribution,
    *,
    open_ends: bool = False,
    inputs: Sequence[Tensor] = (),
    among: Tensor | None = None,
) -> Fact | None:
    """The first argument that is outside its constraint, with its value and row; None where all are inside.

    The ``inputs`` ``(n,)`` of the row are told with it; of the rows only those ``among`` ``(n,)`` are looked at.

    With ``open_ends`` an end that torch does not count in is outside, and so is what is no whole number where it has
    to be one.
    """
    for owner, name, value, constraint, trailing in _constrained(distribution):
        base, trailing = _unwrapped(constraint, trailing)
        low, high = _ends(base)
        mask = torch.zeros(value.shape, dtype=torch.bool, device=value.device)
        if low is not None:
            mask = mask | (value < low)
        if high is not None:
            mask = mask | (value > high)
        if open_ends and not isinstance(base, type(constraints.simplex)):
            mask = mask | (~base.check(value) & ~value.isnan())
        moved = _moved(owner, name)
        if moved is not None:
            mask = mask | moved
        place = mask.ndim - 1 - trailing
        if among is not None and place >= 0 and mask.shape[place] == len(among):
            mask = mask & among.reshape(-1, *[1] * trailing)
        if not bool(mask.any()):
            continue
        first = mask.nonzero()[0]
        rows = _by_row(mask, trailing)
        row = int(first[place]) if place >= 0 and value.shape[place] > 1 else None
        return Fact(
            FactKind.OUTSIDE_DOMAIN,
            numbers={
                "argument": name,
                "value": value[tuple(first)].item(),
                "row": row,
                "inputs": () if row is None else tuple(column[row].item() for column in inputs),
                "rows": int(rows.sum()),
                "distribution": type(owner).__name__,
                "allowed": _in_words(base, low, high) if moved is None or not bool(moved.any()) else _UNMOVED,
            },
        )
    return None


def _moved(owner: Distribution, name: str) -> Tensor | None:
    """Where torch has put its nearest probability in place of one that it does not take; None where it never does."""
    if not isinstance(owner, ContinuousBernoulli) or name != "probs":
        return None
    eps = torch.finfo(owner.probs.dtype).eps
    return (owner.probs == eps) | (owner.probs == 1 - eps)


def refused_fact(error: BaseException, inputs: Sequence[Tensor] = ()) -> Fact | None:
    """The same of a distribution that checks its arguments itself, by the error that it raised."""
    trace = error.__traceback__
    while trace is not None:
        owner = trace.tb_frame.f_locals.get("self")
        if isinstance(owner, Distribution) and trace.tb_frame.f_code.co_name == "__init__":
            try:
                fact = outside_fact(owner, open_ends=True, inputs=inputs)
            except AttributeError:  # it is not made far enough
                fact = None
            if fact is not None:
                return fact
        trace = trace.tb_next
    return None


def raised_by_distribution(error: ValueError) -> bool:
    """Whether a distribution has refused what it was given, as against a ``ValueError`` of a model's or a rule's own.

    Torch refuses arguments of any distribution in a file of its own, and so does a class of the user's by
    ``super().__init__``; numbers that are none are refused too, and leave no fact.
    """
    if isinstance(error, OutsideDomain):
        return True
    files = [frame.f_code.co_filename for frame, _ in traceback.walk_tb(error.__traceback__)]
    return Path(files[-1]).resolve().is_relative_to(_OF_TORCH) or refused_fact(error) is not None


@contextmanager
def unchecked() -> Iterator[None]:
    """Distributions are made without torch's check of their arguments, which costs a message for each refusal."""
    before = Distribution._validate_args
    Distribution.set_default_validate_args(False)
    try:
        yield
    finally:
        Distribution.set_default_validate_args(before)


def refuse_outside(
    distribution: Distribution | ValueError, inputs: Sequence[Tensor] = (), among: Tensor | None = None
) -> None:
    """Refuse a start at which an argument is outside; of a distribution, or of the error with which it refuses itself.

    The ``inputs`` ``(n,)`` of the rows are named with the row; of a distribution only rows ``among`` ``(n,)`` count.

    Raises:
        InputError: naming argument, value and row.

    Example:
        >>> refuse_outside(torch.distributions.Poisson(torch.tensor([1.0, -2.0]), validate_args=False))
        Traceback (most recent call last):
        paramfit.errors.InputError: model: rate is -2 in row 1, outside what Poisson allows, ...
    """
    if isinstance(distribution, ValueError):
        fact = distribution.fact if isinstance(distribution, OutsideDomain) else refused_fact(distribution, inputs)
    else:
        fact = outside_fact(distribution, open_ends=True, inputs=inputs, among=among)
    if fact is not None:
        name = fact.numbers["argument"]
        raise InputError(
            f"model: {sentence(fact)}: no fit starts there; give starts with which {name} is inside, or a formula that"
            " stays inside, such as exp(...) for what is above 0"
        )


def refuse_rows(distribution: Distribution | ValueError, inputs: Sequence[Tensor] = ()) -> None:
    """Refuse rows for which a fitted model has no distribution, as ``refuse_outside`` does at a start.

    Raises:
        InputError: naming argument, value and row.
    """
    if isinstance(distribution, ValueError):
        fact = refused_fact(distribution, inputs)
    else:
        fact = outside_fact(distribution, inputs=inputs)
    if fact is not None:
        raise InputError(
            f"model: {sentence(fact)}: the fitted model has no distribution there; leave such rows out, or fit a"
            " formula that stays inside, such as exp(...) for what is above 0"
        )


def outside_rows(distribution: Distribution, n: int) -> Tensor:
    """In which of n rows an argument is outside, ``(n,)``."""
    return infinite_outside(distribution, torch.zeros(n)).isinf()


def _constrained(distribution: Distribution, trailing: int = 0) -> Iterator[_Constrained]:
    """The arguments that were given to a distribution and those within it."""
    if isinstance(distribution, MixtureSameFamily):
        yield from _constrained(distribution.mixture_distribution, trailing)
        yield from _constrained(distribution.component_distribution, trailing + 1)
        return
    try:
        own: Any = distribution.arg_constraints
    except NotImplementedError:
        own = {}
    if not own:
        base = getattr(distribution, "base_dist", None)
        if isinstance(base, Distribution):
            yield from _constrained(base, trailing + getattr(distribution, "reinterpreted_batch_ndims", 0))
        return
    for name, constraint in own.items():
        if _is_lazy(type(distribution), name) and name not in vars(distribution):
            continue  # computed from another argument when asked for
        value = getattr(distribution, name, None)
        is_dependent: Any = constraints.is_dependent  # which torch leaves untyped
        if isinstance(value, Tensor) and not is_dependent(constraint) and not _is_real(constraint):
            yield _Constrained(distribution, name, value, constraint, trailing)


def _is_lazy(kind: type[Distribution], name: str) -> bool:
    return isinstance(getattr(kind, name, None), lazy_property)


def _is_real(constraint: Any) -> bool:
    base, _ = _unwrapped(constraint, 0)
    return isinstance(base, type(constraints.real))


def _is_discrete(constraint: Any) -> bool:
    try:
        return bool(constraint.is_discrete)
    except NotImplementedError:
        return False


def _unwrapped(constraint: Any, trailing: int) -> tuple[Any, int]:
    """A constraint of single numbers, and how many dimensions of them belong to one row."""
    while isinstance(constraint, constraints.independent):
        trailing += constraint.reinterpreted_batch_ndims
        constraint = constraint.base_constraint
    return constraint, trailing + (1 if isinstance(constraint, type(constraints.simplex)) else 0)


def _ends(constraint: Any) -> tuple[Any, Any]:
    """The least and the largest that a number may be; None where there is no such end."""
    if isinstance(constraint, type(constraints.simplex)):
        return 0.0, None  # that they add up to 1 the classes see to themselves
    ends = getattr(constraint, "lower_bound", None), getattr(constraint, "upper_bound", None)
    low, high = (None if end is None or (isinstance(end, float) and math.isinf(end)) else end for end in ends)
    return low, high


@lru_cache(maxsize=256)
def _plain_ends(kind: type[Distribution]) -> tuple[tuple[str, float, bool, bool], ...] | None:
    """Argument, end, whether it lies below and whether the argument may be missing; None where an instance is asked.

    Of most classes the constraints are known without an instance, which saves time at every look.
    """
    own: Any = kind.__dict__.get("arg_constraints") or getattr(kind, "arg_constraints", None)
    if not isinstance(own, Mapping) or not own:
        return None
    plain: list[tuple[str, float, bool, bool]] = []
    for name, constraint in own.items():
        is_dependent: Any = constraints.is_dependent
        if is_dependent(constraint) or _is_real(constraint) or _is_discrete(constraint):
            continue
        base, trailing = _unwrapped(constraint, 0)
        low, high = _ends(base)
        if trailing or any(isinstance(end, Tensor) for end in (low, high)):
            return None
        if low is not None:
            plain.append((name, float(low), True, _is_lazy(kind, name)))
        if high is not None:
            plain.append((name, float(high), False, _is_lazy(kind, name)))
    return tuple(plain)


def _by_row(mask: Tensor, trailing: int) -> Tensor:
    """Whether anything of a row is true, ``(..., n)``."""
    return mask.flatten(-trailing).any(-1) if trailing and mask.ndim >= trailing else mask


def _in_words(constraint: Any, low: Any, high: Any) -> str:
    if _is_discrete(constraint):
        return "whole numbers" if low is None else "whole numbers of the allowed range"
    if any(isinstance(end, Tensor) and end.numel() > 1 for end in (low, high)):
        return "less, or more, by another argument"
    if isinstance(constraint, type(constraints.simplex)):
        return "probabilities"
    if low is not None and high is not None:
        return f"numbers between {float(low):g} and {float(high):g}"
    if low is not None:
        above = isinstance(constraint, type(constraints.positive))
        return f"numbers {'above' if above else 'of at least'} {float(low):g}"
    if high is not None:
        return f"numbers below {float(high):g}"
    return f"what satisfies {constraint}"
