"""How a fit ended, and why."""

from dataclasses import dataclass
from enum import StrEnum

from paramfit.facts import Reason

__all__ = ["Status", "Stop"]


class Status(StrEnum):
    """How a fit ended. The values are the names in ``estimates.json``."""

    CONVERGED = "converged"  # less than 0.01 standard errors from the optimum
    STALLED = "stalled"  # the solver could make no further progress
    STOPPED_EARLY = "stopped_early"  # the monitored metric no longer improved
    LIMIT_REACHED = "limit_reached"  # all updates asked for were made
    DIVERGED = "diverged"  # the loss, a gradient or a parameter left the finite numbers, grew, or froze far away
    INTERRUPTED = "interrupted"  # Ctrl-C
    TERMINATED = "terminated"  # SIGTERM


@dataclass(frozen=True)
class Stop:
    """Why a fit ended before its last update: a status, and the fact behind it (or words of one's own)."""

    status: Status
    reason: Reason
