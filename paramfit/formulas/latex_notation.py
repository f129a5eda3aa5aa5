"""Formulas, names and numbers in LaTeX."""

import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

from paramfit.formulas.notation import ATOM, POWER, PRODUCT, SIGN, Notation, Written
from paramfit.shown.escapes import GREEK_COMMANDS, latex_text

__all__ = ["LatexNotation", "latex_number", "latex_symbol"]

_GREEK = {
    *("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu", "nu"),
    *("xi", "pi", "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega"),
    *("Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma", "Upsilon", "Phi", "Psi", "Omega"),
}
_MOST_MULTIPLES = 12  # of pi that are recognised in a number
_LARGEST_DENOMINATOR = 99
_SHORT = 8  # characters of a number that needs no fraction
_DIGITS = "0123456789"


def latex_symbol(name: str) -> str:
    r"""A name as a symbol: digits behind it, and what follows an underscore, are its index.

    Letters that mathematics has no fonts for are set as text, which needs ``amsmath``.

    Example:
        >>> latex_symbol("b1"), latex_symbol("weight"), latex_symbol("coefficient_0"), latex_symbol("sigma_max")
        ('b_{1}', '\\mathrm{weight}', '\\mathrm{coefficient}_{0}', '\\sigma_{\\mathrm{max}}')
    """
    head, _, rest = name.strip("_").partition("_")
    stem = head.rstrip(_DIGITS) or head
    indices = [part for part in (head[len(stem) :], *rest.split("_")) if part]
    base = f"\\{stem}" if stem in _GREEK else _upright(stem)
    inner = ",".join(part if part.isdigit() else _upright(part) for part in indices)
    return f"{base}_{{{inner}}}" if inner else base


def _upright(text: str) -> str:
    if text in GREEK_COMMANDS:
        return GREEK_COMMANDS[text]
    if not text.isascii():
        return rf"\text{{{latex_text(text)}}}"
    return text if len(text) == 1 else rf"\mathrm{{{text}}}"


def latex_number(text: str) -> str:
    r"""A number, or a value with its error, that Python or a report has written, in LaTeX.

    Example:
        >>> latex_number("(5.502 ± 0.073)e-04"), latex_number("2.5e+07 ± 1.2e+06")
        ('(5.502 \\pm 0.073) \\times 10^{-4}', '2.5 \\times 10^{7} \\pm 1.2 \\times 10^{6}')
    """
    parts = []
    in_brackets = text.startswith("(")
    for part in [text.replace(" ± ", r" \pm ")] if in_brackets else text.split(" ± "):
        mantissa, exponential, exponent = part.partition(")e" if in_brackets else "e")
        mantissa = mantissa.replace("inf", r"\infty").replace("nan", r"\mathrm{NaN}")
        mantissa += ")" * in_brackets
        parts.append(rf"{mantissa} \times 10^{{{int(exponent)}}}" if exponential else mantissa)
    return r" \pm ".join(parts)


_OF_LATEX: Mapping[str, Callable[..., str]] = {
    "exp": lambda u: f"e^{{{u}}}",
    "sqrt": lambda u: rf"\sqrt{{{u}}}",
    "abs": lambda u: rf"\left|{u}\right|",
    "expm1": lambda u: rf"\left(e^{{{u}}} - 1\right)",
    "log1p": lambda u: rf"\ln\left(1 + {u}\right)",
    "log2": lambda u: rf"\log_{{2}}\left({u}\right)",
    "log10": lambda u: rf"\log_{{10}}\left({u}\right)",
}
_CALLED = {
    **{name: rf"\{name}" for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh", "min", "max")},
    **{f"a{name}": rf"\arc{name}" for name in ("sin", "cos", "tan")},
    **{f"a{name}": rf"\operatorname{{ar{name}}}" for name in ("sinh", "cosh", "tanh")},
    **{name: rf"\operatorname{{{name}}}" for name in ("atan2", "erf", "erfc", "sigmoid")},
    "log": r"\ln",
    "loggamma": r"\ln\Gamma",
}


class LatexNotation(Notation):
    """Mathematics: quotients as fractions, products by a thin space."""

    brackets = (r"\left(", r"\right)")

    def number(self, value: float) -> Written:
        """As short as it can be said exactly, by a multiple of pi or a simple fraction where it is one."""
        sign, size = "-" * (value < 0), abs(float(value))
        if size / math.pi in range(1, _MOST_MULTIPLES + 1):
            multiple = "" if size == math.pi else f"{size / math.pi:.0f}"
            return Written(rf"{sign}{multiple}\pi", SIGN)
        if size == math.e:
            return Written(f"{sign}e", SIGN)
        ratio = Fraction(size).limit_denominator(_LARGEST_DENOMINATOR)
        if len(repr(size)) > _SHORT and ratio.numerator / ratio.denominator == size and ratio.denominator > 1:
            return Written(rf"{sign}\frac{{{ratio.numerator}}}{{{ratio.denominator}}}", SIGN)
        text = latex_number(repr(int(value) if size.is_integer() and size < 2**53 else value))
        return Written(text, ATOM if text.isdigit() or text.replace(".", "", 1).isdigit() else SIGN)

    def symbol(self, name: str) -> Written:
        """With its index."""
        return Written(latex_symbol(name), ATOM)

    def product(self, left: Written, right: Written) -> Written:
        """By a thin space, or a dot between numbers."""
        first, second = self.enclosed(left, PRODUCT), self.unsigned(right, SIGN)
        return Written((r" \cdot " if second[0] in _DIGITS else r" \, ").join((first, second)), PRODUCT)

    def quotient(self, left: Written, right: Written) -> Written:
        """A fraction, inside which nothing needs brackets."""
        return Written(rf"\frac{{{left.text}}}{{{right.text}}}", SIGN)

    def power(self, base: Written, exponent: Written) -> Written:
        """An exponent needs no brackets either."""
        return Written(f"{{{self.enclosed(base, ATOM)}}}^{{{exponent.text}}}", POWER)

    def call(self, name: str, operands: Sequence[Written]) -> Written:
        """By its usual sign; a power of e binds like any other."""
        texts = [operand.text for operand in operands]
        if name in _OF_LATEX:
            return Written(_OF_LATEX[name](*texts), POWER if name == "exp" else ATOM)
        return Written(rf"{_CALLED[name]}\left({', '.join(texts)}\right)", ATOM)
