"""Cumulative probabilities and quantiles, also of distributions for which torch has none."""

import math
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import torch
from scipy.interpolate import PchipInterpolator
from torch import Tensor
from torch.distributions import Distribution, MixtureSameFamily

from paramfit.distributions.density import log_density
from paramfit.distributions.families import family_of, inherited_family
from paramfit.distributions.support import Support, support_of

__all__ = ["cumulative", "mid_cumulative", "mid_quantile", "quantile", "unrolled"]

_HALF_NODES = 200
_MOST_INVERTED = 200
_EXACT = 1e-10  # of a probability or its complement: as close as quadrature can tell
_REACH = 4.0  # exp(pi/2 sinh 4) is 4e18 scales: nothing is left beyond
_MOST_ELEMENTS = 400_000
_MOST_HALVINGS = 250  # from the width of the largest doubles to a rounding error of values near 1e-20
_MOST_DOUBLINGS = 1000


def cumulative(distribution: Distribution, values: Tensor) -> Tensor:
    """The probability of a value up to and including the given one, ``F(y) = P(Y <= y)``, in float64.

    By the family's own ``cdf`` or torch's where there is one, and otherwise by quadrature of the density (double
    exponential) or by adding up the probability mass. The batch shape is ``()`` or broadcasts with the values ``(n,)``.

    References:
        Hidetosi Takahasi and Masatake Mori: Double exponential formulas for numerical integration (1974).
    """
    support, values = support_of(distribution), unrolled(distribution, values.detach().double())
    inside = torch.maximum(torch.minimum(values, support.high), support.low)
    with torch.no_grad():
        below = _cumulative(distribution, inside).double()
    below = torch.where(values < support.low, 0.0, torch.where(values >= support.high, 1.0, below))
    return below.clamp(0.0, 1.0)


def unrolled(distribution: Distribution, values: Tensor) -> Tensor:
    """Angles of a von Mises distribution within half a turn of its location, where its circle is cut; others as is."""
    if not inherited_family(type(distribution)).circular:
        return values
    circle: Any = distribution  # whose class has a loc
    location: Tensor = circle.loc.detach().double()
    return location + torch.remainder(values - location + math.pi, 2 * math.pi) - math.pi


def quantile(distribution: Distribution, probability: Tensor, near: Tensor) -> Tensor:
    """The value below which a continuous distribution has each probability ``(m,)``, between 0 and 1, in float64.

    By torch's ``icdf`` where there is one, otherwise by bisection and secants of ``cumulative``, which begin around
    values ``near`` in the support; of more than 200 probabilities by monotone interpolation between 200, which the eye
    cannot tell. The batch shape is ``()`` or ``(1,)``.
    """
    probability = probability.double()
    closed = family_of(distribution).quantile
    if closed is not None:
        with torch.no_grad():
            return closed(distribution, probability).double()
    with suppress(NotImplementedError), torch.no_grad():
        return distribution.icdf(probability).double()
    if len(probability) <= _MOST_INVERTED:
        return _bisected(distribution, cumulative, probability, near, whole=False)
    odds = torch.logit(probability)
    places = torch.linspace(float(odds.min()), float(odds.max()), _MOST_INVERTED, dtype=torch.float64)
    values = _bisected(distribution, cumulative, torch.sigmoid(places), near, whole=False)
    return torch.from_numpy(PchipInterpolator(places.numpy(), values.numpy())(odds.numpy()))


def mid_cumulative(distribution: Distribution, values: Tensor) -> Tensor:
    """The mid-distribution function of a discrete distribution, ``P(Y < y) + P(Y = y) / 2``.

    References:
        Emanuel Parzen: Quantile probability and statistical data modeling (2004).
    """
    return (cumulative(distribution, values) + cumulative(distribution, values - 1)) / 2


def mid_quantile(distribution: Distribution, probability: Tensor, near: Tensor) -> Tensor:
    """The inverse of the mid-distribution function, straight between the integers and flat beyond the last."""
    above = _bisected(distribution, mid_cumulative, probability.double(), near, whole=True)
    high, low = mid_cumulative(distribution, above), mid_cumulative(distribution, above - 1)
    part = ((high - probability) / (high - low)).nan_to_num(0.0).clamp(0.0, 1.0)
    support = support_of(distribution)
    return torch.maximum(torch.minimum(above - part, support.high), support.low)


def _bisected(
    distribution: Distribution,
    function: Callable[[Distribution, Tensor], Tensor],
    probability: Tensor,
    near: Tensor,
    whole: bool,
) -> Tensor:
    """The smallest value (or whole number) where the function has reached the probability: bisection and secants."""
    low, high = _bracket(distribution, function, probability, near)
    value, still = torch.full_like(probability, high), torch.arange(len(probability))
    a, b = torch.full_like(probability, low), value.clone()
    below, above = torch.full_like(a, math.nan), torch.full_like(a, math.nan)  # the function less the probability
    for step in range(_MOST_HALVINGS):
        middle = ((a + b) / 2).floor() if whole else a + (b - a) / 2
        if step % 2 and not whole:  # a straight line is fast where the function is smooth, halving is safe elsewhere
            crossing = a - below * (b - a) / (above - below)
            middle = torch.where((crossing > a) & (crossing < b), crossing, middle)
        excess = function(distribution, middle) - probability
        reached = excess >= 0
        a, below = torch.where(reached, a, middle), torch.where(reached, below, excess)
        b, above = torch.where(reached, middle, b), torch.where(reached, excess, above)
        exact = (excess.abs() <= _EXACT * torch.minimum(probability, 1 - probability)) & (not whole)
        value[still] = torch.where(exact, middle, b)
        after = (a + b) / 2
        left = ~exact & ((after.floor() if whole else after) > a) & (after < b)
        if not bool(left.any()):
            break
        still, probability = still[left], probability[left]
        a, b, below, above = a[left], b[left], below[left], above[left]
    return value


def _bracket(
    distribution: Distribution, function: Callable[[Distribution, Tensor], Tensor], probability: Tensor, near: Tensor
) -> tuple[float, float]:
    """Two values between which every probability is reached: the ends of the support, or found by doubling."""
    support = support_of(distribution)
    low, high = float(support.low), float(support.high)
    start, width = (float(near.min()), float(near.max())), max(float(near.max() - near.min()), 1.0)
    ends = [low - 1 if support.discrete else low, high]  # the smallest whole number may be the answer itself
    for side, beyond in ((0, float(probability.min())), (1, float(probability.max()))):
        if math.isfinite(ends[side]):
            continue
        step = width
        for _ in range(_MOST_DOUBLINGS):
            ends[side] = math.floor(start[side]) - step if side == 0 else math.ceil(start[side]) + step
            at = function(distribution, torch.tensor([ends[side]], dtype=torch.float64)).item()
            if (at <= beyond) if side == 0 else (at >= beyond):
                break
            step *= 2
    return math.floor(ends[0]) if support.discrete else ends[0], math.ceil(ends[1]) if support.discrete else ends[1]


def _cumulative(distribution: Distribution, values: Tensor) -> Tensor:
    closed = inherited_family(type(distribution)).cdf
    if closed is not None:
        return closed(distribution, values)
    if isinstance(distribution, MixtureSameFamily):  # torch asks its components, some of which have no cdf of torch's
        below = cumulative(distribution.component_distribution, values.unsqueeze(-1))
        weights: Tensor = distribution.mixture_distribution.probs
        return (below * weights).sum(-1)
    try:
        return torch.as_tensor(distribution.cdf(values))
    except NotImplementedError:
        return (_added_up if support_of(distribution).discrete else _integrated)(distribution, values)


def _added_up(distribution: Distribution, values: Tensor) -> Tensor:
    """The probability mass from the lowest integer up to the value; no values below 0 where no lower end is told."""
    low = support_of(distribution).low.expand(values.shape)
    low = torch.where(low.isfinite(), low, torch.minimum(values, torch.zeros(())))
    span = int((values - low).max()) + 1
    rows = max(1, _MOST_ELEMENTS // max(1, values.numel()))
    total = torch.zeros_like(values)
    for start in range(0, span, rows):
        integers = low + torch.arange(start, min(start + rows, span), dtype=values.dtype).unsqueeze(-1)
        mass = log_density(distribution, torch.minimum(integers, values)).exp()
        total = total + torch.where(integers <= values, mass, 0.0).sum(0)
    return total


def _integrated(distribution: Distribution, values: Tensor) -> Tensor:
    """The area of the density below the value, over all of its area."""
    support = support_of(distribution)
    scale = values.std() if values.numel() > 1 and values.max() > values.min() else values.new_ones(())
    below, above = (_area(distribution, values, end, scale, support) for end in (support.low, support.high))
    return below / (below + above)


def _area(distribution: Distribution, values: Tensor, end: Tensor, scale: Tensor, support: Support) -> Tensor:
    r"""The area of the density between each value and an end of the support, which may be infinite.

    .. math:: x = \tfrac{y + e}{2} + \tfrac{e - y}{2} \tanh(\tfrac{\pi}{2} \sinh t)
        \quad\text{or}\quad x = y \pm s\,e^{\frac{\pi}{2} \sinh t}
    """
    t = torch.linspace(-_REACH, _REACH, 2 * _HALF_NODES + 1, dtype=torch.float64).unsqueeze(-1)
    angle, slope = math.pi / 2 * t.sinh(), math.pi / 2 * t.cosh() * (_REACH / _HALF_NODES)
    infinity = values.new_tensor(math.inf)
    first, last = support.low.nextafter(infinity), support.high.nextafter(-infinity)
    total = torch.zeros_like(values)
    rows = max(1, _MOST_ELEMENTS // max(1, values.numel()))
    for part, turn in zip(torch.split(angle, rows), torch.split(slope, rows), strict=True):
        if bool(end.isfinite().all()):
            # By the distance from the end, which keeps its digits where the density grows without limit.
            points = end - (end - values) * torch.sigmoid(-2 * part)
            weight = (end - values).abs() / 2 * turn / part.cosh().square()
        else:
            steps = scale * part.exp()
            points, weight = values + end.sign() * steps, steps * turn
        density = log_density(distribution, points.clamp(first, last)).exp() * weight
        total = total + density.nan_to_num(0.0, 0.0).sum(0)  # at an end the density itself may be infinite
    return total
