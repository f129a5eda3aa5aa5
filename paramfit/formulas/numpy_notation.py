"""Formulas as Python code for NumPy."""

from collections.abc import Mapping, Sequence

from paramfit.formulas.notation import ATOM, POWER, PRODUCT, SIGN, Notation, Written

__all__ = ["SPECIAL_FUNCTIONS", "NumpyNotation"]

#: What NumPy does not have, by the names that ``scipy.special`` gives it.
SPECIAL_FUNCTIONS: Mapping[str, str] = {"erf": "erf", "erfc": "erfc", "loggamma": "gammaln"}

_OF_NUMPY = {
    **{name: name for name in ("exp", "expm1", "log", "log1p", "log2", "log10", "sqrt", "abs")},
    **{name: name for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")},
    **{f"a{name}": f"arc{name}" for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh", "tan2")},
    "max": "maximum",
    "min": "minimum",
}


class NumpyNotation(Notation):
    """Python with ``np`` for NumPy, and special functions by their names in ``scipy.special``.

    Args:
        spelling: what a name is called in the code, where it is not its own.
    """

    def __init__(self, spelling: Mapping[str, str]) -> None:
        self._spelling = spelling

    def number(self, value: float) -> Written:
        """With all its digits."""
        return Written(repr(value), SIGN if value < 0 else ATOM)

    def symbol(self, name: str) -> Written:
        """As it is spelt."""
        return Written(self._spelling.get(name, name), ATOM)

    def product(self, left: Written, right: Written) -> Written:
        """From left to right."""
        return Written(f"{self.enclosed(left, PRODUCT)} * {self.enclosed(right, SIGN)}", PRODUCT)

    def quotient(self, left: Written, right: Written) -> Written:
        """From left to right."""
        return Written(f"{self.enclosed(left, PRODUCT)} / {self.enclosed(right, SIGN)}", PRODUCT)

    def power(self, base: Written, exponent: Written) -> Written:
        """As Python has it."""
        return Written(f"{self.enclosed(base, ATOM)} ** {self.enclosed(exponent, SIGN)}", POWER)

    def call(self, name: str, operands: Sequence[Written]) -> Written:
        """A function of NumPy's, or a special one."""
        inside = ", ".join(operand.text for operand in operands)
        if name == "sigmoid":  # which NumPy has not; in this form it neither overflows nor loses digits in its tail
            return Written(f"np.exp(-np.logaddexp(0.0, -({inside})))", ATOM)
        called = SPECIAL_FUNCTIONS.get(name) or f"np.{_OF_NUMPY[name]}"
        return Written(f"{called}({inside})", ATOM)
