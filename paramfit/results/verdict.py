"""Underfitting, overfitting, or neither: what the two curves say."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from paramfit.facts import Fact, FactKind

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


class Verdict(StrEnum):
    """What the two curves say; the values are the names in ``estimates.json``."""

    UNDERFITTING = "underfitting"
    OVERFITTING = "overfitting"
    NEITHER = "neither"


@dataclass(frozen=True)
class FitVerdict:
    """A verdict with the updates it rests on.

    Attributes:
        verdict: None where the curves cannot tell; ``reason`` says why.
        reason: what it rests on, with the numbers.
        updates: first and last update it rests on.
    """

    verdict: Verdict | None
    reason: Fact
    updates: tuple[int, int] | None = None


def fit_verdict(curve: Sequence[CurvePoint]) -> FitVerdict:
    """Judge a fit by its training and validation loss.

    Overfitting: the validation loss has risen by more than 5 % from its lowest point to the end, and still over the
    last quarter of the updates, while the training loss fell. Underfitting: at the end both still fall (by more than
    2 % each over the last quarter), or the training loss never fell by 5 %: more updates, a better learning rate or a
    richer model would help. Neither otherwise.
    """
    if len(curve) < _FEWEST_POINTS:
        numbers = {"least": _FEWEST_POINTS, "points": len(curve)}
        return FitVerdict(None, Fact(FactKind.TOO_FEW_POINTS, numbers=numbers))
    first, last = curve[0], curve[-1]
    lowest = min(curve, key=lambda point: point.validation)
    quarter = _where_last_quarter_begins(curve)
    risen = _rise(lowest.validation, last.validation) > _RISE and last.validation > quarter.validation
    if risen and last.train < lowest.train:
        return _between(lowest, last, Verdict.OVERFITTING, FactKind.VALIDATION_ROSE)
    if not -_rise(first.train, last.train) > _NEVER_FELL:
        return _between(first, last, Verdict.UNDERFITTING, FactKind.TRAINING_HARDLY_FELL)
    if min(-_rise(quarter.train, last.train), -_rise(quarter.validation, last.validation)) > _STILL_FALLING:
        return _between(quarter, last, Verdict.UNDERFITTING, FactKind.BOTH_STILL_FALLING)
    return _between(quarter, last, Verdict.NEITHER, FactKind.NEITHER_MOVED)


def _between(begin: CurvePoint, end: CurvePoint, verdict: Verdict, kind: FactKind) -> FitVerdict:
    numbers = {
        "begin": begin.update,
        "end": end.update,
        "train_begin": begin.train,
        "train_end": end.train,
        "val_begin": begin.validation,
        "val_end": end.validation,
    }
    return FitVerdict(verdict, Fact(kind, numbers=numbers), (begin.update, end.update))


def _where_last_quarter_begins(curve: Sequence[CurvePoint]) -> CurvePoint:
    first, last = curve[0].update, curve[-1].update
    return next(point for point in reversed(curve[:-1]) if point.update <= first + 0.75 * (last - first))


def _rise(before: float, after: float) -> float:
    """Relative change, positive where the loss rose."""
    return (after - before) / max(abs(before), 1e-300)
