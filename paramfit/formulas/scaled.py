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

_DIGITS = 2.0**-40  # relative error from which on a number is given no float64
_ROUNDING = 2.0**-46  # relative error up to which a function is as exact as float64 makes it
_WHOLE = 2.0**52  # exponents beyond are rounded
_OUT = 500  # exponents beyond which a function of float64 may over- or underflow inside
_SHIFT = 1100  # bits after which nothing of a number is left
_FAR = 700.0  # where the exponential of float64 is near its ends
_FAR_ERFC = 26.0  # where erfc is
_SPLITTER = 2.0**27 + 1  # halves a mantissa
_LOG_2 = np.log(np.longdouble(2))
_EPS_LONG = float(np.finfo(np.longdouble).eps)

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
    is undefined has NaN for m and e. A difference that is not known but for its size, as of two that are smaller than
    all others, has NaN for m only, and e bounds its size.

    Exponents are float64, which is rounded beyond 2^52, and an exponential of u is known as well as u is: ``error``
    bounds how far log2 of the number may be from :math:`e + \log_2|m|`. A number that this leaves without digits is
    still known to be beyond float64, or below it.
    """

    def __init__(
        self,
        mantissa: Floats,
        exponent: Floats,
        error: Floats | float = 0.0,
        unsigned: NDArray[np.bool_] | bool = False,
    ) -> None:
        self.mantissa: Floats
        self.mantissa, shift = np.frexp(np.where(unsigned, np.nan, mantissa))
        undefined = np.isnan(self.mantissa)
        exponent = np.where(self.mantissa == 0, 0.0, exponent + np.where(undefined, 0, shift))
        self.exponent: Floats = np.where(undefined & ~(unsigned | (exponent == -np.inf)), np.nan, exponent)
        size = np.abs(self.exponent)
        rounding = np.where(size > _WHOLE, size / _WHOLE, 0.0)
        self.error: Floats = np.where((self.mantissa == 0) | ~np.isfinite(size), 0.0, error + rounding)

    @classmethod
    def of(cls, value: Any) -> "Scaled":
        """Of float64 numbers; infinite ones are undefined."""
        numbers = np.asarray(value, dtype=np.float64)
        return cls(np.where(np.isfinite(numbers), numbers, np.nan), np.zeros_like(numbers))

    def to_float(self) -> Floats:
        """As float64, infinite or 0 where it has no such number, NaN where too few of its digits are known."""
        below = self.highest < -_SHIFT
        unknown = np.isnan(self.exponent) | self.is_unsigned | self.is_rough & (self.lowest < _SHIFT)
        mantissa = np.where(below, 0.0, np.where(unknown, np.nan, self.mantissa))
        values: Floats = np.ldexp(mantissa, _as_shift(self.exponent))
        return values

    @property
    def order(self) -> Floats:
        """The exponent, below all others where the number is 0."""
        order: Floats = np.where(self.is_zero, -np.inf, self.exponent)
        return order

    @property
    def lowest(self) -> Floats:
        """The least exponent it may have."""
        return self.exponent - self.error

    @property
    def highest(self) -> Floats:
        """The largest exponent it may have."""
        return self.exponent + self.error

    @property
    def is_zero(self) -> NDArray[np.bool_]:
        """Where it is exactly 0."""
        zero: NDArray[np.bool_] = self.mantissa == 0
        return zero

    @property
    def is_unsigned(self) -> NDArray[np.bool_]:
        """Where it is of either sign and only its size is bounded."""
        unsigned: NDArray[np.bool_] = np.isnan(self.mantissa) & ~np.isnan(self.exponent)
        return unsigned

    @property
    def is_rough(self) -> NDArray[np.bool_]:
        """Where too few of its digits are known."""
        rough: NDArray[np.bool_] = self.is_unsigned | (self.error > _DIGITS)
        return rough

    def where(self, chosen: NDArray[np.bool_], other: Any) -> "Scaled":
        """These numbers where ``chosen``, others elsewhere."""
        other = _scaled(other)
        mantissa, exponent, error, unsigned = (
            np.where(chosen, getattr(self, part), getattr(other, part))
            for part in ("mantissa", "exponent", "error", "is_unsigned")
        )
        return Scaled(mantissa, exponent, error, unsigned)

    def less_exact(self, change: "Scaled") -> "Scaled":
        """These numbers with an error, or a bound, that covers a ``change``."""
        ratio = np.abs(np.ldexp(change.mantissa / self.mantissa, _as_shift(change.exponent - self.exponent)))
        covering = np.where(change.is_zero, 0.0, ratio / float(_LOG_2))
        exact_enough = Scaled(np.where(np.isnan(covering), np.nan, self.mantissa), self.exponent, self.error + covering)
        return (self + change).where(self.is_unsigned, exact_enough)

    def __neg__(self) -> "Scaled":
        return Scaled(-self.mantissa, self.exponent, self.error, self.is_unsigned)

    def __add__(self, other: Any) -> "Scaled":
        return self._sum(_scaled(other))[0]

    def add_with_error(self, other: "Scaled") -> tuple["Scaled", "Scaled"]:
        """The sum, and what rounding took from it (D. E. Knuth: Seminumerical Algorithms, 1997, section 4.2.2)."""
        total, one, another, apart = self._sum(other)
        mantissa = one + another
        kept = mantissa - one
        first, second = self.order, other.order
        rest = Scaled((one - (mantissa - kept)) + (another - kept), np.maximum(first, second))
        if apart.any():  # so far that nothing is left of the smaller
            rest = self.where(first < second, other).where(apart, rest)
        return total, rest.where(~total.is_rough, 0.0)

    def _sum(self, other: "Scaled") -> tuple["Scaled", Floats, Floats, NDArray[np.bool_]]:
        """The sum, both mantissas at the larger exponent, and where one of them has vanished."""
        first, second = self.order, other.order
        top = np.maximum(first, second)
        gap = np.where(first == second, 0.0, np.abs(first - second))
        shift = -np.minimum(np.nan_to_num(gap, nan=0.0), _SHIFT).astype(int)
        one, another = (np.where(number.is_unsigned, 0.0, number.mantissa) for number in (self, other))
        one = np.where(first < second, np.ldexp(one, shift), one)
        another = np.where(second < first, np.ldexp(another, shift), another)
        # Two numbers beyond all others have no difference, and a sum only if they have one sign.
        opposite = one * another < 0
        undefined = np.isnan(gap) | opposite & (top == np.inf)
        blurred = opposite & (first == second) & np.isneginf(top)
        total = Scaled(np.where(undefined, np.nan, one + another), top, unsigned=blurred)
        if (self.error > 0).any() or (other.error > 0).any() or (self.is_unsigned | other.is_unsigned).any():
            total = self._rough_sum(other, one, another, top).where(~(undefined | blurred), total)
        return total, one, another, gap >= _SHIFT - 60

    def _rough_sum(self, other: "Scaled", one: Floats, another: Floats, top: Floats) -> "Scaled":
        """The sum of mantissas at the exponent ``top``, with what is known of it."""
        first, second = self.order, other.order
        error, unsigned = (
            np.where(first >= second, getattr(self, part), getattr(other, part)) for part in ("error", "is_unsigned")
        )  # of the larger
        gap = np.abs(first - second) - self.error - other.error  # by which they differ for certain
        parts = np.abs(one) * np.expm1(self.error) + np.abs(another) * np.expm1(other.error)
        relative = np.where(parts == 0, 0.0, parts / np.abs(one + another))
        opposite = one * another < 0
        sign_is_lost = opposite & ~(relative < 0.25) & ~(gap >= 2)
        bound = np.where(sign_is_lost & (parts < 1), np.frexp(parts)[1], 1)  # of the size, as an exponent beside top
        largest = np.maximum(self.error, other.error)
        of_rough = np.where(sign_is_lost & (parts < 1), 0.0, np.where(opposite & (gap >= 2), error + 1, largest))
        near = ~(gap >= _SHIFT - 60)
        error = np.where(near, np.where(relative < 0.25, 2 * relative, of_rough), error)
        unsigned = np.where(near, self.is_unsigned | other.is_unsigned | sign_is_lost, unsigned)
        return Scaled(one + another, np.where(unsigned, top + bound, top), error, unsigned)

    def __sub__(self, other: Any) -> "Scaled":
        return self + -_scaled(other)

    def __mul__(self, other: Any) -> "Scaled":
        other = _scaled(other)
        product = self.mantissa * other.mantissa
        product = np.where(self.is_zero & other.is_unsigned | self.is_unsigned & other.is_zero, 0.0, product)
        exponent = self.exponent + other.exponent
        # 0 times what is beyond all numbers is 0; what is beyond times what is below is undefined.
        product = np.where(np.isnan(exponent) & (product != 0), np.nan, product)
        unsigned = (self.is_unsigned | other.is_unsigned) & ~np.isnan(exponent) & (product != 0)
        return Scaled(product, exponent, self.error + other.error, unsigned)

    def __truediv__(self, other: Any) -> "Scaled":
        other = _scaled(other)
        quotient = self.mantissa / np.where(other.is_zero, np.nan, other.mantissa)
        exponent = self.exponent - other.exponent
        quotient = np.where(np.isnan(exponent) & (quotient != 0), np.nan, quotient)
        unsigned = self.is_unsigned & ~np.isnan(other.mantissa) & ~other.is_zero & ~np.isnan(exponent)
        return Scaled(quotient, exponent + unsigned, self.error + other.error, unsigned)

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
        _, rest = _exact_product(self.mantissa, other.mantissa)
        return Scaled(np.where(product.is_zero | product.is_rough, 0.0, rest), self.exponent + other.exponent)

    def call(self, name: str, *others: Any) -> "Scaled":
        """An elementary function of them."""
        return _TWO[name](self, _scaled(others[0])) if others else _unary(name, self)


def _scaled(value: Any) -> Scaled:
    return value if isinstance(value, Scaled) else Scaled.of(value)


def _as_shift(exponent: Floats) -> NDArray[np.int_]:
    """An exponent as NumPy takes it, at the ends where float64 is at its."""
    shift: NDArray[np.int_] = np.clip(np.nan_to_num(exponent, nan=0.0), -2 * _SHIFT, 2 * _SHIFT).astype(int)
    return shift


def _exact_product(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """A product, and what rounding took from it (T. J. Dekker: A technique for extending precision, 1971)."""
    a_high, b_high = ((_SPLITTER * m) - ((_SPLITTER * m) - m) for m in (a, b))
    a_low, b_low = a - a_high, b - b_high
    return a * b, ((a_high * b_high - a * b) + a_high * b_low + a_low * b_high) + a_low * b_low


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
        near = ~u.is_zero & (u.highest < SMALL)
        if near.any():
            at_0, power, coefficient = FIRST_TERMS[name]
            first = Scaled.of(np.full_like(u.mantissa, at_0)) if at_0 else coefficient * u**power
            value = first.where(near, value)
    return value


def _beyond_rounding(error: Floats) -> Floats:
    kept: Floats = np.where(error > _ROUNDING, error, 0.0)
    return kept


def _exp(u: Scaled) -> Scaled:
    values = u.to_float()
    finite = np.where(np.isfinite(values), values, 0.0)
    whole = np.rint(finite / float(_LOG_2))
    rest = (finite.astype(np.longdouble) - whole * _LOG_2).astype(np.float64)
    return Scaled(
        np.where(np.isnan(values), np.nan, np.exp(np.clip(rest, -1, 1))),
        np.where(np.isinf(values), values, whole),
        _beyond_rounding(np.abs(finite) * (_EPS_LONG + u.error)),
    )


def _logarithm(u: Scaled) -> Scaled:
    mantissa = np.where(u.mantissa > 0, u.mantissa, np.nan)
    value = np.log(mantissa) + u.exponent * float(_LOG_2)
    relative = u.error / np.abs(value)
    return Scaled(
        np.where(np.isfinite(value), value, np.nan), 0.0 * value, np.where(relative < 0.25, 2 * relative, np.inf)
    )


def _erfc(u: Scaled) -> Scaled:
    values = torch.from_numpy(np.ascontiguousarray(u.to_float()))
    square = u * u
    return (
        _exp(-square)
        * _exp(-u.product_error(u, square))
        * _where_large(Scaled.of(torch.special.erfcx(values).numpy()), u)
    )


def _where_large(value: Scaled, u: Scaled) -> Scaled:
    return (1 / (math.sqrt(math.pi) * u)).where(u.lowest > _OUT, value)


def _power(u: Scaled, v: Scaled) -> Scaled:
    exponent = v.to_float()
    whole = np.isfinite(exponent) & (exponent == np.rint(exponent))
    odd = whole & (np.fmod(exponent, 2.0) != 0)
    undefined = (u.mantissa < 0) & ~whole | u.is_zero & (exponent < 0)
    plain_base = np.abs(u.to_float())
    plain = plain_base**exponent
    magnitude = np.log2(np.where(u.is_zero, 1.0, np.abs(u.mantissa)))
    two, rounded = _exact_product(u.exponent, exponent)
    floor = np.floor(two)
    rest = np.where(np.isfinite(two), two - np.where(np.isfinite(floor), floor, 0.0), 0.0) + magnitude * exponent
    rest = rest + np.where(np.isfinite(rounded), rounded, 0.0)
    turns = np.where(np.isfinite(rest), np.rint(rest), rest)
    fraction = np.where(np.isfinite(rest), rest - np.where(np.isfinite(turns), turns, 0.0), 0.0)
    given = np.abs(exponent) * u.error + np.where(v.error > 0, np.abs(two + magnitude * exponent) * v.error, 0.0)
    lost = np.where(np.isfinite(rounded), 0.0, np.abs(two)) + np.abs(magnitude * exponent)
    power = Scaled(
        np.where(np.isnan(two) | np.isnan(rest), np.nan, np.exp2(fraction)),
        floor + turns,
        given + _beyond_rounding(lost * np.finfo(np.float64).eps),
    )
    # Where nothing over- or underflows, and the base has all its digits, so has float64's own power.
    least = np.finfo(np.float64).tiny
    ends = (plain_base >= least) & np.isfinite(plain_base) & np.isfinite(plain) & (plain > least)
    power = Scaled(np.where(ends, plain, np.nan), np.zeros_like(plain), given).where(ends, power)
    power = Scaled.of(np.where(exponent == 0, 1.0, 0.0)).where(u.is_zero, power)
    power = Scaled.of(np.ones_like(exponent)).where(v.is_zero, power)
    signed = (-power).where((u.mantissa < 0) & odd, power)
    signed = Scaled.of(np.full_like(exponent, np.nan)).where(undefined | np.isnan(u.mantissa), signed)
    blurred = u.is_unsigned & whole & (exponent > 0)
    bound = Scaled(u.mantissa, u.exponent * exponent, u.error * exponent, blurred)
    return bound.where(blurred, signed)


def _sign(u: Scaled) -> Scaled:
    # What is 0 but for the limit is taken at 0 itself: the middle of the kink.
    sign = np.where(u.lowest < INFINITESIMAL, np.nan, np.sign(u.mantissa))
    return Scaled.of(np.where(u.highest < INFINITESIMAL, 0.0, sign))


def _larger(a: Scaled, b: Scaled) -> Scaled:
    return a.where((a - b).mantissa >= 0, b.where(~np.isnan((a - b).mantissa), Scaled.of(np.nan * a.mantissa)))


def _atan2(y: Scaled, x: Scaled) -> Scaled:
    top = np.maximum(y.order, x.order)
    top = np.where(np.isfinite(top), top, 0.0)
    ratio = y / x
    direct = Scaled.of(
        np.arctan2(*(Scaled(part.mantissa, part.exponent - top, part.error).to_float() for part in (y, x)))
    )
    undefined = np.isnan(ratio.exponent) & ~x.is_zero | y.is_unsigned & ~(x.mantissa > 0)
    direct = Scaled.of(np.full_like(top, np.nan)).where(undefined, direct)
    return ratio.where((x.mantissa > 0) & (ratio.highest < SMALL), direct)


def _beyond(limit: float) -> Callable[[Scaled], NDArray[np.bool_]]:
    return lambda u: np.abs(u.to_float()) > limit


def _outside(u: Scaled) -> NDArray[np.bool_]:
    outside: NDArray[np.bool_] = (u.lowest > _OUT) | (u.highest < -_OUT)
    return outside


def _large(u: Scaled) -> NDArray[np.bool_]:
    large: NDArray[np.bool_] = u.lowest > _OUT
    return large


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
    "abs": (_outside, lambda u: Scaled(np.abs(u.mantissa), u.exponent, u.error, u.is_unsigned)),
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
