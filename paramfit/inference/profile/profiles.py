"""The likelihood along one parameter, or two, with the others at their best."""

from dataclasses import dataclass, field

from paramfit.facts import Fact

__all__ = ["PairProfile", "Profile"]


@dataclass(frozen=True)
class Profile:
    """The profile of one parameter: at each of its values the others are where the likelihood is largest."""

    name: str  # of the parameter
    estimate: float  # its value at the optimum
    values: tuple[float, ...]  # of the parameter, within its bounds, ascending; estimate and ends are among them
    # At each value the signed root of the deviance, 2 (l_max - l) or (RSS - RSS_min) / s^2; a straight line where the
    # parabola is the truth.
    tau: tuple[float, ...]
    others: dict[str, tuple[float, ...]]  # for each other parameter its values along the profile
    lower: float | None  # minus infinity where the likelihood stays flat, None where notes say that there is no end
    upper: float | None  # likewise
    level: float  # the probability with which the interval is meant to cover the truth
    limit: float  # what |tau| is at the ends
    notes: tuple[Fact, ...] = ()  # why an end is missing

    @property
    def deviance(self) -> tuple[float, ...]:
        """Tau squared."""
        return tuple(root * root for root in self.tau)


@dataclass(frozen=True)
class PairProfile:
    """The profiled deviance of two parameters on a grid."""

    names: tuple[str, str]  # of the two
    estimates: tuple[float, float]  # their values at the optimum
    first: tuple[float, ...]  # values of the first parameter, within its bounds, ascending
    second: tuple[float, ...]  # values of the second one
    # deviance[a][b] belongs to first[a] and second[b]; infinite where the likelihood is 0, NaN where the
    # others' optimum was not found.
    deviance: tuple[tuple[float, ...], ...]
    levels: dict[float, float] = field(default_factory=dict)  # for each probability the deviance on its contour
    notes: tuple[Fact, ...] = ()  # what to know of the grid
