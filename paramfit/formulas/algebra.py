"""Whether two formulas are one, by algebra."""

from collections.abc import Callable
from typing import Any

import sympy as sp

from paramfit.formulas.elementary import FUNCTIONS, Power, Total
from paramfit.formulas.linearity import MOST_TERMS, expanded_terms

__all__ = ["algebraic", "same_formula"]

_AS_IN_SYMPY = ["exp", "log", "sqrt", "sin", "cos", "tan", "asin", "acos", "atan", "atan2", "sinh", "cosh", "tanh"]
_AS_IN_SYMPY += ["asinh", "acosh", "atanh", "erf", "erfc", "loggamma"]
_ALGEBRA: dict[str, Callable[..., Any]] = {
    **{name: getattr(sp, name) for name in _AS_IN_SYMPY},
    "expm1": lambda u: sp.exp(u) - 1,
    "log1p": lambda u: sp.log(1 + u),
    "log2": lambda u: sp.log(u) / sp.log(2),
    "log10": lambda u: sp.log(u) / sp.log(10),
    "abs": sp.Abs,
    "sigmoid": lambda u: 1 / (1 + sp.exp(-u)),
    # SymPy's own evaluation compares every argument with every other one.
    "max": lambda a, b: sp.Max(a, b, evaluate=False),
    "min": lambda a, b: sp.Min(a, b, evaluate=False),
}
_MOST_OPERATIONS = 150  # that simplify is asked about: its time grows fast


def algebraic(expression: Any) -> Any:
    """A formula as SymPy's own algebra has it, with numbers as exact ratios: its steps may now be rearranged."""
    plain = expression.replace(Power, sp.Pow).replace(Total, sp.Add)
    for name, function in _ALGEBRA.items():
        plain = plain.replace(FUNCTIONS[name], function)
    return sp.nsimplify(plain, rational=True)


def same_formula(one: Any, other: Any) -> bool:
    """Whether two algebraic expressions are equal for all values of their symbols.

    Example:
        >>> a, x = sp.symbols("a x", real=True)
        >>> same_formula((a + x) ** 2, a**2 + 2 * a * x + x**2), same_formula(a * x, a + x)
        (True, False)
    """
    difference = one - other
    if difference == 0 or expanded_terms(difference) > MOST_TERMS:
        return bool(difference == 0)
    difference = sp.expand(difference)
    if difference == 0:
        return True
    return bool(sp.count_ops(difference) <= _MOST_OPERATIONS and sp.simplify(difference) == 0)
