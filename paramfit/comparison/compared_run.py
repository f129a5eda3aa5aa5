"""What a comparison needs to know of a fit."""

import math
from dataclasses import dataclass
from functools import cached_property

from paramfit.comparison.symbolic_model import SymbolicModel
from paramfit.errors import InputError
from paramfit.results.fingerprint import Fingerprint
from paramfit.results.provenance import ModelDescription, Origin, Provenance
from paramfit.results.record import Record
from paramfit.results.statistics import InformationCriteria, LeastSquaresStatistics, SigmaIs

__all__ = ["ComparedRun"]


@dataclass(frozen=True)
class ComparedRun:
    """A fit that has a likelihood.

    Attributes:
        name: what it is called.
        record: its facts.

    Raises:
        InputError: if it has no likelihood to compare by, does not say what it was made of, or is damaged.
    """

    name: str
    record: Record

    def __post_init__(self) -> None:
        """Refuse what cannot be compared."""
        objective = self.provenance.objective
        if objective.penalised:
            raise InputError(
                f"{self.name}: a penalised fit is not at its largest likelihood; fit again without l1 and l2"
            )
        if self.record.least_squares is not None and objective.name != "SquaredError":
            raise InputError(f"{self.name}: {objective.name} is no likelihood; fit again with SquaredError to compare")
        unfinished = self.record.notes.get("information_criteria")
        if unfinished is not None:
            raise InputError(f"{self.name}: it has no information criteria: {unfinished}; fit on until it converges")
        numbers = [value for value in vars(self.criteria).values() if value is not None]
        if self.is_least_squares:
            numbers.append(self.least_squares.residual_sum_of_squares)
        if not all(map(math.isfinite, numbers)):
            why = "it fits exactly, has no maximum, or diverged"
            raise InputError(
                f"{self.name}: its likelihood is not a finite number ({why}), so that nothing can be compared with it"
            )
        self._check_parts()

    def _check_parts(self) -> None:
        """Refuse parts of a file that do not belong together."""
        model, columns = self.provenance.model, self.fingerprint.inputs
        scaling = self.record.normalized_input
        if scaling is not None and len(scaling.pairs) != len(columns):
            raise InputError(f"{self.name}: its normalized_input is not of its {len(columns)} input columns; fit again")
        if model.parameters is None:
            return
        missing = [name for name, spec in model.parameters.items() if spec.fixed is None and name not in self.estimates]
        if missing:
            raise InputError(f"{self.name}: it has no parameters.{missing[0]}; fit again")
        if len(model.variables) > len(columns):
            raise InputError(f"{self.name}: its model has more variables than its data have columns; fit again")

    @property
    def provenance(self) -> Provenance:
        """Data, model and objective in plain data.

        Raises:
            InputError: if the record does not say what it was made of.
        """
        made = self.record.provenance
        if made is None:
            raise InputError(f"{self.name}: it does not say what it was made of; fit again")
        return made

    @property
    def model(self) -> ModelDescription:
        """The model in plain data."""
        return self.provenance.model

    @property
    def origin(self) -> Origin | None:
        """Model and data, of a result that is in memory."""
        return self.record.made_of if isinstance(self.record.made_of, Origin) else None

    @property
    def is_least_squares(self) -> bool:
        """Whether errors are normal by assumption."""
        return self.record.likelihood is None

    @property
    def least_squares(self) -> LeastSquaresStatistics:
        """Statistics of least squares.

        Raises:
            InputError: if it gives no likelihood.
        """
        if self.record.least_squares is None:
            raise InputError(
                f"{self.name}: {self.record.task} gives no likelihood; fit with LeastSquares or MaximumLikelihood"
            )
        return self.record.least_squares

    @cached_property
    def criteria(self) -> InformationCriteria:
        """Log-likelihood and criteria; NaN where an exact fit has none."""
        statistics = self.record.likelihood or self.least_squares
        log_likelihood, aic, bic = (
            math.nan if value is None else value
            for value in (statistics.log_likelihood, statistics.aic, statistics.bic)
        )
        return InformationCriteria(log_likelihood, aic, statistics.aicc, bic)

    @property
    def sigma_is(self) -> SigmaIs | None:
        """How the sigma of least squares was taken."""
        return self.least_squares.sigma_is if self.is_least_squares else None

    @property
    def n(self) -> int:
        """How many observations trained."""
        return self.record.n_observations["train"]

    @property
    def n_parameters(self) -> int:
        """Estimated parameters, with sigma where it is estimated."""
        if self.record.likelihood is not None:
            return self.record.likelihood.n_parameters
        return self.n - self.least_squares.degrees_of_freedom + (self.sigma_is is not SigmaIs.ABSOLUTE)

    @property
    def fingerprint(self) -> Fingerprint:
        """Of its data."""
        return self.provenance.fingerprint

    @property
    def variables(self) -> list[str]:
        """What the inputs are called: by the model, or by their places."""
        named = self.model.variables
        return [*named, *(f"input {k}" for k in range(len(named), len(self.fingerprint.inputs)))]

    @property
    def label(self) -> str:
        """The model in a few words."""
        model = self.model
        if model.formula is not None:
            return model.formula
        if model.formulas is not None:
            arguments = (name if text == name else f"{name}={text}" for name, text in model.formulas.items())
            return f"{(model.distribution or '').rpartition('.')[2]}({', '.join(arguments)})"
        return model.path.rpartition(".")[2]

    @cached_property
    def written(self) -> SymbolicModel | None:
        """The model in formulas, where they say all of it.

        Raises:
            InputError: if a formula cannot be read.
        """
        if not self.model.is_written:
            return None
        try:
            return SymbolicModel(self.model, self.fingerprint.inputs)
        except InputError as refusal:
            raise InputError(f"{self.name}: its model cannot be read ({refusal}); fit again") from refusal

    @cached_property
    def estimates(self) -> dict[str, float]:
        """Each parameter's value, within its bounds, on the input as the model saw it."""
        return {name: estimate.estimate for name, estimate in self.record.parameters.items()}

    @property
    def at_bounds(self) -> dict[str, str]:
        """Parameters that ended at a bound, and at which."""
        return {
            name: estimate.at_bound
            for name, estimate in self.record.parameters.items()
            if estimate.at_bound is not None
        }

    @property
    def scaling(self) -> dict[str, tuple[float, float]]:
        """For each input column its shift and scale."""
        normalized, columns = self.record.normalized_input, self.fingerprint.inputs
        if normalized is None:
            return dict.fromkeys(columns, (0.0, 1.0))
        return dict(zip(columns, normalized.pairs, strict=True))
