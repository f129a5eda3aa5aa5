"""Errors of estimates, and what they rest on."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import Tensor

from paramfit.linalg.unit_free import WeakDirection

__all__ = ["BY_DELTA_METHOD", "Uncertainty", "weak_direction_in_words"]

BY_DELTA_METHOD = "; bounded parameters by the delta method"
"""What a method adds where parameters are bounded, and theta holds their unconstrained numbers."""


@dataclass(frozen=True)
class Uncertainty:
    """Covariance of the estimates, or why there is none.

    Attributes:
        covariance: ``(p, p)``, float64, of the elements of theta; None with a reason. Undetermined parameters have
            rows and columns of 0.
        reason: why there is none.
        quantile: half-width of a 95 % interval in standard errors.
        method: what covariance and quantile rest on.
        root: F with ``F F^T`` the covariance, where least squares gave it.
        undetermined: for each parameter without error, by its number, why.
        at_bound: numbers of the parameters that sit at a bound, which the other errors take as fixed.
        directions: what the observations cannot tell apart, one sentence each.
        noise: standard deviation of one new observation, or its factor on sigma; None where sigma is that itself, NaN
            where nothing is known of it.
        spread: the factor on ``(J^T J)^-1``'s root.
        kink: the argument of a distribution in which its log-density has a kink: the covariance is then by the expected
            information, since there is no observed one.
    """

    covariance: Tensor | None
    reason: str | None
    quantile: float
    method: str
    root: Tensor | None = None
    undetermined: dict[int, str] = field(default_factory=dict)
    at_bound: tuple[int, ...] = ()
    directions: tuple[str, ...] = ()
    noise: float | None = None
    spread: float = 1.0
    kink: str | None = None


def weak_direction_in_words(
    direction: WeakDirection, names: Sequence[str], effect: str = "change the prediction"
) -> str:
    """One clause that names what the observations do not determine.

    Args:
        direction: by the numbers of its parameters.
        names: what all parameters are called.
        effect: what a parameter does not do that changes nothing by itself.
    """
    involved = [names[k] for k in direction.places]
    if len(involved) == 1:
        return f"{involved[0]} does not {effect} at the estimate"
    if len(involved) == 2:
        sign = "−" if direction.shares[0] * direction.shares[1] < 0 else ""
        return f"{involved[0]} and {involved[1]} cannot be told apart: correlation {sign}1.00000"
    largest = max(map(abs, direction.shares))
    moves = " ".join(f"{share / largest:+.3g} {name}" for name, share in zip(involved, direction.shares, strict=True))
    listed = f"{', '.join(involved[:-1])} and {involved[-1]}"
    return f"{listed} cannot be told apart: moving them together by {moves} changes no prediction"
