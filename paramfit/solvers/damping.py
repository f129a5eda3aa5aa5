"""How far to trust a linear model of the residuals: the decisions of Levenberg and Marquardt, apart from all data."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from paramfit.linalg.box import least_squares_in_box
from paramfit.linalg.lapack import Array, lengths
from paramfit.linalg.unit_free import THRESHOLDS, ScaledColumns
from paramfit.solvers.projection import Linearization
from paramfit.solvers.value import Value, derived

__all__ = ["DampedStep", "gain_ratio", "next_damping"]

_EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False)
class DampedStep(Value):
    r"""Steps from one point, for any damping.

    .. math:: \delta = \arg\min_\delta |t - R \delta|^2 + \lambda |S \delta|^2

    with R ``curved`` and t ``slope`` of the linearisation and S the largest lengths that R's columns have had, so that
    the step does not depend on the parameters' units. One singular value decomposition serves all lambdas.

    How far the residual is from being orthogonal to the surface of predictions is its relative ``offset``,

    .. math:: \frac{|Q_1^T e| / \sqrt{m}}{|Q_2^T e| / \sqrt{n - p}}

    0 at a minimum; it does not depend on any unit. Below 0.001 the step that is left is a small part of every standard
    error. Directions that the observations do not determine have no part in it.

    References:
        Kenneth Levenberg: A Method for the Solution of Certain Non-Linear Problems in Least Squares (1944).
        Donald Marquardt: An Algorithm for Least-Squares Estimation of Nonlinear Parameters (1963).
        Douglas Bates, Donald Watts: A Relative Offset Orthogonality Convergence Criterion for Nonlinear Least Squares
        (1981).
    """

    point: Linearization  # the problem as seen from there; its nonlinear part has at least one parameter
    # The largest lengths of the columns so far, (m,): a parameter that has lost its influence must not run away.
    earlier: Array | None = None
    # (m,), True for what is on a bound and wants beyond: it is held there.
    held: NDArray[np.bool_] | None = None

    @property
    def _curved(self) -> Array:
        curved = self.point.curved
        return curved if self.held is None else np.where(self.held, 0.0, curved)

    @property
    def _lengths(self) -> Array:
        lengths_here = self.point.curved_lengths
        return lengths_here if self.held is None else np.where(self.held, 0.0, lengths_here)

    @derived
    def largest(self) -> Array:
        """The largest lengths that the columns have had, this point's included, ``(m,)``."""
        here = self.point.curved_lengths
        return here if self.earlier is None else np.maximum(here, self.earlier)

    @derived
    def size(self) -> Array:
        """S: the same, and 1 for what has never had any."""
        return np.where(self.largest > 0, self.largest, 1.0)

    @derived
    def _decomposed(self) -> tuple[Array, Array, Array, float]:
        """Singular values, directions, the slope along them, and the least damping that is no rounding."""
        scaled = ScaledColumns.of(self._curved, self.size)
        along = scaled.left[: len(self.point.slope)].T @ self.point.slope
        return scaled.singular, scaled.directions, along, (len(along) * _EPS * scaled.singular[0]) ** 2

    @derived
    def offset(self) -> float:
        """The relative offset; see above."""
        return _relative_offset(self.point, self._curved[: len(self.point.slope)], self._lengths)

    @property
    def lost(self) -> NDArray[np.bool_]:
        """Parameters that no prediction depends on there, ``(m,)``."""
        still: NDArray[np.bool_] = self.point.unprojected == 0
        return still if self.held is None else still & ~self.held

    def step(self, damping: float) -> tuple[Array, float]:
        """The step ``(m,)`` and the decrease of the squared residual that the linear model promises."""
        singular, directions, slope, floor = self._decomposed
        squared = np.square(singular)
        share = squared / (squared + max(damping, floor) + 1e-300)
        if singular[-1] > 0:
            inverse = share / singular
        else:
            inverse = np.where(singular > 0, share / np.where(singular > 0, singular, 1.0), 0.0)
        return (inverse * slope) @ directions / self.size, float((np.square(slope) * share * (2 - share)).sum())

    def step_in_box(self, damping: float, lower: Array, upper: Array) -> tuple[Array, float]:
        r"""The step ``(m,)`` that is best with :math:`l \le \delta \le u`, and the decrease that is promised for it.

        References:
            Christian Kanzow, Nobuo Yamashita, Masao Fukushima: Levenberg-Marquardt Methods with Strong Local
            Convergence Properties for Solving Nonlinear Equations with Convex Constraints (2004).
        """
        step, promised = self.step(damping)
        if ((lower <= step) & (step <= upper)).all():
            return step, promised
        curved, size, slope = self._curved, self.size, self.point.slope
        free = np.ones(len(step), dtype=bool) if self.held is None else ~self.held
        root = math.sqrt(max(damping, self._decomposed[3]) + 1e-300)
        rows = np.concatenate([curved[:, free] / size[free], root * np.eye(int(free.sum()))])
        target = np.zeros(len(rows))
        target[: len(slope)] = slope
        low, high = lower[free] * size[free], upper[free] * size[free]
        scaled = least_squares_in_box(rows, target, low, high)
        step = np.zeros(len(step))
        step[free] = np.where(scaled <= low, lower[free], np.where(scaled >= high, upper[free], scaled / size[free]))
        along = curved @ step
        return step, float(2 * (slope @ along[: len(slope)]) - along @ along)


def _relative_offset(point: Linearization, upper: Array, most: Array) -> float:
    """See ``DampedStep``; from the projected Jacobian's triangle ``(m, m)``, whose columns are at most so long."""
    along = point.slope
    pivots = zip(upper.diagonal().tolist(), most.tolist(), strict=True)
    if not all(abs(pivot) > THRESHOLDS.regular * longest for pivot, longest in pivots):
        here = lengths(upper)
        moving = here > 0
        if not moving.any():
            return 0.0
        scaled = ScaledColumns.of(upper[:, moving], here[moving])
        along = scaled.left[:, scaled.strong()].T @ along
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
