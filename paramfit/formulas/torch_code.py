"""From SymPy expressions to one torch function that computes them all."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import sympy as sp
from sympy.printing.pycode import PythonCodePrinter
from torch import Tensor

from paramfit.errors import InputError
from paramfit.formulas.elementary import CALLS, Power, Total

__all__ = ["torch_function"]


def torch_function(arguments: Sequence[Any], expressions: Sequence[Any]) -> Callable[..., list[Tensor | float]]:
    """A function of tensors that computes all the expressions, each common part once.

    It takes the tensors of ``arguments``, symbols, in their order, and returns one tensor for each expression, or a
    float where it is a number.
    """
    exact = [sp.Float(float(one)) if one.is_Rational else one for one in expressions]
    # Common subexpressions have names that no formula can use.
    shared = partial(sp.cse, symbols=sp.numbered_symbols("_part", real=True), list=False)
    function: Callable[..., list[Tensor | float]] = sp.lambdify(
        list(arguments), exact, modules=[dict(CALLS)], printer=_TorchCode(), cse=shared, docstring_limit=0
    )
    return function


class _TorchCode(PythonCodePrinter):  # type: ignore[misc]  # SymPy has no types
    """Arithmetic by torch's operators; numbers as float64 literals with all their digits."""

    def _literal(self, expr: Any) -> str:
        try:
            value = float(expr)
        except OverflowError:
            value = math.inf
        if not math.isfinite(value):
            raise InputError("formula: its numbers, multiplied, are too large for float64; choose other units")
        return repr(value)

    _print_Float = _print_Rational = _literal

    def _print_Integer(self, expr: Any) -> str:
        return str(expr) if abs(expr) < 2**31 else self._literal(expr)

    def _print_Pow(self, expr: Any, rational: bool = False) -> str:
        del rational
        base, exponent = expr.args
        if exponent == -1:
            return f"1/{self.parenthesize(base, Power.precedence)}"
        return f"{self.parenthesize(base, Power.precedence)}**{self.parenthesize(exponent, Power.precedence)}"

    _print_Power = _print_Pow

    def _print_Total(self, expr: Any) -> str:
        first, *others = expr.args
        text: str = self.parenthesize(first, Total.precedence)
        for term in others:
            coefficient, _ = term.as_coeff_Mul()
            sign, term = (" - ", -term) if coefficient < 0 else (" + ", term)
            text += sign + self.parenthesize(term, Total.precedence)
        return text
