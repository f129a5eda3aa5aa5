"""Whether a likelihood has no maximum: a direction along which no observation ever becomes less likely."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import linprog
from torch import Tensor
from torch.distributions import Distribution

from paramfit.distributions import support_of
from paramfit.distributions.domain import outside_fact, refused_fact
from paramfit.inference.loss_function import LossFunction
from paramfit.inference.sandwich import observation_gradients
from paramfit.linalg.lapack import Array
from paramfit.models import DistributionModel, ParametricModel

__all__ = ["Recession", "is_unbounded_along", "recession"]

_MOST_ROWS = 4000  # in one linear programme; rows that its answer violates are added to the next
_MOST_PROGRAMMES = 50
_NOT_MOVED = 1e-7  # of a row's own length: the linear programme's tolerance (HiGHS, primal feasibility)
_NULL = 1e-14  # of the largest eigenvalue of sums of squares: a part of 1e-7 of the rows' length, as above
_FIRST = 2.0**-10  # of the parameters' size: the first look along the ray; each later one is twice as far
_MOST_LOOKS = 40
_ROUNDING = 1e-12  # of a loss
_UNBOUNDED = 0.25  # of the last loss's fall, over as long a way: still so large a part is no approach to a limit
_EXACT = 8.0  # roundings of the largest observation: what a model meets more closely it meets exactly
_BENT = 1e-3  # of what others gain
_LEFT = 1e-9  # of the slope at first: little enough to be called the end of the fall
_AT_KINK = 1e-9  # of the way to it: so near on both sides
_JUMP = 2.0  # times the slope behind it
_NO_PART = 1e-9  # of the largest effect of a parameter, in units of its size: rounding


@dataclass(frozen=True, eq=False)
class Recession:
    """Where a likelihood rises without end.

    Attributes:
        direction: of theta, ``(p,)``; its largest element is 1 in size.
        moved: the observations that become more likely along it, ``(n,)``; no other changes.
        far: theta so far along it that nothing is left to gain, ``(p,)``; None where the likelihood has no bound.
    """

    direction: Array
    moved: NDArray[np.bool_]
    far: Array | None


def is_unbounded_along(loss: LossFunction, theta: Tensor, step: Array) -> bool:
    """Whether along a step, however often repeated, a density grows to where only exact observations have it.

    Where all observations of a continuous distribution are equal, a spread that does not settle is on its way to 0. A
    density above one over the rounding of the observations says that it stands on one value, or on values that a
    model meets exactly: nothing ends its growth but the digits.
    """
    if not np.abs(step).any():
        return False
    target = loss.observations.target
    with torch.no_grad():
        distribution: Any = loss.prediction(theta)
    is_discrete = isinstance(distribution, Distribution) and support_of(distribution).discrete
    if loss.observations.censoring is None and not is_discrete and bool((target == target[0]).all()):
        return True
    n, largest = loss.n, target.abs().max().item()
    threshold = math.log(_EXACT * np.finfo(np.float64).eps * (largest or 1.0))
    start = before = _losses(loss, theta)
    if not np.isfinite(before).all():
        return False
    reach = 1.0
    for _ in range(_MOST_LOOKS):
        after = _losses(loss, theta + reach * torch.from_numpy(step))
        if not np.isfinite(after).all() or after.sum() > before.sum():
            return False
        if after.sum() < n * threshold or ((after < threshold) & (start > threshold / 2)).any():
            return True
        before, reach = after, 2 * reach
    return False


def recession(loss: LossFunction, theta: Tensor) -> Recession | None:
    r"""A direction in which a likelihood rises without end, if there is one.

    .. math:: \max_d \sum_i a_i^T d, \qquad a_i^T d \ge 0, \quad a_i = -\nabla \ell_i(\theta), \quad |d_k| \le 1

    with the loss :math:`\ell_i` of each observation: in a model of one linear predictor a d other than 0 says that the
    data are separated, completely where all observations move and quasi-completely where some do not. What the linear
    programme proposes is then followed to where nothing is left to gain; an observation that becomes less likely on the
    way must not move at all, and the next direction is looked for.

    References:
        Adelin Albert, John Anderson: On the Existence of Maximum Likelihood Estimates in Logistic Regression Models
        (1984).
        Kjell Konis: Linear Programming Algorithms for Detecting Separated Data in Binary Logistic Regression Models
        (2007).
    """
    try:
        slopes = -observation_gradients(loss, theta).numpy()
    except (RuntimeError, ValueError, NotImplementedError):
        return None  # what cannot be differentiated forward
    rows = _Rows.of(slopes, theta.numpy())
    if rows is None:
        return None
    resting = np.zeros(loss.n, dtype=bool)
    while True:
        direction = rows.direction(resting)
        if direction is None or _ends_at_bounds(loss, theta, direction):
            return None
        falling, far = _followed(loss, theta, direction)
        falling &= ~resting
        if not falling.any():
            break
        resting |= falling
    if far is not None and (_falls_at_rest(loss, theta, far, resting) or _ends_at_kink(loss, theta, far)):
        return None
    return Recession(direction / np.abs(direction).max(), rows.moved(direction), far)


def _falls_at_rest(loss: LossFunction, theta: Tensor, far: Array, resting: NDArray[np.bool_]) -> bool:
    """Whether observations that should stay as they are do not: their predictions bend on the way."""
    change = _losses(loss, torch.from_numpy(far)) - _losses(loss, theta)
    return bool(np.maximum(change[resting], 0.0).sum() > _BENT * np.abs(change[~resting]).sum())


def _ends_at_kink(loss: LossFunction, theta: Tensor, far: Array) -> bool:
    """Whether the loss stops falling on the way at a kink of the model: a plateau is no way without end.

    What approaches a limit loses its slope little by little, at a kink all of it is lost at once.
    """
    way = torch.from_numpy(far) - theta

    def slope(share: float) -> float:
        return float((-observation_gradients(loss, theta + share * way) @ way).sum())

    first, last = 0.0, 1.0
    before, least = slope(first), _LEFT * slope(first)
    after = slope(last)
    if not after <= least:
        return False
    while last - first > _AT_KINK * last:
        middle = (first + last) / 2
        here = slope(middle)
        if here > least:
            first, before = middle, here
        else:
            last, after = middle, here
    return before > _JUMP * max(after, 0.0)


def _ends_at_bounds(loss: LossFunction, theta: Tensor, direction: Array) -> bool:
    """Whether all that moves comes to a bound at which it may be: the maximum is there, then."""
    model = loss.model
    if not isinstance(model, ParametricModel):
        return False
    slopes = loss.slopes(theta).numpy()
    for place in np.flatnonzero(direction):
        name = loss.names[place]
        spec = model.specifications.get(name)
        rises = direction[place] * (slopes[place] or 1.0) > 0
        bound = None if spec is None else spec.upper if rises else spec.lower
        if bound is None or not _may_be(model, name, bound):
            return False
    return True


def _may_be(model: ParametricModel, name: str, bound: float) -> bool:
    """Whether a distribution takes an argument's bound; a bound of one's own is always taken."""
    if not isinstance(model, DistributionModel) or name not in model.names:
        return True
    constraints: Any = model.kind.arg_constraints  # a mapping of the class, whatever torch says of it
    return bool(constraints[name].check(torch.tensor(bound, dtype=torch.float64)))


@dataclass(frozen=True, eq=False)
class _Rows:
    """Directions in which the observations become more likely, each of length 1, free of the parameters' units."""

    unit: Array  # (n, p); 0 where nothing moves the observation
    size: Array  # of each parameter, (p,)

    @classmethod
    def of(cls, slopes: Array, theta: Array) -> "_Rows | None":
        if not np.isfinite(slopes).all():
            return None
        rows = _of_length_one(slopes)
        effect = np.abs(rows).max(axis=0) * np.maximum(1.0, np.abs(theta))
        rows = np.where(effect > _NO_PART * effect.max(initial=0.0), rows, 0.0)
        size = np.abs(rows).max(axis=0)
        if not size.any():
            return None
        size = np.where(size > 0, size, 1.0)
        return cls(_of_length_one(rows / size), size)

    def direction(self, resting: NDArray[np.bool_]) -> Array | None:
        """A direction along which no row falls, the resting ones stay and all rise that can; None if none can."""
        total, rising = np.zeros(self.unit.shape[1]), np.zeros(len(self.unit), dtype=bool)
        for _ in range(self.unit.shape[1]):  # each finds a dimension more, for rows at a corner of the last answer
            further = self._vertex(resting, resting | rising)
            if further is None:
                break
            total += further
            rising = self.unit @ total >= _NOT_MOVED
        return self._exact(total, ~rising) if rising.any() else None

    def _vertex(self, resting: NDArray[np.bool_], uncounted: NDArray[np.bool_]) -> Array | None:
        """Where the rows that count rise most, and no row falls; None where they cannot rise."""
        chosen = np.zeros(len(self.unit), dtype=bool)
        chosen[:: max(1, len(self.unit) // _MOST_ROWS)] = True
        chosen |= resting
        for _ in range(_MOST_PROGRAMMES):
            moving, still = self.unit[chosen & ~resting], self.unit[resting]
            if uncounted.all():
                return None
            answer = linprog(
                -self.unit[~uncounted].sum(axis=0),
                A_ub=-moving,
                b_ub=np.zeros(len(moving)),
                A_eq=still if len(still) else None,
                b_eq=np.zeros(len(still)) if len(still) else None,
                bounds=(-1, 1),
                method="highs",
            )
            if answer.x is None:
                return None
            along = self.unit @ answer.x
            violated = (along < -_NOT_MOVED) & ~chosen
            if not violated.any():
                return answer.x if (along[~uncounted] >= _NOT_MOVED).any() else None
            worst = np.argsort(np.where(violated, along, 0.0))[:_MOST_ROWS]
            chosen[worst[violated[worst]]] = True
        return None

    def _exact(self, scaled: Array, rests: NDArray[np.bool_]) -> Array:
        """The direction without what moves the rows that rest."""
        exact = scaled
        if rests.any():
            _, singular, directions = np.linalg.svd(self.unit[rests].T @ self.unit[rests])
            free = directions[singular <= _NULL * max(singular[0], 1.0)]
            exact = free.T @ (free @ scaled)
        direction: Array = np.where(np.abs(exact) > _NOT_MOVED * np.abs(exact).max(), exact, 0.0) / self.size
        return direction

    def moved(self, direction: Array) -> NDArray[np.bool_]:
        """Which rows a direction moves."""
        moved: NDArray[np.bool_] = (
            self.unit @ (direction * self.size) > _NOT_MOVED * np.abs(direction * self.size).max()
        )
        return moved


def _of_length_one(rows: Array) -> Array:
    """Rows of length 1; those of 0 as they are."""
    largest = np.abs(rows).max(axis=1, keepdims=True, initial=0.0)  # squares of what is small vanish
    scaled = rows / np.where(largest > 0, largest, 1.0)
    lengths = np.sqrt(np.square(scaled).sum(axis=1, keepdims=True))
    unit: Array = scaled / np.where(lengths > 0, lengths, 1.0)
    return unit


def _followed(loss: LossFunction, theta: Tensor, direction: Array) -> tuple[NDArray[np.bool_], Array | None]:
    """Which observations become less likely along a ray, and the place from which nothing is left to gain."""
    along = torch.from_numpy(direction / (np.abs(direction) / np.maximum(1.0, theta.abs().numpy())).max())
    before = start = _losses(loss, theta)
    falling = np.zeros(loss.n, dtype=bool)
    reach, gained, unbounded = _FIRST, 0.0, False
    far = theta
    for _ in range(_MOST_LOOKS):
        place = theta + reach * along
        after = _losses(loss, place)
        if not np.isfinite(after).all():
            impossible = after == math.inf
            # Where a number is too large for its formula all is gained long since; not where the formula itself ends.
            is_underway = reach == _FIRST or unbounded
            falling |= impossible | (np.isnan(after) & is_underway)
            unbounded |= bool((after == -math.inf).any())
            break
        falling |= after > before + _ROUNDING * np.maximum(1.0, np.abs(start))
        gain = float((before - after).sum())
        unbounded = gain > _UNBOUNDED * gained > 0  # the way is twice as long each time
        far, gained, before = place, gain, after
        if gain <= _ROUNDING * max(1.0, float(np.abs(start).sum())) and float((start - after).sum()) > 0:
            break
        reach *= 2
    return falling, None if unbounded else far.numpy()


def _losses(loss: LossFunction, theta: Tensor) -> Array:
    """Of each observation, ``(n,)``; infinite, not NaN, where the model has left what its distribution takes.

    There a way has an end, unlike where a number is too large for its formula.
    """
    with torch.no_grad():
        try:
            prediction: Any = loss.prediction(theta)
            losses = loss.objective.losses(prediction, *loss.observations.measured).expand(loss.n)
        except ValueError as error:
            return np.full(loss.n, math.nan if refused_fact(error) is None else math.inf)
        if losses.isnan().any() and isinstance(prediction, Distribution):
            outside = outside_fact(prediction, open_ends=True)
            losses = losses if outside is None else losses.nan_to_num(math.inf, math.inf, -math.inf)
    values: Array = losses.numpy()
    return values
