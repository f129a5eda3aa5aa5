"""A likelihood at a kink: the sides from which it is seen, and the steps along it."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from paramfit.linalg.lapack import Array
from paramfit.linalg.unit_free import THRESHOLDS, ScaledCurvature
from paramfit.solvers.kink import shortest_combination
from paramfit.solvers.sums import LikelihoodSums
from paramfit.solvers.value import Value

__all__ = ["KinkWalk", "LikelihoodKink", "LikelihoodSide"]

_KEPT = 3  # refusals
_LEAST_JUMP = (
    1e3  # times the way to a side in standard errors: of a smooth loss the slope changes by as much as the way
)


@dataclass(frozen=True, eq=False)
class LikelihoodSide(Value):
    """The loss as seen from one point."""

    theta: Array  # (p,)
    sums: LikelihoodSums


@dataclass(frozen=True, eq=False)
class KinkWalk(Value):
    """What is known of the kink that the best point is at, and the step along it that is tried."""

    sides: tuple[LikelihoodSide, ...] = ()  # from other points near by
    corners: int = 0  # how many of them the step has started from; further ones it was refused at
    along: Array | None = None  # the step, (p,); None as long as steps are those of one side
    promised: float = 0.0  # the decrease of the loss that it promises
    tentative: bool = False  # whether it is tried before damped steps are at their shortest
    is_close: bool = False  # whether the best point was reached by a step to the kink

    def seen_from(self, side: LikelihoodSide) -> "KinkWalk":
        """The same with another side, nearer than those that a step was refused at before: of them the last are kept.

        The very nearest may be on the best point's own side, where rounding hides that the loss falls.
        """
        refused = (*self.sides[self.corners :], side)
        return self.changed(sides=(*self.sides[: self.corners], *refused[-_KEPT:]))

    def tried_from(self, here: LikelihoodSide) -> "KinkWalk | None":
        """A trial where a kink bars the way, before steps are at their shortest; None where no kink is seen.

        Shortened by halves, steps towards a kink end a part of the way before it, ever again. The first trial is where
        the tangents of the best point and of the last refusal meet, the next, from there, along the kink.
        """
        other = self.sides[-1]
        way = other.theta - here.theta
        kink = LikelihoodKink.between(here, (other,), np.zeros(len(way), dtype=bool))
        if kink is None:
            return None
        if self.is_close:
            return self.changed(along=kink.step, promised=kink.promised, tentative=True)
        falls, rises = -float(here.sums.gradient @ way), float(other.sums.gradient @ way)
        share = (here.sums.loss - other.sums.loss + rises) / (falls + rises) if falls > 0 and rises > 0 else 0.0
        return self.changed(along=share * way, promised=share * falls, tentative=True) if 0 < share < 1 else None

    @property
    def is_further_side(self) -> bool:
        """Whether the last refusal along the kink is on a side where, unlike on those before, the loss rises."""
        if self.along is None or len(self.sides) == self.corners:
            return False
        return -float(self.sides[-1].sums.gradient @ self.along) < self.promised / 2


@dataclass(frozen=True)
class LikelihoodKink:
    """What the slopes on the sides of a kink say of it."""

    step: Array  # along the kink, where the loss falls on all sides, (p,)
    promised: float  # the decrease of the loss that it promises
    distance: float  # of its least slope from 0, in standard errors: 0 where the kink may be a minimum
    is_convex: bool  # whether the loss curves up along it

    @classmethod
    def between(
        cls, here: LikelihoodSide, others: tuple[LikelihoodSide, ...], held: NDArray[np.bool_]
    ) -> "LikelihoodKink | None":
        r"""The kink between the best point and others near by; None where no slope jumps.

        .. math:: g = \sum_i \lambda_i g_i, \qquad \lambda_i \ge 0, \quad \sum_i \lambda_i = 1

        is the shortest combination of the gradients, in the metric of the errors, which is that of the sides' mean
        curvature; see ``step_along_kink``. Parameters at a bound (``held``) do not move.
        """
        free = np.flatnonzero(~held)
        sides = (here, *others)
        curvature = np.mean([side.sums.curvature for side in sides], axis=0)[np.ix_(free, free)]
        if not len(free) or not np.isfinite(curvature).all():
            return None
        scaled = ScaledCurvature.of(curvature)
        strong = np.abs(scaled.values) > THRESHOLDS.half_the_digits**2 * scaled.strongest
        if not strong.any():
            return None
        # Its rows times a gradient are the slopes in units of the errors.
        lengths, vectors = np.sqrt(np.abs(scaled.values[strong]))[:, None], scaled.vectors[:, strong].T
        root, back = vectors / scaled.size / lengths, vectors * scaled.size * lengths
        slopes = np.stack([root @ side.sums.gradient[free] for side in sides], axis=1)
        ways = np.stack([back @ (side.theta - here.theta)[free] for side in others], axis=1)
        jumps = np.linalg.norm(slopes[:, 1:] - slopes[:, :1], axis=0) > _LEAST_JUMP * np.linalg.norm(ways, axis=0)
        if not jumps.any():
            return None
        slopes = slopes[:, np.concatenate([[True], jumps])]
        least = slopes @ shortest_combination(slopes)
        step = np.zeros(len(held))
        step[free] = -root.T @ least
        inside = float(least @ least)
        is_convex = _curves_up(np.sign(scaled.values[strong]), slopes[:, 1:] - slopes[:, :1])
        return cls(step, inside / 2, math.sqrt(inside), is_convex)


def _curves_up(signs: Array, jumps: Array) -> bool:
    """Whether curvature, of size 1 in each direction, is positive along the kink: wherever no slope jumps."""
    left, singular, _ = np.linalg.svd(jumps)
    along = left[:, int((singular > THRESHOLDS.rank * singular[0]).sum()) :]
    return not along.shape[1] or bool(np.linalg.eigvalsh(along.T @ (signs[:, None] * along))[0] > 0)
