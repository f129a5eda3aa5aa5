"""A fitted model that can be written: its formulas, and the numbers that stand for their names."""

from collections.abc import Mapping
from dataclasses import dataclass

from paramfit.errors import InputError
from paramfit.formulas.compiled_formula import CompiledFormula
from paramfit.formulas.names import is_name
from paramfit.results.record import Record
from paramfit.wording import printable, quoted

__all__ = ["WrittenModel"]

_PREDICTION = "prediction"


@dataclass(frozen=True)
class WrittenModel:
    """What formulas say of a fitted model.

    Attributes:
        formulas: of the prediction, or of each argument of the distribution by its name.
        distribution: the name of its class; None for a model that predicts.
        variables: names of the inputs.
        values: of each parameter, within its bounds, on the input as the fit had it.
        scaling: for each variable shift and scale of ``(x - shift) * scale``, where the fit normalised its inputs.
    """

    formulas: Mapping[str, CompiledFormula]
    distribution: str | None
    variables: tuple[str, ...]
    values: Mapping[str, float]
    scaling: Mapping[str, tuple[float, float]]

    @classmethod
    def of(cls, record: Record, purpose: str) -> "WrittenModel":
        """The model of a fit.

        Args:
            record: of the fit.
            purpose: begins the message: what it is written for.

        Raises:
            InputError: if no formula says what the model is, or one cannot be read.
        """
        described = record.model
        if described is None or described.parameters is None:
            what = "which the result does not name" if described is None else f"{described.path}, which is Python code"
            raise InputError(
                f"{purpose}: only a model that formulas say can be written (a formula, a line, a polynomial, the"
                f" arguments of a distribution), not {what}; give pt2 for the model itself, or csv, markdown or"
                " latex-table for its estimates"
            )
        variables = described.variables
        for name in (*variables, *described.parameters, *(described.formulas or {})):
            if not is_name(name):
                raise InputError(f"{purpose}: {quoted(name)} is no name of a variable or a parameter; fit again")
        texts = {_PREDICTION: described.formula} if described.formula is not None else described.formulas or {}
        values = {}
        for name, spec in described.parameters.items():
            if spec.fixed is None and name not in record.parameters:
                raise InputError(f"{purpose}: the result has no parameters.{name}; fit again")
            values[name] = record.parameters[name].estimate if spec.fixed is None else spec.fixed
        pairs = [] if record.normalized_input is None else record.normalized_input.pairs
        path = described.distribution
        return cls(
            formulas={
                name: CompiledFormula(text, variables, tuple(described.parameters)) for name, text in texts.items()
            },
            distribution=None if path is None else printable(path.rpartition(".")[2]),
            variables=variables,
            values=values,
            # a polynomial of degree 0 has no use for the input
            scaling=dict(zip(variables, pairs, strict=False)),
        )

    @property
    def prediction(self) -> CompiledFormula | None:
        """The formula of a model that predicts."""
        return self.formulas[_PREDICTION] if self.distribution is None else None
