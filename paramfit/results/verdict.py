"""Underfitting, overfitting, or neither: what the two curves say."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

__all__ = ["CurvePoint", "FitVerdict", "Verdict", "fit_verdict"]

_FEWEST_POINTS = 4
_RISE = 0.05  # a validation loss this far above its lowest has risen
_STILL_FALLING = 0.02  # a loss that fell by more than this in the last quarter is still falling
_NEVER_FELL = 0.05  # a training loss that fell by less than this over the whole run has not learned


class CurvePoint(NamedTuple):
    """One point of the two curves."""

    update: int
    train: float
    validation: float


class Verdict(Enum):
    """What the two curves say; the values are the names in ``estimates.json``."""

    UNDERFITTING = "underfitting"
    OVERFITTING = "overfitting"
    NEITHER = "neither"


@dataclass(frozen=True)
class FitVerdict:
    """A verdict with the updates it rests on.

    Attributes:
        verdict: None where the curves cannot tell; ``reason`` says why.
        reason: the numbers behind it.
        updates: first and last update it rests on.
    """

    verdict: Verdict | None
    reason: str
    updates: tuple[int, int] | None = None


def fit_verdict(curve: Sequence[CurvePoint]) -> FitVerdict:
    """Judge a fit by its training and validation loss.

    Overfitting: the validation loss has risen by more than 5 % from its lowest point to the end, and still over the
    last quarter of the updates, while the training loss fell. Underfitting: at the end both still fall (by more than
    2 % each over the last quarter), or the training loss never fell by 5 %: more updates, a better learning rate or a
    richer model would help. Neither otherwise.

    Args:
        curve: points in the order of the updates, the first before any update; at least four.
    """
    if len(curve) < _FEWEST_POINTS:
        reason = f"two curves of at least {_FEWEST_POINTS} points are needed, but validation ran {len(curve)} times"
        return FitVerdict(None, reason)
    first, last = curve[0], curve[-1]
    lowest = min(curve, key=lambda point: point.validation)
    quarter = _where_last_quarter_begins(curve)
    risen = _rise(lowest.validation, last.validation) > _RISE and last.validation > quarter.validation
    if risen and last.train < lowest.train:
        reason = (
            f"from update {lowest.update} to {last.update} the validation loss rose from {lowest.validation:.4g} to"
            f" {last.validation:.4g} while the training loss fell from {lowest.train:.4g} to {last.train:.4g}"
        )
        return FitVerdict(Verdict.OVERFITTING, reason, (lowest.update, last.update))
    if not -_rise(first.train, last.train) > _NEVER_FELL:
        reason = (
            f"from update {first.update} to {last.update} the training loss hardly fell, from {first.train:.4g} to"
            f" {last.train:.4g}"
        )
        return FitVerdict(Verdict.UNDERFITTING, reason, (first.update, last.update))
    if min(-_rise(quarter.train, last.train), -_rise(quarter.validation, last.validation)) > _STILL_FALLING:
        reason = (
            f"from update {quarter.update} to {last.update} both losses were still falling: training from"
            f" {quarter.train:.4g} to {last.train:.4g}, validation from {quarter.validation:.4g} to"
            f" {last.validation:.4g}"
        )
        return FitVerdict(Verdict.UNDERFITTING, reason, (quarter.update, last.update))
    reason = (
        f"from update {quarter.update} to {last.update} neither curve moved much: training {quarter.train:.4g} to"
        f" {last.train:.4g}, validation {quarter.validation:.4g} to {last.validation:.4g}"
    )
    return FitVerdict(Verdict.NEITHER, reason, (quarter.update, last.update))


def _where_last_quarter_begins(curve: Sequence[CurvePoint]) -> CurvePoint:
    first, last = curve[0].update, curve[-1].update
    return next(point for point in reversed(curve[:-1]) if point.update <= first + 0.75 * (last - first))


def _rise(before: float, after: float) -> float:
    """Relative change, positive where the loss rose."""
    return (after - before) / max(abs(before), 1e-300)
