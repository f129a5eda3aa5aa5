"""How a solver's search stands: why it has ended, or how far it has to go, and whether a parameter has run off."""

import math
from dataclasses import dataclass
from enum import Enum

import numpy as np

from paramfit.linalg.lapack import Array
from paramfit.linalg.unit_free import ScaledColumns, column_lengths
from paramfit.solvers.value import Value

__all__ = ["Finding", "Standing", "divergent_parameter", "least_relative_error"]

_FAR = 100.0  # times the start
_UNKNOWN = 1e3  # times the value
_EPS = float(np.finfo(np.float64).eps)


class Finding(Enum):
    """What a solver sees from its best point."""

    # More steps are worth their while.
    OFFSET_LEFT = "relative offset left"
    DISTANCE_LEFT = "distance left"
    # It is a minimum.
    LINEAR = "linear in all parameters"
    ORTHOGONAL = "residual orthogonal to the tangent plane"
    EXACT = "residuals are rounding"
    STEP_SMALL = "step small"
    DISTANCE_SMALL = "distance small"
    OFFSET_AT_ROUNDING = "relative offset at rounding"
    DISTANCE_AT_ROUNDING = "distance at rounding"
    KINK = "a kink of the loss"
    SINGULAR = "no slope by some parameters"
    ON_EDGE = "on the edge of the domain"
    # It is none, and no step leads on.
    NO_INFLUENCE = "parameters without influence"
    DIVERGENT = "a parameter without end"
    UNDETERMINED = "no parameter determined"
    NO_DESCENT = "no descent, relative offset"
    NO_DESCENT_BY_DISTANCE = "no descent, distance"
    NO_MINIMUM = "flat or curved down"
    UNBOUNDED = "without bound"
    ENDLESS_AT_EDGE = "without end at the edge of the domain"

    __hash__ = object.__hash__  # members are single; Enum would hash their names


_UNFINISHED = frozenset({Finding.OFFSET_LEFT, Finding.DISTANCE_LEFT})
_MINIMUM = frozenset(
    {
        Finding.LINEAR,
        Finding.ORTHOGONAL,
        Finding.EXACT,
        Finding.STEP_SMALL,
        Finding.DISTANCE_SMALL,
        Finding.OFFSET_AT_ROUNDING,
        Finding.DISTANCE_AT_ROUNDING,
        Finding.KINK,
        Finding.SINGULAR,
        Finding.ON_EDGE,
    }
)


@dataclass(frozen=True, eq=False)
class Standing(Value):
    """A finding with its numbers."""

    finding: Finding  # what kind it is
    # What was measured: a relative offset, a part of each parameter, a distance in standard errors, the residuals'
    # length, or the least relative error; NaN where the finding has none.
    value: float = math.nan
    threshold: float = math.nan  # what it was compared with; NaN where the finding has none
    places: tuple[int, ...] = ()  # in theta, of the parameters that it is about

    @property
    def converged(self) -> bool:
        """Whether the point is a minimum."""
        return self.finding in _MINIMUM

    @property
    def stalled(self) -> bool:
        """Whether no step leads on though it is none."""
        return not (self.converged or self.finding in _UNFINISHED)

    @property
    def ended(self) -> bool:
        """Whether more steps would change nothing."""
        return self.finding not in _UNFINISHED


def least_relative_error(factor: Array, n: int, values: Array, starts: Array) -> float:
    r"""The error, over the parameter's size, of the parameter that is determined best while all others are held fixed.

    .. math:: \min_k \frac{s}{|J_k| \max(|\theta_k|, |\theta_k^{start}|)}

    Where even that is large, no parameter changes anything that could be seen over the residuals: a peak has left the
    data, or a rate is so large that nothing is left of its term. A slope of 0 is then no sign of a minimum. One
    parameter with an influence makes it small, so that neither one too many nor one near 0 raises it. The ``factor``
    ``(p + 1, p + 1)`` is that of ``[J, e]``; values ``(m,)`` are the last of the p parameters, and starts where they
    began, of which 0 counts as 1.
    """
    p = len(factor) - 1
    spread = math.sqrt(float(factor[:, p] @ factor[:, p]) / max(1, n - p))
    scale = np.maximum(np.abs(values), np.where(starts == 0, 1.0, np.abs(starts)))
    return spread / float((column_lengths(factor[:, p - len(values) : p]) * scale).max())


def divergent_parameter(factor: Array, n: int, values: Array, starts: Array) -> int | None:
    r"""Which parameter, of the m values, has gone far along a valley that has no end; None if none has.

    A peak far outside the data is an exponential there, whatever its place: place and width then grow together and the
    loss hardly falls. Such a parameter has gone 100 times as far as its start was large, and its standard error
    :math:`s \sqrt{((R^T R)^{-1})_{kk}}` is 1000 times as large as it is. A parameter too many has such an error as
    well, but stays where it was. The arguments are those of ``least_relative_error``.
    """
    scale = np.where(starts == 0, 1.0, np.abs(starts))
    far = np.abs(values) > _FAR * scale
    if not far.any():
        return None
    p = len(factor) - 1
    scaled = ScaledColumns.of(factor[:p, :p])
    kept = np.maximum(scaled.singular, _EPS * scaled.singular[0])
    roots = np.sqrt(np.square(scaled.directions / kept[:, None]).sum(axis=0)) / scaled.size
    spread = math.sqrt(float(factor[:, p] @ factor[:, p]) / max(1, n - p))
    lost = far & (spread * roots[p - len(values) :] > _UNKNOWN * np.abs(values))
    return int(lost.argmax()) if lost.any() else None
