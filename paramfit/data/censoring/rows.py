"""Which observations are bounds."""

import torch
from torch import Tensor

from paramfit.distributions import Censoring, check_statuses
from paramfit.errors import InputError
from paramfit.observations import Censored, Observations

__all__ = ["censored", "check_censored"]


def censored(status: Tensor, upper: Tensor | None) -> Censored | None:
    """What two columns say of the observations; None where all of them are values.

    Args:
        status: ``(n,)``, numbers of ``Censoring``, of any type.
        upper: ``(n,)``, the upper ends of intervals; what other rows hold is not read.
    """
    kinds = status.long()
    if not bool((kinds != Censoring.OBSERVED).any()):
        return None
    ends = torch.zeros_like(status) if upper is None else upper
    return Censored(kinds, torch.where(kinds == Censoring.INTERVAL, ends, torch.inf))


def check_censored(observations: Observations, source: str = "data") -> None:
    """Refuse a censoring that does not belong to its observations.

    Raises:
        InputError: for columns of another length, an unknown status, or an interval without room, by row.
    """
    if observations.censoring is None:
        return
    for name, column in observations.censoring._asdict().items():
        if column.shape != observations.target.shape:
            msg = (
                f"{source}: the censoring has one {name} for each observation, but there are {tuple(column.shape)} for"
                f" the target's {tuple(observations.target.shape)}"
            )
            raise InputError(msg)
    check_statuses(observations.target, *observations.censoring, source)
