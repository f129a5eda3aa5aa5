"""Numbers with as many digits as their errors support."""

import math
from decimal import ROUND_HALF_EVEN, Context, Decimal

__all__ = ["plain", "value_as_with_error", "with_error"]

_MOST_DIGITS = 15
_LARGEST_PLAIN = 1e6
_SMALLEST_PLAIN = 1e-3
_UNDETERMINED = 1e6  # times the value: so large an error says that nothing holds it, and cuts nothing off it
_EXACT = Context(prec=800, rounding=ROUND_HALF_EVEN)  # as many digits as any float64 has, and more


def plain(value: float, digits: int = 6) -> str:
    """A value alone, with so many significant digits; minus zero is zero.

    Example:
        >>> plain(-0.0), plain(1234567.0)
        ('0', '1.23457e+06')
    """
    return f"{value + 0.0:.{digits}g}"


def with_error(value: float, error: float | None) -> str:
    """A value and its error, both to the error's second significant digit; three digits where nothing holds the value.

    A value that is nothing beside its error, where both would share an exponent, keeps its own.

    Args:
        value: the estimate.
        error: its standard error; None, 0 or not finite for a value alone, with six digits.

    Example:
        >>> with_error(238.94212918, 2.7070075241)
        '238.9 ± 2.7'
        >>> with_error(5.5015643181e-4, 7.2668688436e-6)
        '(5.502 ± 0.073)e-04'
    """
    if error is None or not math.isfinite(error) or not error > 0 or not math.isfinite(value):
        return plain(value)
    if error > _UNDETERMINED * abs(value) > 0:
        return f"{value:.3g} ± {error:.1e}"
    place = _exponent(error, 2) - 1
    largest = max(abs(value), error)
    if _exponent(largest, _MOST_DIGITS) - place >= _MOST_DIGITS:
        return f"{value:.{_MOST_DIGITS}g} ± {error:.1e}"  # of an exact fit: more digits than a float64 has
    rounded = [_rounded(number, place) for number in (value, error)]
    is_plain = _SMALLEST_PLAIN <= largest < _LARGEST_PLAIN and place >= -6
    decimals = max(0, -place)
    if value and not rounded[0]:
        return f"{value:.2g} ± {rounded[1]:.{decimals}f}" if is_plain else f"{value:.2g} ± {error:.1e}"
    if is_plain:
        return f"{rounded[0]:.{decimals}f} ± {rounded[1]:.{decimals}f}"
    exponent = max(_exponent(number, _MOST_DIGITS) for number in rounded if number)
    decimals = max(0, exponent - place)
    shown = (number.scaleb(-exponent, _EXACT) for number in rounded)
    return "({:.{decimals}f} ± {:.{decimals}f})e{:+03d}".format(*shown, exponent, decimals=decimals)


def value_as_with_error(value: float, error: float | None) -> str:
    """A value alone, with the digits that it has beside its error.

    Example:
        >>> value_as_with_error(5.5015643181e-4, 7.2668688436e-6)
        '5.502e-04'
    """
    shown, _, rest = with_error(value, error).removeprefix("(").partition(" ± ")
    return shown + rest.partition(")")[2]


def _exponent(number: float | Decimal, digits: int) -> int:
    """Of the first of so many significant digits."""
    return int(f"{number:.{digits - 1}e}".partition("e")[2])


def _rounded(number: float, place: int) -> Decimal:
    """To a multiple of a power of ten, without the rounding of binary fractions; 0 has no sign."""
    return Decimal(number).quantize(Decimal(1).scaleb(place), context=_EXACT) + 0
