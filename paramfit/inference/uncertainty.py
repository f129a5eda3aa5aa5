"""Errors of estimates, and what they rest on."""

import math
from dataclasses import dataclass, field

from torch import Tensor

from paramfit.facts import Fact, FactKind, Reason

__all__ = ["Uncertainty", "without_errors"]


@dataclass(frozen=True)
class Uncertainty:
    """Covariance of the estimates, or why there is none.

    Attributes:
        covariance: ``(p, p)``, float64, of the elements of theta; None with a reason. Undetermined parameters have
            rows and columns of 0.
        reasons: why there is none, or why some parameters have none.
        quantile: half-width of a 95 % interval in standard errors.
        method: what covariance and quantile rest on.
        root: F with ``F F^T`` the covariance, where least squares gave it.
        undetermined: for each parameter without error, by its number, why.
        at_bound: numbers of the parameters that sit at a bound, which the other errors take as fixed.
        directions: what the observations cannot tell apart.
        noise: standard deviation of one new observation, or its factor on sigma; None where sigma is that itself, NaN
            where nothing is known of it.
        spread: the factor on ``(J^T J)^-1``'s root.
        kink: the argument of a distribution in which its log-density has a kink: the covariance is then by the expected
            information, since there is no observed one.
    """

    covariance: Tensor | None
    reasons: tuple[Reason, ...]
    quantile: float
    method: Fact
    root: Tensor | None = None
    undetermined: dict[int, Fact] = field(default_factory=dict)
    at_bound: tuple[int, ...] = ()
    directions: tuple[Fact, ...] = ()
    noise: float | None = None
    spread: float = 1.0
    kink: str | None = None


def without_errors(*reasons: Reason) -> Uncertainty:
    """No covariance, and why."""
    return Uncertainty(None, reasons, math.nan, Fact(FactKind.NO_METHOD))
