"""What a comparison needs to know of a fit."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from paramfit.comparison.result_form import fault_of_result
from paramfit.comparison.written_model import WrittenModel
from paramfit.errors import InputError
from paramfit.results.fingerprint import Fingerprint
from paramfit.results.normalized_input import shifts_and_scales
from paramfit.results.origin import Origin

__all__ = ["ComparedRun"]


@dataclass(frozen=True)
class ComparedRun:
    """A fit that has a likelihood.

    Attributes:
        name: what it is called.
        plain: what ``estimates.json`` holds.
        origin: model and observations, of a result that is in memory.
        file: that it was read from, for messages.

    Raises:
        InputError: if it has no likelihood to compare by, does not say what it was made of, or is damaged.
    """

    name: str
    plain: Mapping[str, Any]
    origin: Origin | None = None
    file: Path | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be compared."""
        fault = fault_of_result(self.plain)
        if fault is not None:
            msg = f"{self.name}: {self.file or 'it'} {fault}; fit again"
            raise InputError(msg)
        objective = self.plain["objective"]
        if objective["penalised"]:
            msg = f"{self.name}: a penalised fit is not at its largest likelihood; fit again without l1 and l2"
            raise InputError(msg)
        if self.plain.get("least_squares") is not None and objective["class"] != "SquaredError":
            msg = f"{self.name}: {objective['class']} is no likelihood; fit again with SquaredError to compare"
            raise InputError(msg)
        if self._statistics is None:
            msg = f"{self.name}: {self.plain['task']} gives no likelihood; fit with LeastSquares or MaximumLikelihood"
            raise InputError(msg)
        if not all(map(_is_finite, map(self.number, self._needed))):
            why = "it fits exactly, or it diverged"
            msg = f"{self.name}: its likelihood is not a finite number ({why}), so that nothing can be compared with it"
            raise InputError(msg)

    @property
    def _needed(self) -> tuple[str, ...]:
        """The statistics that a comparison computes with."""
        found = ["log_likelihood", "aic", "bic"]
        found += ["aicc"] if self.number("aicc") is not None else []
        found += ["residual_sum_of_squares"] if self.is_least_squares else []
        return tuple(found)

    @property
    def _statistics(self) -> Mapping[str, Any] | None:
        found: Mapping[str, Any] | None = self.plain.get("likelihood") or self.plain.get("least_squares")
        return found

    def number(self, key: str) -> Any:
        """A statistic of the fit: ``log_likelihood``, ``aic``, ``aicc``, ``bic``, ..."""
        assert self._statistics is not None  # checked when it was made
        return self._statistics.get(key)

    @property
    def is_least_squares(self) -> bool:
        """Whether errors are normal by assumption."""
        return not self.plain.get("likelihood")

    @property
    def sigma_is(self) -> str | None:
        """How the sigma of least squares was taken."""
        found: str | None = self.number("sigma_is")
        return found

    @property
    def n(self) -> int:
        """How many observations trained."""
        found: int = self.plain["n_observations"]["train"]
        return found

    @property
    def n_parameters(self) -> int:
        """Estimated parameters, with sigma where it is estimated."""
        if not self.is_least_squares:
            return int(self.number("n_parameters"))
        return self.n - int(self.number("degrees_of_freedom")) + (self.sigma_is != "absolute")

    @cached_property
    def fingerprint(self) -> Fingerprint:
        """Of its data."""
        return Fingerprint.read(self.plain["fingerprint"])

    @property
    def variables(self) -> list[str]:
        """What the inputs are called: by the model, or by their places."""
        named = self.plain["model"].get("variables", [])
        return [*named, *(f"input {k}" for k in range(len(named), len(self.fingerprint.inputs)))]

    @property
    def label(self) -> str:
        """The model in a few words."""
        model = self.plain["model"]
        if "formula" in model:
            return str(model["formula"])
        if "formulas" in model:
            arguments = (name if text == name else f"{name}={text}" for name, text in model["formulas"].items())
            return f"{model['distribution'].rpartition('.')[2]}({', '.join(arguments)})"
        return str(model["class"].rpartition(".")[2])

    @cached_property
    def written(self) -> WrittenModel | None:
        """The model in formulas, where they say all of it.

        Raises:
            InputError: if a formula cannot be read.
        """
        model = self.plain["model"]
        if not WrittenModel.can_be_made_of(model):
            return None
        try:
            return WrittenModel(model, self.fingerprint.inputs)
        except InputError as refusal:
            msg = f"{self.name}: {self.file or 'it'} cannot be read ({refusal}); fit again"
            raise InputError(msg) from refusal

    @cached_property
    def estimates(self) -> dict[str, float]:
        """Each parameter's value, within its bounds, on the input as the model saw it."""
        return {name: float(found["estimate"]) for name, found in self.plain["parameters"].items()}

    @property
    def at_bounds(self) -> dict[str, str]:
        """Parameters that ended at a bound, and at which."""
        found = self.plain["parameters"].items()
        return {name: estimate["at_bound"] for name, estimate in found if estimate.get("at_bound")}

    @property
    def scaling(self) -> dict[str, tuple[float, float]]:
        """For each input column its shift and scale."""
        normalized = self.plain.get("normalized_input")
        columns = self.fingerprint.inputs
        if normalized is None:
            return dict.fromkeys(columns, (0.0, 1.0))
        return dict(zip(columns, shifts_and_scales(normalized), strict=True))


def _is_finite(number: Any) -> bool:
    return isinstance(number, float | int) and math.isfinite(number)
