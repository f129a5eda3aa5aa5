"""Numbers that neither overflow nor underflow: a float64 times a power of 2 of any size."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from paramfit.formulas.elementary import CALLS

__all__ = ["FIRST_TERMS", "INFINITESIMAL", "SMALL", "Scaled"]

Floats = NDArray[np.float64]

SMALL = -54
"""Exponent below which the first terms of a series are all that float64 holds."""

INFINITESIMAL = -(2.0**14)
"""Exponent below which a number stands for 0 in a limit; no exponential of a float64 in use is as small."""

_OUT = 500  # exponents beyond which a function of float64 may over- or underflow inside
_SHIFT = 1100  # bits after which nothing of a number is left
_FAR = 700.0  # where the exponential of float64 is near its ends
_FAR_ERFC = 26.0  # where erfc is
_SPLITTER = 2.0**27 + 1  # halves a mantissa (T. J. Dekker: A floating-point technique for extending precision, 1971)
_LOG_2 = np.log(np.longdouble(2))

# Series about 0: the value there, and the first power with its coefficient; what is not here is 0 and u.
FIRST_TERMS: dict[str, tuple[float, int, float]] = {
    "exp": (1.0, 1, 1.0),
    "cos": (1.0, 2, -0.5),
    "cosh": (1.0, 2, 0.5),
    "acos": (math.pi / 2, 1, -1.0),
    "erf": (0.0, 1, 2 / math.sqrt(math.pi)),
    "erfc": (1.0, 1, -2 / math.sqrt(math.pi)),
    "sigmoid": (0.5, 1, 0.25),
    **{name: (0.0, 1, 1.0) for name in ("expm1", "log1p", "sin", "tan", "asin", "atan", "sinh", "tanh", "asinh")},
    "atanh": (0.0, 1, 1.0),
}


class Scaled:
    r"""An array of numbers :math:`m\,2^e` with m in [0.5, 1) or 0, and any integer e.

    An exponent that float64 itself cannot hold is infinite: such a number is larger, or smaller, than all others. What
    is undefined has NaN for m and e; a difference of two that are smaller than all others is so too, its sign is not
    determined, and it has NaN for m only.
    """

    def __init__(self, mantissa: Floats, exponent: Floats) -> None:
        fraction, shift = np.frexp(mantissa)
        self.mantissa: Floats = fraction
        exponent = np.where(fraction == 0, 0.0, exponent + shift)
        self.exponent: Floats = np.where(np.isnan(fraction) & (exponent != -np.inf), np.nan, exponent)

    @classmethod
    def of(cls, value: Any) -> "Scaled":
        """Of float64 numbers; infinite ones are undefined."""
        numbers = np.asarray(value, dtype=np.float64)
        return cls(np.where(np.isfinite(numbers), numbers, np.nan), np.zeros_like(numbers))

    def to_float(self) -> Floats:
        """As float64, infinite or 0 where it has no such number."""
        shift = np.clip(np.nan_to_num(self.exponent, nan=0.0), -2 * _SHIFT, 2 * _SHIFT).astype(int)
        mantissa = np.where(self.is_unsigned, 0.0, self.mantissa)
        values: Floats = np.ldexp(np.where(np.isnan(self.exponent), np.nan, mantissa), shift)
        return values

    @property
    def is_zero(self) -> NDArray[np.bool_]:
        """Where it is exactly 0."""
        zero: NDArray[np.bool_] = self.mantissa == 0
        return zero

    @property
    def is_unsigned(self) -> NDArray[np.bool_]:
        """Where it is smaller than all other numbers, and of either sign."""
        unsigned: NDArray[np.bool_] = np.isnan(self.mantissa) & (self.exponent == -np.inf)
        return unsigned

    def where(self, chosen: NDArray[np.bool_], other: Any) -> "Scaled":
        """These numbers where ``chosen``, others elsewhere."""
        other = _scaled(other)
        return Scaled(np.where(chosen, self.mantissa, other.mantissa), np.where(chosen, self.exponent, other.exponent))

    def __neg__(self) -> "Scaled":
        return Scaled(-self.mantissa, self.exponent)

    def __add__(self, other: Any) -> "Scaled":
        other = _scaled(other)
        top, one, another, _ = self._aligned(other)
        return Scaled(one + another, top)

    def add_with_error(self, other: "Scaled") -> tuple["Scaled", "Scaled"]:
        """The sum, and what rounding took from it (D. E. Knuth: Seminumerical Algorithms, 1997, section 4.2.2)."""
        top, one, another, apart = self._aligned(other)
        total = one + another
        kept = total - one
        error = Scaled((one - (total - kept)) + (another - kept), top)
        if apart.any():  # so far that nothing is left of the smaller
            smaller = self.where(np.where(self.is_zero, -np.inf, self.exponent) < top, other)
            error = smaller.where(apart, error)
        return Scaled(total, top), error

    def _aligned(self, other: "Scaled") -> tuple[Floats, Floats, Floats, NDArray[np.bool_]]:
        """The larger exponent, both mantissas at it, and where one of them has vanished."""
        first = np.where(self.is_zero, -np.inf, self.exponent)
        second = np.where(other.is_zero, -np.inf, other.exponent)
        top = np.maximum(first, second)
        gap = np.abs(first - second)
        # Two numbers beyond all others, or below them, have no difference that could be told, and a sum only if they
        # have one sign.
        opposite = (first == second) & np.isinf(top) & (self.mantissa * other.mantissa < 0)
        gap = np.where(first == second, 0.0, gap)
        shift = -np.minimum(np.nan_to_num(gap, nan=0.0), _SHIFT).astype(int)
        one, another = (
            np.where(number.is_unsigned & (top > -np.inf), 0.0, number.mantissa) for number in (self, other)
        )
        one = np.where(first < second, np.ldexp(one, shift), one)
        another = np.where(second < first, np.ldexp(another, shift), another)
        one = np.where(opposite, np.nan, one)
        top = np.where(self.is_zero & other.is_zero, 0.0, top)
        return np.where(np.isnan(gap), np.nan, top), one, another, gap >= _SHIFT - 60

    def __sub__(self, other: Any) -> "Scaled":
        return self + -_scaled(other)

    def __mul__(self, other: Any) -> "Scaled":
        other = _scaled(other)
        product = self.mantissa * other.mantissa
        product = np.where(self.is_zero & other.is_unsigned | self.is_unsigned & other.is_zero, 0.0, product)
        exponent = self.exponent + other.exponent
        # 0 times what is beyond all numbers is 0; what is beyond times what is below is undefined.
        return Scaled(np.where(np.isnan(exponent) & (product != 0), np.nan, product), exponent)

    def __truediv__(self, other: Any) -> "Scaled":
        other = _scaled(other)
        quotient = self.mantissa / np.where(other.is_zero, np.nan, other.mantissa)
        exponent = self.exponent - other.exponent
        return Scaled(np.where(np.isnan(exponent) & (quotient != 0), np.nan, quotient), exponent)

    def __pow__(self, other: Any) -> "Scaled":
        return _power(self, _scaled(other))

    def __radd__(self, other: Any) -> "Scaled":
        return self + _scaled(other)

    def __rsub__(self, other: Any) -> "Scaled":
        difference: Scaled = _scaled(other) - self
        return difference

    def __rmul__(self, other: Any) -> "Scaled":
        return self * _scaled(other)

    def __rtruediv__(self, other: Any) -> "Scaled":
        quotient: Scaled = _scaled(other) / self
        return quotient

    def product_error(self, other: "Scaled", product: "Scaled") -> "Scaled":
        """What rounding took from the product of two."""
        a, b = self.mantissa, other.mantissa
        a_high, b_high = ((_SPLITTER * m) - ((_SPLITTER * m) - m) for m in (a, b))
        a_low, b_low = a - a_high, b - b_high
        error = ((a_high * b_high - a * b) + a_high * b_low + a_low * b_high) + a_low * b_low
        return Scaled(np.where(product.is_zero, 0.0, error), self.exponent + other.exponent)

    def call(self, name: str, *others: Any) -> "Scaled":
        """An elementary function of them."""
        return _TWO[name](self, _scaled(others[0])) if others else _unary(name, self)


def _scaled(value: Any) -> Scaled:
    return value if isinstance(value, Scaled) else Scaled.of(value)


def _by_torch(name: str, numbers: Scaled) -> Scaled:
    values = numbers.to_float()
    return Scaled.of(CALLS[name](torch.from_numpy(np.ascontiguousarray(values))).numpy())


def _unary(name: str, u: Scaled) -> Scaled:
    value = _by_torch(name, u)
    if name in _FURTHER:
        far, further = _FURTHER[name]
        chosen = far(u)
        if chosen.any():
            value = further(u).where(chosen, value)
    if name in FIRST_TERMS:
        near = ~u.is_zero & (u.exponent < SMALL)
        if near.any():
            at_0, power, coefficient = FIRST_TERMS[name]
            first = Scaled.of(np.full_like(u.mantissa, at_0)) if at_0 else coefficient * u**power
            value = first.where(near, value)
    return value


def _exp(u: Scaled) -> Scaled:
    values = u.to_float()
    finite = np.where(np.isfinite(values), values, 0.0)
    whole = np.rint(finite / float(_LOG_2))
    rest = (finite.astype(np.longdouble) - whole * _LOG_2).astype(np.float64)
    return Scaled(
        np.where(np.isnan(values), np.nan, np.exp(np.clip(rest, -1, 1))), np.where(np.isinf(values), values, whole)
    )


def _logarithm(u: Scaled) -> Scaled:
    mantissa = np.where(u.mantissa > 0, u.mantissa, np.nan)
    return Scaled.of(np.log(mantissa) + u.exponent * float(_LOG_2))


def _erfc(u: Scaled) -> Scaled:
    values = torch.from_numpy(np.ascontiguousarray(u.to_float()))
    return _exp(-(u * u)) * _where_large(Scaled.of(torch.special.erfcx(values).numpy()), u)


def _where_large(value: Scaled, u: Scaled) -> Scaled:
    return (1 / (math.sqrt(math.pi) * u)).where(u.exponent > _OUT, value)


def _power(u: Scaled, v: Scaled) -> Scaled:
    exponent = v.to_float()
    whole = np.isfinite(exponent) & (exponent == np.rint(exponent))
    odd = whole & (np.fmod(exponent, 2.0) != 0)
    undefined = (u.mantissa < 0) & ~whole | u.is_zero & (exponent < 0)
    plain_base = np.abs(u.to_float())
    plain = plain_base**exponent
    magnitude, two = np.log2(np.where(u.is_zero, 1.0, np.abs(u.mantissa))), u.exponent * exponent
    floor = np.floor(two)
    rest = np.where(np.isfinite(two), two - np.where(np.isfinite(floor), floor, 0.0), 0.0) + magnitude * exponent
    turns = np.where(np.isfinite(rest), np.rint(rest), rest)
    fraction = np.where(np.isfinite(rest), rest - np.where(np.isfinite(turns), turns, 0.0), 0.0)
    power = Scaled(np.where(np.isnan(two) | np.isnan(rest), np.nan, np.exp2(fraction)), floor + turns)
    # Where nothing over- or underflows float64's own power has all its digits.
    ends = (plain_base > 0) & np.isfinite(plain_base) & np.isfinite(plain) & (plain > np.finfo(np.float64).tiny)
    power = Scaled.of(plain).where(ends, power)
    power = Scaled.of(np.where(exponent == 0, 1.0, 0.0)).where(u.is_zero, power)
    power = Scaled.of(np.ones_like(exponent)).where(v.is_zero, power)
    signed = (-power).where((u.mantissa < 0) & odd, power)
    signed = Scaled.of(np.full_like(exponent, np.nan)).where(undefined | np.isnan(u.mantissa), signed)
    return u.where(u.is_unsigned & whole & (exponent > 0), signed)


def _sign(u: Scaled) -> Scaled:
    # What is 0 but for the limit is taken at 0 itself: the middle of the kink.
    return Scaled.of(np.where(u.exponent < INFINITESIMAL, 0.0, np.sign(u.mantissa)))


def _larger(a: Scaled, b: Scaled) -> Scaled:
    return a.where((a - b).mantissa >= 0, b.where(~np.isnan((a - b).mantissa), Scaled.of(np.nan * a.mantissa)))


def _atan2(y: Scaled, x: Scaled) -> Scaled:
    top = np.maximum(np.where(y.is_zero, -np.inf, y.exponent), np.where(x.is_zero, -np.inf, x.exponent))
    top = np.where(np.isfinite(top), top, 0.0)
    ratio = y / x
    direct = Scaled.of(
        np.arctan2(Scaled(y.mantissa, y.exponent - top).to_float(), Scaled(x.mantissa, x.exponent - top).to_float())
    )
    undefined = np.isnan(ratio.exponent) & ~x.is_zero | y.is_unsigned & ~(x.mantissa > 0)
    direct = Scaled.of(np.full_like(top, np.nan)).where(undefined, direct)
    return ratio.where((x.mantissa > 0) & (ratio.exponent < SMALL), direct)


def _beyond(limit: float) -> Callable[[Scaled], NDArray[np.bool_]]:
    return lambda u: np.abs(u.to_float()) > limit


def _outside(u: Scaled) -> NDArray[np.bool_]:
    return np.abs(u.exponent) > _OUT


def _large(u: Scaled) -> NDArray[np.bool_]:
    return u.exponent > _OUT


def _limit(of: Callable[[Any], Any]) -> Callable[[Scaled], Scaled]:
    return lambda u: Scaled.of(of(np.sign(u.mantissa)))


def _gone(u: Scaled) -> Scaled:
    return Scaled.of(np.full_like(u.mantissa, np.nan))


_Further = tuple[Callable[[Scaled], NDArray[np.bool_]], Callable[[Scaled], Scaled]]

# Where torch's function of float64 would over- or underflow, and what it is there.
_FURTHER: dict[str, _Further] = {
    "exp": (_beyond(_FAR), _exp),
    "expm1": (_beyond(_FAR), lambda u: _exp(u) - 1),
    "sinh": (_beyond(_FAR), lambda u: (_exp(u) - _exp(-u)) * 0.5),
    "cosh": (_beyond(_FAR), lambda u: (_exp(u) + _exp(-u)) * 0.5),
    "sigmoid": (_beyond(_FAR), lambda u: 1 / (1 + _exp(-u))),
    "erfc": (lambda u: u.to_float() > _FAR_ERFC, _erfc),
    "log": (_outside, _logarithm),
    "log1p": (_large, _logarithm),
    "log2": (_outside, lambda u: _logarithm(u) * (1 / math.log(2))),
    "log10": (_outside, lambda u: _logarithm(u) * (1 / math.log(10))),
    "sqrt": (_outside, lambda u: u**0.5),
    "abs": (_outside, lambda u: Scaled(np.abs(u.mantissa), u.exponent)),
    "asinh": (_large, lambda u: _limit(lambda sign: sign)(u) * _logarithm(2 * _unary("abs", u))),
    "acosh": (_large, lambda u: _logarithm(2 * u)),
    "tanh": (_large, _limit(lambda sign: sign)),
    "erf": (_large, _limit(lambda sign: sign)),
    "atan": (_large, _limit(lambda sign: sign * (math.pi / 2))),
    **{name: (_large, _gone) for name in ("sin", "cos", "tan", "asin", "acos", "atanh")},
    "loggamma": (
        _outside,
        lambda u: (-_logarithm(_unary("abs", u))).where(u.exponent < 0, u * (_logarithm(u) - 1)),
    ),
    "_digamma": (_outside, lambda u: (-1 / u).where(u.exponent < 0, _logarithm(u))),
    "_trigamma": (_outside, lambda u: (1 / (u * u)).where(u.exponent < 0, (1 / u).where(u.mantissa > 0, _gone(u)))),
    "_sign": (lambda u: np.ones_like(u.mantissa, dtype=bool), _sign),
}

_TWO: dict[str, Callable[[Scaled, Scaled], Scaled]] = {
    "max": _larger,
    "min": lambda a, b: -_larger(-a, -b),
    "atan2": _atan2,
    "_xlogy": lambda a, b: (a * _unary("log", b)).where(~a.is_zero, a),
}
