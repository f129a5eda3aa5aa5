"""The outcome of a fit, as data."""

import json
import math
from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["Estimate", "FitResult"]


@dataclass(frozen=True)
class Estimate:
    """A parameter's value with its error.

    Attributes:
        estimate: the value.
        standard_error: None where there is none; the result's notes say why.
        interval_95: None where there is no standard error.
        gradient: derivative of the loss by it at the end; None in original units.
        closed_form: the exact optimum, where a formula gives it.
        truth: the true value, where someone knows it.
    """

    estimate: float
    standard_error: float | None = None
    interval_95: tuple[float, float] | None = None
    gradient: float | None = None
    closed_form: float | None = None
    truth: float | None = None


@dataclass(frozen=True)
class FitResult:
    """What a fit found, how it ended, and how far it can be trusted. Written as ``estimates.json``.

    Attributes:
        task: class of the task.
        status: how it ended, a value of ``Status``.
        reason: the message that goes with it.
        updates: updates made.
        loss: final training and validation loss at the final parameters.
        n_observations: rows that trained and rows that validated.
        parameters: the estimates, on the normalised input where there is one.
        normalized_input: shift and scale of ``z = (x - shift) * scale``; None where the inputs were left alone.
        original_units: the estimates on the raw input; None where the model cannot undo the normalisation.
        distance_to_optimum_in_standard_errors: None with a reason in ``notes``.
        distances_per_parameter: ``|step_i| / standard_error_i``; empty where the distance is None.
        learning_rate_limit: largest stable learning rate at the start; None with a reason in ``notes``.
        condition_number: at the start; None with a reason in ``notes``.
        updates_to_converge: how many more updates would reach the optimum; None with a reason in ``notes``.
        verdict: underfitting, overfitting or neither; None with a reason in ``notes``.
        verdict_updates: first and last update the verdict rests on.
        uncertainty: what errors and intervals rest on.
        notes: reasons for what is missing, and numbers behind the verdict.
    """

    task: str
    status: str
    reason: str
    updates: int
    loss: dict[str, float | None]
    n_observations: dict[str, int]
    parameters: dict[str, Estimate]
    normalized_input: dict[str, Any] | None = None
    original_units: dict[str, Estimate] | None = None
    distance_to_optimum_in_standard_errors: float | None = None
    distances_per_parameter: dict[str, float] = field(default_factory=dict)
    learning_rate_limit: float | None = None
    condition_number: float | None = None
    updates_to_converge: int | None = None
    verdict: str | None = None
    verdict_updates: tuple[int, int] | None = None
    uncertainty: str = ""
    notes: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> str:
        """JSON with numbers in full precision; those that are not finite as strings."""
        return json.dumps(_plain(asdict(self)), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
