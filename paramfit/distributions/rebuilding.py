"""A distribution made again from other values of its arguments."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor
from torch.distributions import Distribution

from paramfit.distributions.arguments import named_arguments
from paramfit.errors import InputError

__all__ = ["argument_values", "rebuilt"]

_SAME = ("probs", "logits")  # two ways to say one thing, of which a constructor takes one


def argument_values(distribution: Distribution, names: Sequence[str] = ()) -> dict[str, Tensor]:
    """The values with which a distribution can be made again.

    Args:
        distribution: one whose attributes have the names of its constructor's arguments.
        names: arguments that have to be among them: they decide between ``probs`` and ``logits``.

    Raises:
        InputError: if an argument is not kept as an attribute.
    """
    wanted = list(named_arguments(type(distribution)))
    if set(_SAME) <= set(wanted):
        wanted.remove(_unused_of_the_same(distribution, names))
    for name in wanted:
        if not hasattr(distribution, name):
            msg = (
                f"distribution: {type(distribution).__name__} does not keep its argument {name} as an attribute of that"
                " name, so its derivatives cannot be taken; keep it"
            )
            raise InputError(msg)
    return {name: getattr(distribution, name) for name in wanted}


def rebuilt(distribution: Distribution, values: Mapping[str, Tensor]) -> Distribution:
    """A distribution of the same class with these values of its arguments, which are not checked."""
    kind: Any = type(distribution)  # whose arguments are its own
    made: Distribution = kind(**values, validate_args=False)
    return made


def _unused_of_the_same(distribution: Distribution, names: Sequence[str]) -> str:
    for name, other in (_SAME, _SAME[::-1]):
        if name in names:
            return other
    # Both may be there, since the one is computed from the other on demand; torch keeps the one that was given.
    given = getattr(distribution, "_param", None)
    return "logits" if given is None or given is vars(distribution).get("probs") else "probs"
