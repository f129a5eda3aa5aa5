"""The likelihood along one parameter, or two, with the others at their best."""

from dataclasses import dataclass, field

from paramfit.facts import Fact

__all__ = ["PairProfile", "Profile"]


@dataclass(frozen=True)
class Profile:
    r"""The profile of one parameter: at each of its values the others are where the likelihood is largest.

    Attributes:
        name: of the parameter.
        estimate: its value at the optimum.
        values: of the parameter, within its bounds, in ascending order; the estimate and the interval's ends are among
            them.
        tau: at each value the signed root of the deviance: :math:`\pm\sqrt{2 (l_{max} - l)}`, or
            :math:`\pm\sqrt{(RSS - RSS_{min}) / s^2}`; a straight line where the parabola is the truth.
        others: for each other parameter its values along the profile.
        lower: the interval's lower end; minus infinity where the likelihood stays flat, None where it was not found or
            the parameter's bound comes first (``notes`` say which).
        upper: likewise.
        level: the probability with which the interval is meant to cover the truth.
        limit: what \|tau\| is at the ends.
        notes: why an end is missing.
    """

    name: str
    estimate: float
    values: tuple[float, ...]
    tau: tuple[float, ...]
    others: dict[str, tuple[float, ...]]
    lower: float | None
    upper: float | None
    level: float
    limit: float
    notes: tuple[Fact, ...] = ()

    @property
    def deviance(self) -> tuple[float, ...]:
        """Tau squared."""
        return tuple(root * root for root in self.tau)


@dataclass(frozen=True)
class PairProfile:
    """The profiled deviance of two parameters on a grid.

    Attributes:
        names: of the two.
        estimates: their values at the optimum.
        first: values of the first parameter, within its bounds, ascending.
        second: values of the second one.
        deviance: ``deviance[a][b]`` belongs to ``first[a]`` and ``second[b]``; infinite where the likelihood is 0, NaN
            where the others' optimum was not found.
        levels: for each probability the deviance on its contour.
        notes: what to know of the grid.
    """

    names: tuple[str, str]
    estimates: tuple[float, float]
    first: tuple[float, ...]
    second: tuple[float, ...]
    deviance: tuple[tuple[float, ...], ...]
    levels: dict[float, float] = field(default_factory=dict)
    notes: tuple[Fact, ...] = ()
