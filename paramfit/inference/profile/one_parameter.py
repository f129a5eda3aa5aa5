"""Intervals by the profile likelihood."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from scipy.optimize import brentq
from torch import Tensor

from paramfit.errors import InputError
from paramfit.facts import Fact, FactKind, Number
from paramfit.inference.loss_function import LossFunction
from paramfit.inference.profile.deviance import Deviance, deviance_of
from paramfit.inference.profile.profiles import Profile
from paramfit.models.base import specification_of

__all__ = ["Profile", "profile", "profile_to"]

_BEYOND = 1.15  # how far past the limit a profile is followed, so that a curve does not end at its interval
_UNKNOWN = 1e4  # times its size: so large an error
_FAR = 1e6  # standard errors: whatever is as flat there as here is flat
_AT_BOUND = 1e-9  # of the estimate's distance from the bound
_SHORTEST = 1e-6  # of the first step
_MOST_STRETCH = 2.0  # of an unconstrained number in the first step away from a bound, where nothing has a scale
_MOST_STEPS = 200
_BETTER = 1e-6  # of the deviance: what lies lower than the optimum by more is another optimum
_SIDES = {-1: "lower", 1: "upper"}


class _Place(NamedTuple):
    """A point of the profile, and the root of the deviance there; minus infinity for a better optimum."""

    theta: Tensor
    root: float


@dataclass
class _Side:
    """What was found on one side of the optimum."""

    places: list[_Place]  # from the optimum outwards
    end: float | None = None  # the parameter's value at the end of the interval
    note: Fact | None = None  # why there is none


def profile(
    loss: LossFunction,
    theta: Tensor,
    covariance: Tensor,
    k: int,
    level: float = 0.95,
    points: int = 8,
    *,
    absolute_sigma: bool = True,
    held: Sequence[int] = (),
) -> Profile:
    r"""Follow the likelihood along parameter ``k`` to both sides, until it is lower than the interval's limit.

    The ends of the interval solve

    .. math:: 2 (l_{max} - l_k(\theta_k)) = \chi^2_1(level), \qquad
        \sqrt{(RSS_k(\theta_k) - RSS_{min}) / s^2} = t_{n-p}\big((1 + level) / 2\big)

    the second for least squares whose variance is not known; :math:`l_k` is the likelihood at its largest over all
    other parameters, within their bounds. Every minimum starts from a straight continuation of the last two. Where the
    limit is not reached before a bound of the parameter, the bound is the end. The ``covariance`` of theta ``(p, p)``
    says how large the first step is and where it leads; of a parameter ``held`` at a bound, which has none, the
    likelihood's slope does, and its interval is one-sided. ``points`` is about the number of steps to each end.

    Raises:
        InputError: for a level or a number of points that cannot be, a loss that is no likelihood, or a parameter
            without a standard error.

    References:
        Douglas Bates, Donald Watts: Nonlinear Regression Analysis and Its Applications (1988), chapter 6.
        D. J. Venzon, S. H. Moolgavkar: A Method for Computing Profile-Likelihood-Based Confidence Intervals (1988).
    """
    if not 0 < level < 1:
        raise InputError(f"level: a probability is between 0 and 1, but got {level}")
    if points < 2:
        raise InputError(f"points: expected at least 2 to each side, but got {points}")
    deviance = deviance_of(loss, theta, absolute_sigma=absolute_sigma, held=held)
    if not math.isfinite(deviance.limit(level)):
        raise InputError(f"level: {level} is too near to 1 for an interval to have ends")
    return profile_to(deviance.limit(level), deviance, covariance, k, level, points)


def profile_to(limit: float, deviance: Deviance, covariance: Tensor, k: int, level: float, points: int = 8) -> Profile:
    """The profile of parameter ``k`` as far as the root of its deviance is ``limit``; see ``profile``."""
    loss = deviance.loss
    error, tangent = math.sqrt(max(covariance[k, k].item(), 0.0)), None
    if k in deviance.at_bound:
        error = _scale_at_bound(deviance, k, limit / points)
    elif error > 0:
        tangent = (covariance[:, k] / covariance[k, k]).detach()
    if not error > 0 or not math.isfinite(error):
        raise InputError(
            f"profile: {loss.names[k]} has no standard error, and nothing says how far to look; fix it, or leave it out"
        )
    path = _Path(deviance, k, error, tangent, limit, points)
    below, above = path.follow(-1), path.follow(1)
    places = [*((place, -1) for place in reversed(below.places[1:])), *((place, 1) for place in above.places)]
    values = torch.stack([loss.natural(place.theta) for place, _ in places])
    return Profile(
        name=loss.names[k],
        estimate=loss.natural(deviance.theta)[k].item(),
        values=tuple(values[:, k].tolist()),
        tau=tuple(sign * place.root for place, sign in places),
        others={name: tuple(values[:, j].tolist()) for j, name in enumerate(loss.names) if j != k},
        lower=below.end,
        upper=above.end,
        level=level,
        limit=limit,
        notes=tuple(side.note for side in (below, above) if side.note is not None),
    )


def _scale_at_bound(deviance: Deviance, k: int, root: float) -> float:
    r"""The step from a bound to where the root of the deviance is about so large, over that root.

    .. math:: 2 g \delta + h \delta^2 = D
    """
    slope, curvature = deviance.slope_and_curvature(k)
    bottom = slope + math.sqrt(slope**2 + curvature * root**2)
    step = root**2 / bottom if bottom > 0 else math.inf
    by_transform = deviance.loss.slopes(deviance.theta)[k].item() != 1
    return min(step, _MOST_STRETCH if by_transform else math.inf) / root


class _Path:
    """The way along parameter ``k``: theta moves with it by the ``tangent`` ``(p,)``, which is 1 at ``k``.

    Without a tangent it alone moves at first; it is then at a bound.
    """

    def __init__(
        self, deviance: Deviance, k: int, error: float, tangent: Tensor | None, limit: float, points: int
    ) -> None:
        self._at_bound = tangent is None
        if tangent is None:
            tangent = torch.zeros_like(deviance.theta)
            tangent[k] = 1.0
        self._box = torch.tensor(deviance.boxes or ((-math.inf, math.inf),) * deviance.loss.p, dtype=torch.float64).T
        size = max(1.0, abs(deviance.theta[k].item()))
        # The error of what has run off says nothing of how far its likelihood is flat.
        self.error = error if error <= _UNKNOWN * size else size
        self.deviance, self.k, self.tangent, self.limit = deviance, k, tangent, limit
        self._goal = limit / points
        self._name = deviance.loss.names[k]
        self._spec = specification_of(deviance.loss.model, self._name)
        self._estimate = self._value(deviance.theta)
        slope = deviance.loss.slopes(deviance.theta)[k].item()
        self._natural_error = math.inf if self._at_bound else abs(slope) * self.error
        self._orientation = -1 if slope < 0 else 1  # of a parameter with an upper bound alone

    def follow(self, sign: int) -> _Side:
        """Go to smaller (-1) or larger (1) values until the deviance is well beyond the limit; mark where it meets it.

        The steps are such that the root grows by about as much each time.
        """
        side = _Side([_Place(self.deviance.theta, 0.0)])
        bound = self._spec.box[sign > 0]
        if self._at_bound and math.isfinite(bound) and self._is_nearer(bound):
            self._end_at_bound(side, sign)
            return side
        first = step = self._goal * self.error
        for _ in range(_MOST_STEPS):
            if side.note is not None or side.places[-1].root >= _BEYOND * self.limit:
                break
            place = self._next(side.places, sign * self._orientation * step)
            if place is None:
                step /= 4
                if step < _SHORTEST * first:
                    side.note = self._lost(side.places[-1], sign)
            elif place.root < 0:
                side.note = self._better(place, sign)
            else:
                gained = place.root - side.places[-1].root
                side.places.append(place)
                step *= min(2.0, max(0.5, self._goal / gained)) if gained > 0 else 2.0
                self._stop_where_flat(side, sign)
        else:
            side.note = self._lost(side.places[-1], sign)
        self._mark_end(side, sign)
        return side

    def _value(self, theta: Tensor) -> float:
        return self.deviance.loss.natural(theta)[self.k].item()

    def _next(self, places: Sequence[_Place], step: float) -> _Place | None:
        """The minimum one step on; None where there is none."""
        here, tangent = places[-1].theta, self.tangent
        if len(places) > 1:
            before = places[-2].theta
            tangent = (here - before) / (here[self.k] - before[self.k])
        start = (here + step * tangent).clamp(*self._box)
        return None if start[self.k] == here[self.k] else self._at(start)

    def _at(self, start: Tensor) -> _Place | None:
        lowest = self.deviance.minimise(start, (self.k,))
        if not lowest.is_minimum or not math.isfinite(lowest.deviance):
            return None
        better = lowest.deviance < -_BETTER
        return _Place(lowest.theta, -math.inf if better else math.sqrt(max(lowest.deviance, 0.0)))

    def _stop_where_flat(self, side: _Side, sign: int) -> None:
        """Note that the limit is not reached, once there is no hope of it."""
        here = side.places[-1]
        if here.root >= self.limit:
            return
        value = self._value(here.theta)
        bound = self._spec.box[sign > 0]
        if math.isfinite(bound):
            if abs(value - bound) <= _AT_BOUND * abs(self._estimate - bound):
                self._end_at_bound(side, sign)
        elif (
            abs((here.theta - self.deviance.theta)[self.k].item()) > _FAR * self.error
            or abs(value - self._estimate) > _FAR * self._natural_error
        ):
            side.end = sign * math.inf
            side.note = self._without_end(FactKind.NO_END_WHERE_FLAT, sign, value, here)

    def _is_nearer(self, bound: float) -> bool:
        """Whether this is the bound that the parameter is at, of the two that it may have."""
        return abs(self._estimate - bound) <= min(abs(self._estimate - other) for other in self._spec.box)

    def _end_at_bound(self, side: _Side, sign: int) -> None:
        """The parameter cannot be beyond its bound: there the interval ends."""
        side.end = self._spec.box[sign > 0]
        side.note = self._without_end(FactKind.NO_END_BEFORE_BOUND, sign, side.end, side.places[-1])

    def _lost(self, last: _Place, sign: int) -> Fact:
        return self._without_end(FactKind.END_NOT_REACHED, sign, self._value(last.theta), last)

    def _without_end(self, kind: FactKind, sign: int, value: float, place: _Place) -> Fact:
        """Why there is no end to one side: the deviance at a value of the parameter."""
        numbers: dict[str, Number] = {"side": _SIDES[sign], "value": value}
        return Fact(kind, (self._name,), {**numbers, "deviance": place.root**2, "limit": self.limit**2})

    def _better(self, place: _Place, sign: int) -> Fact:
        numbers: dict[str, Number] = {"side": _SIDES[sign], "value": self._value(place.theta)}
        return Fact(FactKind.LARGER_LIKELIHOOD_FARTHER, (self._name,), numbers)

    def _mark_end(self, side: _Side, sign: int) -> None:
        """Find where the root meets the limit, and put that place between its neighbours."""
        number = next((j for j, place in enumerate(side.places) if place.root >= self.limit), None)
        if number is None:
            return
        side.note = None  # what happens further out does not matter
        inner, outer = side.places[number - 1], side.places[number]

        def meeting(share: float) -> _Place:
            met = self._at(inner.theta + share * (outer.theta - inner.theta))
            if met is None:
                raise ArithmeticError
            return met

        try:
            share = brentq(lambda part: meeting(part).root - self.limit, 0.0, 1.0, xtol=1e-12, rtol=1e-12)
            met = meeting(share)
        except ArithmeticError:
            side.note = self._lost(inner, sign)
            return
        if 0 < share < 1:
            side.places.insert(number, met)
        side.end = self._value(met.theta)
