"""How a solver's search stands: why it has ended, or how far it has to go."""

import math
from dataclasses import dataclass
from enum import Enum

from paramfit.solvers.value import Value

__all__ = ["Finding", "Standing"]


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
    # It is none, and no step leads on.
    NO_INFLUENCE = "parameters without influence"
    DIVERGENT = "a parameter without end"
    UNDETERMINED = "no parameter determined"
    NO_DESCENT = "no descent, relative offset"
    NO_DESCENT_BY_DISTANCE = "no descent, distance"
    NO_MINIMUM = "flat or curved down"


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
    }
)


@dataclass(frozen=True, eq=False)
class Standing(Value):
    """A finding with its numbers.

    Attributes:
        finding: what kind it is.
        value: what was measured: a relative offset, a part of each parameter, a distance in standard errors, the
            residuals' length, or the least relative error; NaN where the finding has none.
        threshold: what it was compared with; NaN where the finding has none.
        places: in theta, of the parameters that it is about.
    """

    finding: Finding
    value: float = math.nan
    threshold: float = math.nan
    places: tuple[int, ...] = ()

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
