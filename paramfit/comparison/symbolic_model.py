"""A model that is written out in formulas, computed at any parameters."""

import inspect
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import sympy as sp
import torch
from torch import Tensor
from torch.distributions import Distribution, constraints

from paramfit.distributions import log_density
from paramfit.distributions.families import FAMILIES
from paramfit.errors import InputError
from paramfit.formulas.compiled_formula import CompiledFormula
from paramfit.results.provenance import ModelDescription, ParameterDescription

__all__ = ["SymbolicModel"]

_PREDICTION = "prediction"
_HARMLESS = 0.5  # an argument that every constraint allows


class SymbolicModel:
    """What a ``ModelDescription`` says of a formula or a distribution.

    Args:
        described: a model that formulas say all of.
        inputs: for each variable what its column is to be called, so that models of the same columns share them.

    Attributes:
        compiled: each formula, of all variables and parameters.

    Raises:
        InputError: if a formula cannot be read, or the formulas are not for the distribution's arguments.
    """

    def __init__(self, described: ModelDescription, inputs: Sequence[str]) -> None:
        self.distribution = described.distribution
        self.formulas: Mapping[str, str] = (
            described.formulas or {} if described.formula is None else {_PREDICTION: described.formula}
        )
        self.variables = described.variables
        self.inputs = tuple(inputs)[: len(self.variables)]
        self.parameters: Mapping[str, ParameterDescription] = described.parameters or {}
        self.fixed = {name: spec.fixed for name, spec in self.parameters.items() if spec.fixed is not None}
        self.free = tuple(name for name in self.parameters if name not in self.fixed)
        self.compiled = {
            name: CompiledFormula(text, self.variables, tuple(self.parameters)) for name, text in self.formulas.items()
        }
        self._check_arguments()

    @cached_property
    def limits(self) -> Mapping[str, Any]:
        """The constraint of each argument of the distribution that has one of its own."""
        constraints_by_name: Any = getattr(self.kind, "arg_constraints", None)
        return (
            constraints_by_name if isinstance(constraints_by_name, Mapping) else {}
        )  # of Uniform's they are known only once it is made

    def _check_arguments(self) -> None:
        if self.kind is None:
            return
        try:
            inspect.signature(self.kind).bind(**self.formulas)
        except TypeError as wrong:
            raise InputError(f"formulas: {self.distribution} does not take them ({wrong})") from wrong

    @property
    def numbers(self) -> list[float]:
        """The numbers in the formulas."""
        literals = {
            float(number) for formula in self.compiled.values() for number in formula.expression.atoms(sp.Number)
        }
        return sorted(literals)

    @cached_property
    def kind(self) -> type[Distribution] | None:
        """The distribution's class, where it is torch's or ours: a file must not say what is imported."""
        package, _, name = (self.distribution or "").rpartition(".")
        ours = {f"{kind.__module__}.{kind.__qualname__}": kind for kind in FAMILIES}.get(self.distribution or "")
        kind = getattr(torch.distributions, name, None) if package.startswith("torch.distributions") else ours
        return kind if isinstance(kind, type) and issubclass(kind, Distribution) else None

    @property
    def is_discrete(self) -> bool:
        """Whether targets are whole numbers."""
        support: Any = None if self.kind is None else self.kind.support
        return bool(getattr(support, "is_discrete", False))

    def arguments(self, values: Mapping[str, Tensor], columns: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Each formula's value.

        Args:
            values: of the free parameters, each ``(..., 1)``.
            columns: by their names, each ``(n,)``.

        Returns:
            For each formula a tensor that broadcasts to ``(..., n)``.
        """
        given: list[Any] = [columns[name] for name in self.inputs]
        given += [
            values[name] if name in values else torch.tensor([self.fixed[name]]).double() for name in self.parameters
        ]
        values_by_name = {name: formula.unchecked_value(*given)[0] for name, formula in self.compiled.items()}
        return {name: torch.as_tensor(value, dtype=torch.float64) for name, value in values_by_name.items()}

    def outcome(self, values: Mapping[str, Tensor], columns: Mapping[str, Tensor], target: Tensor) -> Tensor:
        """What tells two models apart: the prediction, or the log density of targets, ``(..., n)``.

        Where a target is outside the distribution's support, minus infinity; where an argument is, not a number.

        Args:
            values: of the free parameters, each ``(..., 1)``.
            columns: by their names, each ``(n,)``.
            target: ``(n,)``.
        """
        arguments = self.arguments(values, columns)
        if self.kind is None:
            return arguments[_PREDICTION] + 0 * target
        allowed = torch.ones((), dtype=torch.bool)
        kinds: Any = constraints  # which torch leaves untyped
        for name, value in arguments.items():
            constraint = self.limits.get(name)  # RelaxedBernoulli has none for its temperature
            if constraint is not None and not kinds.is_dependent(constraint):
                inside = constraint.check(value)
                allowed = allowed & inside
                arguments[name] = torch.where(inside, value, _HARMLESS)  # some classes look although told not to
        made = self.kind(**arguments, validate_args=False)  # type: ignore[arg-type]  # a subclass has its own
        support: Any = made.support
        density: Tensor = torch.where(support.check(target), log_density(made, target), -torch.inf)
        return torch.where(allowed, density, torch.nan)

    def outside(self, name: str, value: float) -> bool:
        """Whether a parameter's value is beyond its bounds."""
        lower, upper = self.parameters[name].lower, self.parameters[name].upper
        return (lower is not None and value < lower) or (upper is not None and value > upper)

    def at_bound(self, name: str, value: float) -> bool:
        """Whether a parameter's value is one of its bounds, to rounding."""
        bounds = (self.parameters[name].lower, self.parameters[name].upper)
        return any(bound is not None and abs(value - bound) <= 1e-9 * max(abs(bound), 1.0) for bound in bounds)
