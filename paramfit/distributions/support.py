"""Where a distribution has its probability, and observations that it cannot have made or has no likelihood for."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.distributions import Distribution, LogNormal, constraints

from paramfit.distributions.censoring import Censoring, check_censoring
from paramfit.distributions.families import inherited_family
from paramfit.errors import InputError
from paramfit.observations import Observations

__all__ = ["Support", "check_observations", "check_support", "support_of"]

_SMALLEST, _LARGEST = 1e-153, 1e154  # numbers whose squares float64 holds in full precision
_KINKED = 1e5  # times nearer to 1, where curvature is larger by the square of this beside a kink


class Support(NamedTuple):
    """Where a univariate distribution has its probability; its ends have the batch shape or ``()``."""

    low: Tensor  # minus infinity where there is no lower end
    high: Tensor
    discrete: bool  # whether it lives on integers


def support_of(distribution: Distribution) -> Support:
    """The ends of the support, as far as the distribution tells them; a circle ends opposite its location."""
    if inherited_family(type(distribution)).circular:
        location: Any = distribution  # whose class has a loc
        return Support(_end(location.loc - math.pi), _end(location.loc + math.pi), False)
    try:
        constraint = distribution.support
        discrete = bool(constraint.is_discrete)  # type: ignore[union-attr]  # None and errors alike: nothing is told
    except (NotImplementedError, AttributeError):
        return Support(_end(-math.inf), _end(math.inf), False)
    constraint = getattr(constraint, "base_constraint", constraint)  # a mixture wraps that of its components
    if type(constraint).__name__ == "_Boolean":
        return Support(_end(0.0), _end(1.0), True)
    low, high = getattr(constraint, "lower_bound", -math.inf), getattr(constraint, "upper_bound", math.inf)
    return Support(_end(low), _end(high), discrete)


def check_observations(
    distribution: Distribution, observations: Observations, names: Sequence[str] = (), source: str = "data"
) -> None:
    """Refuse, before a fit, observations that a distribution cannot have made or has no likelihood for.

    The likelihood of censored ones is to be differentiated by the arguments named.

    Raises:
        InputError: naming the first row that is outside the support; with censored rows also for a distribution whose
            ``cdf`` is missing or cannot be differentiated.

    Example:
        >>> from torch.distributions import Weibull
        >>> from paramfit.observations import Censored
        >>> lifetimes, status = torch.tensor([2.0, 3.0]), torch.tensor([0, 2])
        >>> censoring = Censored(status, torch.full((2,), torch.inf))
        >>> check_observations(Weibull(1.0, 1.0), Observations((), lifetimes, None, censoring))
    """
    target, _, censoring = observations.measured
    _check_unit(distribution, target, source)
    if censoring is None:
        check_support(distribution, target, source)
        return
    status, upper = censoring
    check_censoring(distribution, target, status, upper, names, source)
    check_support(distribution, target, source, status == Censoring.OBSERVED)
    rows = (status != Censoring.OBSERVED).nonzero().squeeze(-1)
    low, high = target[rows], torch.where(status == Censoring.INTERVAL, upper, target)[rows]
    _check_bounds(distribution, low, high, rows, source)


def _check_unit(distribution: Distribution, target: Tensor, source: str) -> None:
    """Refuse observations whose squares, by which second derivatives of a likelihood go, float64 does not hold."""
    if isinstance(distribution, LogNormal) or not math.isinf(float(support_of(distribution).high.max())):
        return  # whose observations count by their logarithms, or have an end that no unit changes
    ends = target.aminmax() if len(target) else None
    if ends is not None and not (math.isfinite(ends.min) and math.isfinite(ends.max)):  # as interval censoring has
        finite = target[torch.isfinite(target)]
        ends = finite.aminmax() if len(finite) else None
    largest = 0.0 if ends is None else max(abs(ends.min.item()), abs(ends.max.item()))
    nearer = 1.0 if inherited_family(type(distribution)).majorised is None else _KINKED
    low, high = _SMALLEST * nearer, _LARGEST / nearer
    if largest == 0 or low <= largest <= high:
        return
    raise InputError(
        f"{source}: the largest observation is {largest:.3g}, and a likelihood's second derivatives go by squares,"
        f" which float64 holds of numbers from {low:.0e} to {high:.0e}; give the observations in"
        f" another unit, as multiples of 1e{math.floor(math.log10(largest))}"
    )


def check_support(
    distribution: Distribution, target: Tensor, source: str = "data", observed: Tensor | None = None
) -> None:
    """Refuse observations ``(n,)`` outside a distribution's support; only the ``observed`` are looked at.

    Raises:
        InputError: naming the first row outside, counted from 0, and how many there are.

    Example:
        >>> check_support(torch.distributions.Gamma(1.0, 1.0), torch.tensor([0.5, -0.3]))
        Traceback (most recent call last):
        paramfit.errors.InputError: data: row 1 is -0.3, outside the support of Gamma (above 0); 1 of 2 rows is. ...
    """
    support = _constraint_of(distribution)
    open_support = inherited_family(type(distribution)).open_support
    inside = torch.isfinite(target)
    if support is not None:
        inside &= support.check(target)
        if open_support:
            inside &= target > support.lower_bound
            if hasattr(support, "upper_bound"):
                inside &= target < support.upper_bound
    if observed is not None:
        inside |= ~observed
    if bool(inside.all()):
        return
    outside = (~inside).nonzero()
    row = int(outside[0, -1])
    count, n = len(outside), target.numel()
    raise InputError(
        f"{source}: row {row} is {target[row].item():g}, outside the support of {type(distribution).__name__}"
        f" ({_in_words(support, open_support, row)}); {count} of {n} rows"
        f" {'is' if count == 1 else 'are'}. Mend or leave out such rows, or choose another distribution"
    )


def _check_bounds(distribution: Distribution, low: Tensor, high: Tensor, rows: Tensor, source: str) -> None:
    """Refuse censored rows whose bounds, low ``(m,)`` to high ``(m,)``, leave all of a distribution, or nothing."""
    support = _constraint_of(distribution)
    if support is None or support.is_discrete or not len(rows):
        return
    least, most = _ends(support, rows)
    outside = ((low < least) | (high <= least) | (high >= most)).nonzero()
    if not len(outside):
        return
    place = int(outside[0])
    row = int(rows[place])
    end = low[place] if low[place] < least[place] else high[place]
    raise InputError(
        f"{source}: row {row} is censored at {end.item():g}, which is not inside the support of"
        f" {type(distribution).__name__} ({_in_words(support, True, row)}): that tells nothing, or the impossible; mend"
        " or leave out such rows"
    )


def _ends(support: Any, rows: Tensor) -> tuple[Tensor, Tensor]:
    """The ends of a constraint at some rows; infinite where it has none."""
    given = getattr(support, "lower_bound", -math.inf), getattr(support, "upper_bound", math.inf)
    ends = [torch.as_tensor(end) for end in given]
    low, high = (end[rows] if end.ndim and len(end) > 1 else end.expand(rows.shape) for end in ends)
    return low, high


def _constraint_of(distribution: Distribution) -> Any:
    try:
        return distribution.support
    except NotImplementedError:
        return None


def _in_words(support: Any, without_ends: bool, row: int) -> str:
    lower, upper = (float(end) for end in _ends(support, torch.tensor([row])))
    if support is constraints.boolean:
        return "0 or 1"
    whole = "a whole number " if support is not None and support.is_discrete else ""
    if math.isinf(lower) and math.isinf(upper):
        return "any finite number" if support is None or support is constraints.real else str(support)
    if math.isinf(upper):
        above = without_ends or isinstance(support, type(constraints.positive))
        return f"{whole}{'above' if above else 'from'} {lower:g}" + (" on" if not above else "")
    if math.isinf(lower):
        return f"{whole}up to {upper:g}"
    return f"{whole}between {lower:g} and {upper:g}, {'without' if without_ends else 'with'} these"


def _end(value: float | Tensor) -> Tensor:
    return torch.as_tensor(value, dtype=torch.float64).detach()
