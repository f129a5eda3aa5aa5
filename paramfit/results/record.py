"""The outcome of a fit, as data."""

import json
import math
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from paramfit.errors import InputError
from paramfit.inference.bands import Bands, FittedCurve
from paramfit.results.fingerprint import Fingerprint
from paramfit.results.new_rows import columns_of
from paramfit.results.normalized_input import shifts_and_scales
from paramfit.results.origin import Origin, describe_model, describe_objective
from paramfit.shown.notebook import as_html

if TYPE_CHECKING:
    from rich.console import RenderableType

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
        unit: as the user gave it.
        fixed: whether it kept its start.
        at_bound: ``lower`` or ``upper`` where the estimate sits at that bound.
    """

    estimate: float
    standard_error: float | None = None
    interval_95: tuple[float, float] | None = None
    gradient: float | None = None
    closed_form: float | None = None
    truth: float | None = None
    unit: str | None = None
    fixed: bool = False
    at_bound: str | None = None

    def without_gradient(self) -> "Estimate":
        """The same, on another scale than that of the descent; in a quarter of ``replace``'s time."""
        return Estimate(**{**self.__dict__, "gradient": None})


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
        covariance: of the estimates within their bounds: ``parameters``, their names, and ``matrix`` in that order.
        correlation: the same, as correlations.
        least_squares: statistics of a least-squares fit (``LeastSquaresStatistics``), and ``sigma_is``.
        likelihood: of a fit by maximum likelihood: ``log_likelihood``, ``n_parameters`` (estimated ones), ``aic``,
            ``aicc`` (None for too few observations) and ``bic``; None for any other.
        warnings: what to be careful about, each with a cure.
        curve: the fitted curve with its bands; it is not part of ``estimates.json``.
        ladder: the errors by other ways, side by side, where it was asked for (``Ladder.as_dict``).
        origin: the model, the objective and the raw observations that trained; it is not part of ``estimates.json``
            but gives its keys ``fingerprint``, ``model`` and ``objective``.
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
    covariance: dict[str, Any] | None = None
    correlation: dict[str, Any] | None = None
    least_squares: dict[str, Any] | None = None
    likelihood: dict[str, Any] | None = None
    warnings: list[str] = field(default_factory=list)
    curve: FittedCurve | None = field(default=None, repr=False, compare=False)
    ladder: dict[str, Any] | None = None
    origin: Origin | None = field(default=None, repr=False, compare=False)

    @cached_property
    def fingerprint(self) -> str | None:
        """Of the data that trained: equal for equal columns and rows (``Fingerprint``)."""
        return None if self.origin is None else str(Fingerprint.of(self.origin.observations))

    @cached_property
    def model(self) -> dict[str, Any] | None:
        """The model in plain data (``describe_model``)."""
        return None if self.origin is None else describe_model(self.origin.model)

    @cached_property
    def objective(self) -> dict[str, Any] | None:
        """The objective in plain data (``describe_objective``)."""
        return None if self.origin is None else describe_objective(self.origin.objective)

    def to_plain(self) -> dict[str, Any]:
        """What ``estimates.json`` holds, as dictionaries, lists and numbers."""
        kept = asdict(replace(self, curve=None, origin=None))
        del kept["curve"], kept["origin"]
        return {**kept, "fingerprint": self.fingerprint, "model": self.model, "objective": self.objective}

    def to_json(self) -> str:
        """JSON with numbers in full precision; those that are not finite as strings."""
        kept = self.to_plain()
        return json.dumps(_plain(kept), indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    def predict(self, *inputs: Any, sigma: Any = None) -> Bands:
        """The fitted curve with its 95 % bands at other inputs.

        Args:
            inputs: one row of numbers ``(n,)`` (or one number) for each input column, not normalised.
            sigma: standard deviation of a new observation at each row (or one for all), where the fit had a sigma.

        Raises:
            InputError: if the fit has no errors, for another number of inputs, for columns of unequal lengths, and for
                what is no row of numbers.
        """
        if self.curve is None:
            because = self.notes.get("standard_error", "it is no least-squares fit")
            msg = f"there are no bands: {because}"
            raise InputError(msg)
        columns, spread = columns_of(inputs, sigma)
        if self.normalized_input is not None:
            pairs = shifts_and_scales(self.normalized_input)
            if len(columns) != len(pairs):
                msg = f"predict: the fit had {len(pairs)} input columns, but got {len(columns)}"
                raise InputError(msg)
            columns = tuple((x - shift) * scale for x, (shift, scale) in zip(columns, pairs, strict=True))
        try:
            return self.curve.at(columns, spread)
        except TypeError as wrong:
            msg = f"predict: the model takes other inputs than {len(columns)} columns ({wrong})"
            raise InputError(msg) from wrong

    def __rich__(self) -> "RenderableType":
        """The report, for rich's ``print``."""
        from paramfit.results.report import fit_report

        return fit_report(self)

    def _repr_html_(self) -> str:
        """The report, for a notebook."""
        return as_html(self)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
