"""One batch of observations."""

from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["Censored", "Observations"]


class Censored(NamedTuple):
    """What is known of each observation, where of some it is only a bound, or two.

    Attributes:
        status: ``(n,)``, numbers of ``paramfit.distributions.Censoring``: whether a target is a value or a bound.
        upper: ``(n,)``, the upper end of an interval, whose lower end is the target; infinite where there is none.
    """

    status: Tensor
    upper: Tensor

    def rows(self, index: Tensor | slice) -> "Censored":
        """What is known of the observations at ``index``."""
        return Censored(self.status[index], self.upper[index])

    def to(self, like: torch.dtype | Tensor) -> "Censored":
        """The same with the ends in another precision, or on a tensor's device in its precision."""
        return Censored(self.status.to(like.device) if isinstance(like, Tensor) else self.status, self.upper.to(like))


class Observations(NamedTuple):
    """One batch: what was set, what was measured, and how well.

    Attributes:
        inputs: one tensor ``(n,)`` for each input column; empty for a plain sample.
        target: what was measured, ``(n,)``.
        sigma: standard deviation of each target, ``(n,)``, where it is known.
        censoring: which targets are bounds; None where all of them are values.
    """

    inputs: tuple[Tensor, ...]
    target: Tensor
    sigma: Tensor | None = None
    censoring: Censored | None = None

    @property
    def n(self) -> int:
        """How many observations there are."""
        return self.target.shape[-1]

    @property
    def measured(self) -> tuple[Tensor, Tensor | None, Censored | None]:
        """What an objective compares a prediction with: all but the inputs."""
        return self[1:]

    def rows(self, index: Tensor | slice) -> "Observations":
        """The observations at ``index``."""
        return Observations(
            tuple(column[index] for column in self.inputs),
            self.target[index],
            None if self.sigma is None else self.sigma[index],
            None if self.censoring is None else self.censoring.rows(index),
        )

    def to(self, like: torch.dtype | Tensor) -> "Observations":
        """The same observations in another precision, or on a tensor's device in its precision."""
        return Observations(
            tuple(column.to(like) for column in self.inputs),
            self.target.to(like),
            None if self.sigma is None else self.sigma.to(like),
            None if self.censoring is None else self.censoring.to(like),
        )
