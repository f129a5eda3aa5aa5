"""A formula that gives one argument of a distribution."""

import ast
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from paramfit.errors import InputError
from paramfit.formulas.compiled_formula import CompiledFormula
from paramfit.formulas.elementary import FUNCTIONS

__all__ = ["ArgumentFormula", "formula_variables"]

_CONSTANTS = {"pi", "e"}


class ArgumentFormula:
    """One argument as a formula of variables and some of the coefficients, with its exact derivatives.

    Raises:
        InputError: if the formula cannot be read.
    """

    def __init__(self, argument: str, text: str, variables: Sequence[str], coefficients: Sequence[str]) -> None:
        try:
            used = tuple(name for name in coefficients if name in _names(text))
            self._compiled = CompiledFormula(text, variables, used)
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


def formula_variables(
    formulas: Mapping[str, str], coefficients: Sequence[str], given: Sequence[str] | None
) -> Sequence[str]:
    """The names of the inputs: as given, or the one that is no coefficient.

    Raises:
        InputError: if several could be meant, or a given one is in no formula.
    """
    names: list[str] = []
    for text in formulas.values():
        names += [name for name in _names(text) if name not in coefficients and name not in names]
    if given is None:
        if len(names) > 1:
            raise InputError(
                f"variables: the formulas have the names {', '.join(names)} that are no coefficients; give those that"
                " are inputs, in the order of the input columns"
            )
        return names
    for name in given:
        if isinstance(name, str) and name not in names:
            raise InputError(f"variables: no formula depends on {name}; leave it out of the variables (and the inputs)")
    return given


def _names(text: str) -> list[str]:
    """The names in a formula that are no functions; none where it cannot be read, which the parser says."""
    try:
        tree = ast.parse(text.replace("^", "**"), mode="eval")
    except SyntaxError:
        return []
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in called]
    names = dict.fromkeys(node.id for node in sorted(nodes, key=lambda node: node.col_offset))
    return [name for name in names if name not in FUNCTIONS and name not in _CONSTANTS]
