"""One way to tell how uncertain the estimates are."""

from dataclasses import dataclass

from paramfit.facts import Reason

__all__ = ["Interval", "Rung"]

Interval = tuple[float | None, float | None]
"""Lower and upper end of a 95 % interval; infinite where the data set none, None where none was found."""


@dataclass(frozen=True)
class Rung:
    """One way to tell how uncertain the estimates are.

    Attributes:
        name: of the way, such as ``profile likelihood``.
        standard_errors: for each parameter, of its value within its bounds; parameters that have none are missing. None
            where this way gives intervals alone.
        intervals: for each parameter its 95 % interval; empty where there is none.
        method: what exactly was computed.
        reasons: why something is missing.
    """

    name: str
    standard_errors: dict[str, float] | None
    intervals: dict[str, Interval]
    method: Reason
    reasons: tuple[Reason, ...] = ()
