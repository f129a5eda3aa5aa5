"""How far to trust a linear model of the residuals: the decisions of Levenberg and Marquardt, apart from all data."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paramfit.linalg.lapack import Array, lengths, singular_decomposition
from paramfit.solvers.projection import Linearization

__all__ = ["DampedStep", "Tolerances", "converged_by", "gain_ratio", "lost_sight_of", "next_damping", "verdict_on"]

_RANK = 1e-13  # a direction so much weaker than the strongest is rounding
_ALMOST_EXACT = 1e-8  # of the target's length
_REGULAR = 1e-11  # columns of a triangle with larger pivots are not looked at for singularity
_EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Tolerances:
    """When a fit has converged; see ``LevenbergMarquardt``."""

    orthogonality: float
    step: float
    cost: float


class DampedStep:
    r"""Steps from one point, for any damping.

    .. math:: \delta = \arg\min_\delta |t - R \delta|^2 + \lambda |S \delta|^2

    with R ``curved`` and t ``slope`` of the linearisation and S the largest lengths that R's columns have had, so that
    the step does not depend on the parameters' units. One singular value decomposition serves all lambdas.

    How far the residual is from being orthogonal to the surface of predictions is its relative ``offset``,

    .. math:: \frac{|Q_1^T e| / \sqrt{m}}{|Q_2^T e| / \sqrt{n - p}}

    0 at a minimum; it does not depend on any unit. Below 0.001 the step that is left is a small part of every standard
    error. Directions that the observations do not determine have no part in it.

    Args:
        point: the problem as seen from there; its nonlinear part has at least one parameter.
        earlier: the largest lengths of the columns so far, ``(m,)``: a parameter that has lost its influence must not
            run away.
        at_bound: ``(m,)``, True for parameters that have run into a bound: they have no say any more in what the others
            do.

    References:
        Kenneth Levenberg: A Method for the Solution of Certain Non-Linear Problems in Least Squares (1944).
        Donald Marquardt: An Algorithm for Least-Squares Estimation of Nonlinear Parameters (1963).
        Douglas Bates, Donald Watts: A Relative Offset Orthogonality Convergence Criterion for Nonlinear Least Squares
        (1981).
    """

    def __init__(
        self, point: Linearization, earlier: Array | None = None, at_bound: NDArray[np.bool_] | None = None
    ) -> None:
        curved, here = point.curved, point.curved_lengths
        if at_bound is not None:
            curved, here = np.where(at_bound, 0.0, curved), np.where(at_bound, 0.0, here)
        self.size = np.where(here > 0, here, 1.0) if earlier is None else np.maximum(here, earlier)
        left, self.singular, self.directions = singular_decomposition(curved / self.size)
        self.along = left[: len(point.slope)].T @ point.slope
        self.floor = (len(self.singular) * _EPS * self.singular[0]) ** 2
        self.offset = _relative_offset(point, curved[: len(point.slope)], here)
        self._curved, self._slope, self._unprojected, self._at_bound = curved, point.slope, point.unprojected, at_bound

    @property
    def lost(self) -> NDArray[np.bool_]:
        """Parameters that no prediction depends on there, ``(m,)``."""
        still: NDArray[np.bool_] = self._unprojected == 0
        if not self._curved.any():
            still = np.ones_like(still)  # no direction is left to go
        return still if self._at_bound is None else still & ~self._at_bound

    def step(self, damping: float) -> tuple[Array, float]:
        """The step ``(m,)`` and the decrease of the squared residual that the linear model promises."""
        squared = np.square(self.singular)
        share = squared / (squared + max(damping, self.floor) + 1e-300)
        inverse = np.where(self.singular > 0, share / np.where(self.singular > 0, self.singular, 1.0), 0.0)
        step: Array = (inverse * self.along) @ self.directions / self.size
        return step, float((np.square(self.along) * share * (2 - share)).sum())

    def shortened(self, step: Array, share: float) -> tuple[Array, float]:
        """A part of a step, and the decrease of the squared residual that the linear model promises for it."""
        along = self._curved @ step
        promised = 2 * share * (self._slope @ along[: len(self._slope)]) - share**2 * (along @ along)
        return share * step, float(promised)


def _relative_offset(point: Linearization, upper: Array, most: Array) -> float:
    """See ``DampedStep``; from the projected Jacobian's triangle ``(m, m)``, whose columns are at most so long."""
    along = point.slope
    if not (np.abs(upper.diagonal()) > _REGULAR * most).all():
        here = lengths(upper)
        moving = here > 0
        if not moving.any():
            return 0.0
        left, singular, _ = singular_decomposition(upper[:, moving] / here[moving])
        along = left[:, singular > _RANK * singular[0]].T @ along
    inside = float(along @ along)
    if inside == 0:
        return 0.0
    outside = float(point.factor[:, -1] @ point.factor[:, -1]) - inside
    if not outside > 0:
        return math.inf
    freedom = max(1, point.n - len(point.factor) + 1)
    return math.sqrt(inside / len(along) / (outside / freedom))


def gain_ratio(before: float, after: float, promised: float) -> float:
    """The decrease that came over the decrease that was promised; minus infinity where the new loss is not finite."""
    if not math.isfinite(after):
        return -math.inf
    return (before - after) / promised if promised > 0 else -math.inf


def next_damping(damping: float, growth: float, gain: float, *, accepted: bool) -> tuple[float, float]:
    """Damping and its growth factor after a trial.

    References:
        Hans Bruun Nielsen: Damping Parameter in Marquardt's Method (1999).
    """
    if accepted:
        return damping * max(1 / 3, 1 - (2 * min(gain, 1.0) - 1) ** 3), 2.0
    return damping * growth, growth * 2


class Verdict(NamedTuple):
    """Whether a point is the end, and why.

    Attributes:
        converged: it is a minimum.
        lost: numbers of the parameters that no prediction depends on there, so that it is no minimum though no step
            leads away.
        reason: of either, or how far it is.
    """

    converged: bool
    lost: tuple[int, ...]
    reason: str


def converged_by(offset: float, tolerances: Tolerances) -> str:
    """The reason that goes with a small relative offset."""
    return f"{_left(offset)}, at most {tolerances.orthogonality:g}"


def lost_sight_of(names: Sequence[str]) -> str:
    """The reason that goes with parameters that no prediction depends on."""
    *others, last = names
    which = f"{', '.join(others)} and {last} are" if others else f"{last} is"
    return f"{which} where no prediction depends on {'them' if others else 'it'}; give other starts"


def _left(offset: float) -> str:
    return f"the step that is left is {offset:.1e} standard errors (relative offset)"


def verdict_on(
    point: Linearization, seen: DampedStep, theta: Array, size_of_target: float, tolerances: Tolerances
) -> Verdict:
    """Whether a point is a minimum, by orthogonality, by the step that is left, or by a loss that is rounding.

    Args:
        point: the problem as seen from there.
        seen: the steps from there.
        theta: the nonlinear parameters there, ``(m,)``.
        size_of_target: length of the (weighted) target.
        tolerances: the thresholds.
    """
    offset = seen.offset
    told = _left(offset)
    if offset <= tolerances.orthogonality:
        lost = seen.lost
        if lost.any():
            return Verdict(False, tuple(np.flatnonzero(lost).tolist()), told)
        return Verdict(True, (), converged_by(offset, tolerances))
    residual = math.sqrt(max(point.loss, 0.0))
    if residual <= tolerances.cost * size_of_target:
        return Verdict(True, (), f"the residuals are {residual:.1e} long, nothing but rounding: the fit is exact")
    if residual > _ALMOST_EXACT * size_of_target:
        return Verdict(False, (), told)
    # Residuals that are little more than rounding hide the orthogonality; the step that is left does not mind.
    step, _ = seen.step(0.0)
    left = float((np.abs(step) / np.maximum(np.abs(theta), 1e-300)).max())
    if left <= tolerances.step:
        told = f"the step that is left is {left:.1e} of each parameter"
        return Verdict(True, (), f"{told}, at most {tolerances.step:g}")
    return Verdict(False, (), told)
