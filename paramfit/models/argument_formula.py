"""A formula that gives one argument of a distribution."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from paramfit.errors import InputError
from paramfit.formulas.compiled_formula import compiled
from paramfit.formulas.elementary import CONSTANTS
from paramfit.formulas.expression import names_in

__all__ = ["ArgumentFormula", "columns_for_constants", "formula_variables"]


class ArgumentFormula:
    """One argument as a formula of variables and some of the coefficients, with its exact derivatives.

    Raises:
        InputError: if the formula cannot be read.
    """

    def __init__(self, argument: str, text: str, variables: Sequence[str], coefficients: Sequence[str]) -> None:
        try:
            used = tuple(name for name in coefficients if name in names_in(text))
            self._compiled = compiled(text, variables, used)
        except InputError as refusal:
            raise InputError(f"parameters.{argument}: {refusal}") from refusal
        self.text = text
        self.coefficients = used

    def value(self, inputs: Sequence[Tensor], natural: Mapping[str, Tensor]) -> Tensor:
        """The argument, ``(n,)``, or ``()`` where no input is in the formula."""
        value = self._compiled.value(*inputs, *(natural[name] for name in self.coefficients))
        return value if isinstance(value, Tensor) else torch.tensor(value, dtype=torch.float64)

    def jacobian(self, inputs: Sequence[Tensor], natural: Mapping[str, Tensor]) -> dict[str, Tensor | float]:
        """Its derivative by each coefficient."""
        columns = self._compiled.jacobian(*inputs, *(natural[name] for name in self.coefficients))
        return dict(zip(self.coefficients, columns, strict=True))

    def locally_needed(
        self, inputs: Sequence[Tensor], natural: Mapping[str, Tensor], free: Sequence[str]
    ) -> Sequence[str]:
        """The free coefficients that its kinks do not leave out at every row."""
        moving = [name for name in self.coefficients if name in free]
        return self._compiled.locally_needed((*inputs, *(natural[name] for name in self.coefficients)), moving)

    def is_linear(self, coefficients: Sequence[str]) -> bool:
        """Whether its second derivatives by some of the coefficients vanish."""
        return self._compiled.is_linear(coefficients)


def formula_variables(
    formulas: Mapping[str, str], coefficients: Sequence[str], given: Sequence[str] | None
) -> Sequence[str]:
    """The names of the inputs: as given, or the one that is no coefficient.

    Raises:
        InputError: if several could be meant, or a given one is in no formula.
    """
    free = _free_names(formulas, coefficients)
    if given is None:
        names = [name for name in free if name not in CONSTANTS]
        if len(names) > 1:
            raise InputError(
                f"variables: the formulas have the names {', '.join(names)} that are no coefficients; give those that"
                " are inputs, in the order of the input columns"
            )
        return names
    for name in given:
        if isinstance(name, str) and name not in free:
            raise InputError(f"variables: no formula depends on {name}; leave it out of the variables (and the inputs)")
    return given


def columns_for_constants(formulas: Mapping[str, str], coefficients: Sequence[str], columns: Sequence[str]) -> set[str]:
    """Those of ``e`` and ``pi`` in the formulas that are names of columns, and so no constants."""
    return {name for name in _free_names(formulas, coefficients) if name in CONSTANTS and name in columns}


def _free_names(formulas: Mapping[str, str], coefficients: Sequence[str]) -> list[str]:
    names = dict.fromkeys(name for text in formulas.values() for name in names_in(text))
    return [name for name in names if name not in coefficients]
