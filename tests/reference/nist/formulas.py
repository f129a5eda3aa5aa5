"""The models of the NIST sets, each as one formula, and their evaluation by NumPy."""

from collections.abc import Mapping
from functools import cache
from types import CodeType
from typing import Any

import numpy as np

__all__ = ["FORMULAS", "INTERCHANGEABLE", "evaluate"]

_GAUSS = "b1*exp(-b2*x) + b3*exp(-(x - b4)**2/b5**2) + b6*exp(-(x - b7)**2/b8**2)"
_LANCZOS = "b1*exp(-b2*x) + b3*exp(-b4*x) + b5*exp(-b6*x)"
_CUBIC_RATIO = "(b1 + b2*x + b3*x**2 + b4*x**3)/(1 + b5*x + b6*x**2 + b7*x**3)"
_SATURATION = "b1*(1 - exp(-b2*x))"
_CHWIRUT = "exp(-b1*x)/(b2 + b3*x)"
_WAMPLER = "B0 + B1*x + B2*x**2 + B3*x**3 + B4*x**4 + B5*x**5"
_MEAN = "mu"

#: The right-hand side of each set's model; the left-hand side is y, but log(y) for Nelson.
FORMULAS = {
    "Bennett5": "b1*(b2 + x)**(-1/b3)",
    "BoxBOD": _SATURATION,
    "Chwirut1": _CHWIRUT,
    "Chwirut2": _CHWIRUT,
    "DanWood": "b1*x**b2",
    "ENSO": (
        "b1 + b2*cos(2*pi*x/12) + b3*sin(2*pi*x/12)"
        " + b5*cos(2*pi*x/b4) + b6*sin(2*pi*x/b4)"
        " + b8*cos(2*pi*x/b7) + b9*sin(2*pi*x/b7)"
    ),
    "Eckerle4": "(b1/b2)*exp(-0.5*((x - b3)/b2)**2)",
    "Gauss1": _GAUSS,
    "Gauss2": _GAUSS,
    "Gauss3": _GAUSS,
    "Hahn1": _CUBIC_RATIO,
    "Kirby2": "(b1 + b2*x + b3*x**2)/(1 + b4*x + b5*x**2)",
    "Lanczos1": _LANCZOS,
    "Lanczos2": _LANCZOS,
    "Lanczos3": _LANCZOS,
    "MGH09": "b1*(x**2 + x*b2)/(x**2 + x*b3 + b4)",
    "MGH10": "b1*exp(b2/(x + b3))",
    "MGH17": "b1 + b2*exp(-x*b4) + b3*exp(-x*b5)",
    "Misra1a": _SATURATION,
    "Misra1b": "b1*(1 - (1 + b2*x/2)**(-2))",
    "Misra1c": "b1*(1 - (1 + 2*b2*x)**(-0.5))",
    "Misra1d": "b1*b2*x*(1 + b2*x)**(-1)",
    "Nelson": "b1 - b2*x1*exp(-b3*x2)",
    "Rat42": "b1/(1 + exp(b2 - b3*x))",
    "Rat43": "b1/(1 + exp(b2 - b3*x))**(1/b4)",
    "Roszman1": "b1 - b2*x - arctan(b3/(x - b4))/pi",
    "Thurber": _CUBIC_RATIO,
    "Filip": " + ".join(["B0", "B1*x", *(f"B{power}*x**{power}" for power in range(2, 11))]),
    "Longley": "B0 + B1*x1 + B2*x2 + B3*x3 + B4*x4 + B5*x5 + B6*x6",
    "NoInt1": "B1*x",
    "NoInt2": "B1*x",
    "Norris": "B0 + B1*x",
    "Pontius": "B0 + B1*x + B2*x**2",
    "Wampler1": _WAMPLER,
    "Wampler2": _WAMPLER,
    "Wampler3": _WAMPLER,
    "Wampler4": _WAMPLER,
    "Wampler5": _WAMPLER,
    "Lew": _MEAN,
    "Lottery": _MEAN,
    "Mavro": _MEAN,
    "Michelso": _MEAN,
    "NumAcc1": _MEAN,
    "NumAcc2": _MEAN,
    "NumAcc3": _MEAN,
    "NumAcc4": _MEAN,
    "PiDigits": _MEAN,
}

#: Groups of parameters that may change places, term for term, and leave the model as it is.
INTERCHANGEABLE = {
    "MGH17": (("b2", "b4"), ("b3", "b5")),
    **dict.fromkeys(("Gauss1", "Gauss2", "Gauss3"), (("b3", "b4", "b5"), ("b6", "b7", "b8"))),
    **dict.fromkeys(("Lanczos1", "Lanczos2", "Lanczos3"), (("b1", "b2"), ("b3", "b4"), ("b5", "b6"))),
}

_FUNCTIONS: Mapping[str, Any] = {
    "__builtins__": {}, "exp": np.exp, "cos": np.cos, "sin": np.sin, "arctan": np.arctan, "pi": np.pi,
}  # fmt: skip


def evaluate(formula: str, values: Mapping[str, Any]) -> Any:
    """The formula's value by NumPy, given parameters and variables by name."""
    return eval(_compiled(formula), dict(_FUNCTIONS), dict(values))


@cache
def _compiled(formula: str) -> CodeType:
    return compile(formula, "<formula>", "eval")
