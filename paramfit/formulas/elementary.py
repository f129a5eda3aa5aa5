"""The functions that a formula may call: their values by torch, their derivatives by SymPy.

SymPy's own functions rewrite themselves as they are made (``erfc(-x)`` becomes ``2 - erfc(x)``, which has no digit left
where x is large) and would evaluate any number with any precision. Those here stay as they were written, and a call
with nothing but numbers becomes a float64 at once.
"""

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar

import sympy as sp
import torch
from sympy.printing.precedence import PRECEDENCE
from torch import Tensor

__all__ = ["CALLS", "CONSTANTS", "FUNCTIONS", "SLOPES", "Elementary", "Power", "Total", "is_finite", "number"]

_EXACT = 2**53  # integers up to here are float64 numbers

CONSTANTS = {"pi": math.pi, "e": math.e}


def number(value: Any) -> Any:
    """A number as the float64 it will be computed with: an exact integer or ratio where it is one, else a float."""
    if value.is_Rational and abs(value.p) <= _EXACT and value.q <= _EXACT:
        return value
    if not value.is_extended_real:
        return sp.nan
    try:
        close = float(value)
    except OverflowError:
        return sp.nan
    if not math.isfinite(close):
        return sp.nan
    return sp.Integer(int(close)) if close == int(close) and abs(close) <= _EXACT else sp.Float(close)


def is_finite(expression: Any) -> bool:
    """Whether nothing in an expression is infinite, undefined or complex."""
    return not expression.has(sp.nan, sp.zoo, sp.oo, -sp.oo, sp.I)


class Elementary(sp.Function):  # type: ignore[misc]  # SymPy has no types
    """A function that SymPy differentiates and leaves alone otherwise."""

    evaluate: ClassVar[Callable[..., Tensor]]
    slopes: ClassVar[tuple[Callable[..., Any], ...]] = ()

    @classmethod
    def eval(cls, *arguments: Any) -> Any:
        """A float where all arguments are numbers; otherwise the call stays."""
        if all(argument.is_number for argument in arguments):
            values = [torch.tensor(float(argument), dtype=torch.float64) for argument in arguments]
            return number(sp.Float(cls.evaluate(*values).item()))
        return None

    def fdiff(self, argindex: int = 1) -> Any:
        """Derivative by one argument; a name that nothing computes where a formula never needs it."""
        if not type(self).slopes:
            return sp.Function(f"{type(self).__name__}_slope")(*self.args)
        return type(self).slopes[argindex - 1](*self.args)


class Power(sp.Function):  # type: ignore[misc]  # SymPy has no types
    """A power as it was written: ``(x / b)**40`` must not become ``x**40 / b**40``, which overflows."""

    nargs = 2
    precedence = PRECEDENCE["Pow"]

    @classmethod
    def eval(cls, base: Any, exponent: Any) -> Any:
        """Without a power where the exponent is 0 or 1, a float where both are numbers."""
        if exponent == 1:
            return base
        if exponent == 0:
            return sp.Integer(1)
        if not (base.is_number and exponent.is_number):
            return None
        try:
            value = float(base) ** float(exponent)
        except (OverflowError, ZeroDivisionError):
            return sp.nan
        return sp.nan if isinstance(value, complex) else number(sp.Float(value))

    def fdiff(self, argindex: int = 1) -> Any:
        """``v u**(v - 1)``, and ``u**v log u``, which is 0 at u = 0 for a positive v."""
        base, exponent = self.args
        if argindex == 1:
            return exponent * Power(base, exponent - 1)
        return self * _FUNCTION["log"](base) if base.is_number else _FUNCTION["_xlogy"](self, base)


class Total(sp.Function):  # type: ignore[misc]  # SymPy has no types
    """A sum in the order in which it was written: ``(x - 1e9) + b`` must not become ``(x + b) - 1e9``."""

    precedence = PRECEDENCE["Add"]

    @classmethod
    def eval(cls, *terms: Any) -> Any:
        """Without what is 0, and an ordinary sum where the order cannot matter."""
        nonzero = [term for term in terms if term != 0]
        if len(nonzero) < len(terms):
            return cls(*nonzero)
        if len(terms) < 2 or not any(term.free_symbols for term in terms):
            return sp.Add(*terms)
        if len(terms) == 2 and not any(term.is_Add or isinstance(term, Total) for term in terms):
            return sp.Add(*terms)
        return None

    def fdiff(self, argindex: int = 1) -> Any:
        """1 by every term."""
        del argindex
        return sp.Integer(1)


def _tensors(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Any, Any], Tensor]:
    """A torch function of two tensors that takes numbers as well."""

    def call(first: Any, second: Any) -> Tensor:
        if not isinstance(first, Tensor):
            first = torch.as_tensor(first, dtype=second.dtype, device=second.device)
        elif not isinstance(second, Tensor):
            second = torch.as_tensor(second, dtype=first.dtype, device=first.device)
        return function(first, second)

    return call


def _made(name: str, evaluate: Callable[..., Tensor], *slopes: Callable[..., Any], arguments: int = 1) -> Any:
    body = {"evaluate": staticmethod(evaluate), "slopes": slopes, "nargs": arguments, "__module__": __name__}
    return type(name, (Elementary,), body)


_FUNCTION: dict[str, Any] = {}


def _call(name: str) -> Callable[..., Any]:
    """A function in a derivative: of SymPy's expressions, or of any other operand that has a ``call`` of its own."""
    return lambda u, *others: _FUNCTION[name](u, *others) if isinstance(u, sp.Basic) else u.call(name, *others)


_exp, _log, _sqrt, _cos, _sin, _tan, _cosh, _sinh, _sigmoid, _sign, _digamma, _trigamma = map(
    _call,
    ("exp", "log", "sqrt", "cos", "sin", "tan", "cosh", "sinh", "sigmoid", "_sign", "_digamma", "_trigamma"),
)

# name: value, derivative by each argument
_TABLE: dict[str, tuple[Callable[..., Tensor], tuple[Callable[..., Any], ...]]] = {
    "exp": (torch.exp, (_exp,)),
    "expm1": (torch.expm1, (_exp,)),
    "log": (torch.log, (lambda u: 1 / u,)),
    "log1p": (torch.log1p, (lambda u: 1 / (1 + u),)),
    "log2": (torch.log2, (lambda u: (1 / math.log(2)) / u,)),
    "log10": (torch.log10, (lambda u: (1 / math.log(10)) / u,)),
    "sqrt": (torch.sqrt, (lambda u: 1 / (2 * _sqrt(u)),)),
    "abs": (torch.abs, (lambda u: _sign(u),)),
    "sin": (torch.sin, (_cos,)),
    "cos": (torch.cos, (lambda u: -_sin(u),)),
    "tan": (torch.tan, (lambda u: 1 + _tan(u) ** 2,)),
    # (1 - u)(1 + u), not 1 - u**2, which has fewer digits near its zero
    "asin": (torch.asin, (lambda u: 1 / _sqrt((1 - u) * (1 + u)),)),
    "acos": (torch.acos, (lambda u: -1 / _sqrt((1 - u) * (1 + u)),)),
    "atan": (torch.atan, (lambda u: 1 / (1 + u**2),)),
    "sinh": (torch.sinh, (_cosh,)),
    "cosh": (torch.cosh, (_sinh,)),
    "tanh": (torch.tanh, (lambda u: 1 / _cosh(u) ** 2,)),
    "asinh": (torch.asinh, (lambda u: 1 / _sqrt(1 + u**2),)),
    "acosh": (torch.acosh, (lambda u: 1 / _sqrt((u - 1) * (u + 1)),)),
    "atanh": (torch.atanh, (lambda u: 1 / ((1 - u) * (1 + u)),)),
    "erf": (torch.erf, (lambda u: 2 / math.sqrt(math.pi) * _exp(-(u**2)),)),
    "erfc": (torch.erfc, (lambda u: -2 / math.sqrt(math.pi) * _exp(-(u**2)),)),
    "loggamma": (torch.lgamma, (lambda u: _digamma(u),)),
    "sigmoid": (torch.sigmoid, (lambda u: _sigmoid(u) * _sigmoid(-u),)),
    "atan2": (_tensors(torch.atan2), (lambda y, x: x / (x**2 + y**2), lambda y, x: -y / (x**2 + y**2))),
    "max": (_tensors(torch.maximum), (lambda a, b: (1 + _sign(a - b)) / 2, lambda a, b: (1 - _sign(a - b)) / 2)),
    "min": (_tensors(torch.minimum), (lambda a, b: (1 - _sign(a - b)) / 2, lambda a, b: (1 + _sign(a - b)) / 2)),
}
# By which derivatives are written; no formula can name what begins with an underscore.
_INNER: dict[str, tuple[Callable[..., Tensor], tuple[Callable[..., Any], ...]]] = {
    "_xlogy": (_tensors(torch.xlogy), (lambda _, b: _log(b), lambda a, b: a / b)),
    "_sign": (torch.sign, (lambda u: 0 * u,)),
    "_digamma": (torch.special.digamma, (lambda u: _trigamma(u),)),
    "_trigamma": (partial(torch.special.polygamma, 1), ()),  # nothing asks for third derivatives
}
_FUNCTION.update({name: _made(name, value, *slopes, arguments=len(slopes)) for name, (value, slopes) in _TABLE.items()})
# SymPy is asked whether derivatives vanish everywhere: that of a sign does not.
_FUNCTION |= {
    name: _made(name, value, *(slopes if name != "_sign" else ()), arguments=max(len(slopes), 1))
    for name, (value, slopes) in _INNER.items()
}

_SPELLINGS = {"ln": "log"}
_SPELLINGS |= {f"arc{name}": f"a{name}" for name in ("sin", "cos", "tan", "tan2", "sinh", "cosh", "tanh")}
_SPELLINGS |= {"expit": "sigmoid", "gammaln": "loggamma", "lgamma": "loggamma"}

#: Every name that a formula may call, other spellings included.
FUNCTIONS: Mapping[str, Any] = {
    **{name: _FUNCTION[name] for name in _TABLE},
    **{name: _FUNCTION[other] for name, other in _SPELLINGS.items()},
}

#: What computes them, and the derivatives that no formula can name.
CALLS: Mapping[str, Callable[..., Tensor]] = {name: value for name, (value, _) in {**_TABLE, **_INNER}.items()}

#: Their derivatives by each argument, of any operands with arithmetic and a ``call``.
SLOPES: Mapping[str, tuple[Callable[..., Any], ...]] = {
    name: slopes for name, (_, slopes) in {**_TABLE, **_INNER}.items()
}
