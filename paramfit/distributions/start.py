"""Where to start a fit of a distribution: estimates by moments or quantiles of the sample."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import Distribution

from paramfit.distributions.arguments import argument_bounds
from paramfit.distributions.families import FAMILIES
from paramfit.distributions.family import Given, Sample
from paramfit.errors import InputError

__all__ = ["moment_start"]


def moment_start(
    kind: type[Distribution], names: Sequence[str], target: Tensor, given: Given | None = None
) -> dict[str, float]:
    """Starts for the arguments named, strictly inside their bounds, by a sample ``(n,)`` and what is given of others.

    Raises:
        InputError: if there is no rule for the distribution or the argument; if all observations are equal (or all
            0) where the likelihood then has no maximum.

    Example:
        >>> moment_start(torch.distributions.Normal, ["loc", "scale"], torch.tensor([1.0, 3.0]))
        {'loc': 2.0, 'scale': 1.0}
    """
    if not names:
        return {}
    rule = FAMILIES[kind].start if kind in FAMILIES else None
    rules = {} if rule is None else rule(Sample(kind, target), given or {})
    starts: dict[str, float] = {}
    for name in names:
        if name not in rules:
            raise InputError(
                f"parameters.{name}.start: there is no rule for a start of {kind.__name__}'s {name}; give a start"
            )
        starts[name] = _inside(kind, name, rules[name]())
    return starts


def _inside(kind: type[Distribution], name: str, value: float) -> float:
    """The start; a number just inside the bound where rounding has put it on one."""
    lower, upper = argument_bounds(kind, name)
    room = torch.finfo(torch.float64).eps
    if lower is not None and value <= lower:
        return lower + room
    return upper - room if upper is not None and value >= upper else value
