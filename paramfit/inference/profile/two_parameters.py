"""The profile likelihood of two parameters, for contours."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from paramfit.errors import InputError
from paramfit.inference.loss_function import LossFunction
from paramfit.inference.profile.deviance import Deviance, deviance_of
from paramfit.inference.profile.one_parameter import profile_to
from paramfit.inference.profile.profiles import PairProfile, Profile
from paramfit.models.base import specification_of, unconstrained_values

__all__ = ["PairProfile", "profile_pair"]

_LEVELS = (0.68, 0.95)
_MARGIN = 1.1  # how far past the outermost contour the grid goes


def profile_pair(
    loss: LossFunction,
    theta: Tensor,
    covariance: Tensor,
    i: int,
    j: int,
    *,
    levels: Sequence[float] = _LEVELS,
    points: int = 21,
    absolute_sigma: bool = True,
    held: Sequence[int] = (),
) -> PairProfile:
    r"""The deviance of parameters ``i`` and ``j``, with all others at their best, on a grid of natural values.

    Contours are drawn at :math:`\chi^2_2(level)`; for least squares whose variance is not known at
    :math:`2 F_{2, n-p}(level)`. The grid is the box that the outermost contour just fits into, by the profile of each
    parameter, and a little more; where a parameter has no end it goes as far as its standard error says.

    Raises:
        InputError: for one parameter given twice, too few points, levels that are no probabilities, a loss that is no
            likelihood, or a parameter without a standard error.
    """
    if i == j:
        raise InputError(f"profile_pair: {loss.names[i]} is given twice; give two parameters")
    if points < 3:
        raise InputError(f"points: expected at least 3 along each parameter, but got {points}")
    if not levels or not all(0 < level < 1 for level in levels):
        raise InputError(f"levels: probabilities are between 0 and 1, but got {list(levels)}")
    deviance = deviance_of(loss, theta, absolute_sigma=absolute_sigma, held=held)
    contours = {level: deviance.limit_of_pair(level) for level in levels}
    outermost = max(levels)
    reach = _MARGIN * math.sqrt(contours[outermost])
    profiles = [profile_to(reach, deviance, covariance, k, outermost) for k in (i, j)]
    axes = [_axis(deviance, covariance, k, profile, points) for k, profile in zip((i, j), profiles, strict=True)]
    values = loss.natural(deviance.theta)
    return PairProfile(
        names=(loss.names[i], loss.names[j]),
        estimates=(values[i].item(), values[j].item()),
        first=tuple(axes[0].tolist()),
        second=tuple(axes[1].tolist()),
        deviance=_Grid(deviance, covariance, (i, j), axes).fill(),
        levels=contours,
        notes=tuple(note for profile in profiles for note in profile.notes),
    )


def _axis(deviance: Deviance, covariance: Tensor, k: int, profile: Profile, points: int) -> Tensor:
    """Values of one parameter, evenly spaced between the ends of its profile."""
    step = torch.zeros_like(deviance.theta)
    step[k] = profile.limit * covariance[k, k].sqrt()
    by_error = sorted(deviance.loss.natural(deviance.theta + sign * step)[k].item() for sign in (-1, 1))
    spec = specification_of(deviance.loss.model, deviance.loss.names[k])
    # A transform never reaches its bound, and what has none must not go beyond.
    beyond = spec.box if deviance.loss.names[k] in getattr(deviance.loss.model, "transforms", {}) else ()
    lower, upper = (
        min(max(plain, spec.box[0]), spec.box[1]) if end is None or not math.isfinite(end) or end in beyond else end
        for end, plain in zip((profile.lower, profile.upper), by_error, strict=True)
    )
    return torch.linspace(lower, upper, points, dtype=torch.float64)


class _Grid:
    """The constrained minima on a grid, each from its neighbour on the way to the optimum."""

    def __init__(self, deviance: Deviance, covariance: Tensor, pair: tuple[int, int], axes: Sequence[Tensor]) -> None:
        self._deviance, self._pair = deviance, list(pair)
        self._axes = [
            unconstrained_values(deviance.loss.model, deviance.loss.names[k], axis)
            for k, axis in zip(pair, axes, strict=True)
        ]
        inner = covariance[self._pair][:, self._pair]
        self._response = torch.linalg.lstsq(inner, covariance[self._pair]).solution.T  # (p, 2)

    def fill(self) -> tuple[tuple[float, ...], ...]:
        """The deviance at every pair of values."""
        rows: dict[int, tuple[float, ...]] = {}
        centre = [
            int((axis - self._deviance.theta[k]).abs().argmin()) for axis, k in zip(self._axes, self._pair, strict=True)
        ]
        start = self._deviance.theta
        for outwards in (range(centre[0], len(self._axes[0])), range(centre[0] - 1, -1, -1)):
            seed = start
            for a in outwards:
                rows[a], seed = self._row(a, centre[1], seed)
                if a == centre[0]:
                    start = seed
        return tuple(rows[a] for a in sorted(rows))

    def _row(self, a: int, centre: int, seed: Tensor) -> tuple[tuple[float, ...], Tensor]:
        """The values along the second parameter, and the place in the row's middle."""
        count = len(self._axes[1])
        row = [math.nan] * count
        middle = seed
        for outwards in (range(centre, count), range(centre - 1, -1, -1)):
            here = seed if outwards.step > 0 else middle
            for b in outwards:
                row[b], here = self._at(a, b, here)
                if b == centre:
                    middle = here
        return tuple(row), middle

    def _at(self, a: int, b: int, seed: Tensor) -> tuple[float, Tensor]:
        goal = torch.stack([self._axes[0][a], self._axes[1][b]])
        start = seed + self._response @ (goal - seed[self._pair])
        if self._deviance.boxes:
            start = start.clamp(*torch.tensor(self._deviance.boxes, dtype=torch.float64).T)
        start[self._pair] = goal
        lowest = self._deviance.minimise(start, self._pair)
        if lowest.is_minimum:
            return lowest.deviance, lowest.theta
        return math.nan if math.isfinite(lowest.deviance) else math.inf, seed
