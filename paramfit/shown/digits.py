"""Numbers with as many digits as their errors support."""

import math

__all__ = ["value_as_with_error", "with_error"]

_MOST_DIGITS = 15
_LARGEST_PLAIN = 1e6
_SMALLEST_PLAIN = 1e-3
_UNDETERMINED = 1e6  # times the value: so large an error says that nothing holds it, and cuts nothing off it


def with_error(value: float, error: float | None) -> str:
    """A value and its error, both to the error's second significant digit; three digits where nothing holds the value.

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
        return f"{value:.6g}"
    if error > _UNDETERMINED * abs(value) > 0:
        return f"{value:.3g} ± {error:.1e}"
    place = math.floor(math.log10(float(f"{error:.1e}"))) - 1
    largest = max(abs(value), error)
    if math.floor(math.log10(largest)) - place >= _MOST_DIGITS:
        return f"{value:.{_MOST_DIGITS}g} ± {error:.1e}"  # of an exact fit: more digits than a float64 has
    if _SMALLEST_PLAIN <= largest < _LARGEST_PLAIN and place >= -6:
        decimals = max(0, -place)
        return f"{value:.{decimals}f} ± {error:.{decimals}f}" if place <= 0 else _rounded(value, error, place)
    exponent = math.floor(math.log10(largest))
    decimals = max(0, exponent - place)
    scale = 10.0**exponent
    return f"({value / scale:.{decimals}f} ± {error / scale:.{decimals}f})e{exponent:+03d}"


def value_as_with_error(value: float, error: float | None) -> str:
    """A value alone, with the digits that it has beside its error.

    Example:
        >>> value_as_with_error(5.5015643181e-4, 7.2668688436e-6)
        '5.502e-04'
    """
    shown, _, rest = with_error(value, error).removeprefix("(").partition(" ± ")
    return shown + rest.partition(")")[2]


def _rounded(value: float, error: float, place: int) -> str:
    return f"{round(value, -place):.0f} ± {round(error, -place):.0f}"
