"""Numbers cut to what their errors support, by the rule of two significant digits."""

import math
import re
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paramfit.shown.digits import value_as_with_error, with_error


@pytest.mark.parametrize(
    ("value", "error", "shown"),
    [
        (238.94212918, 2.7070075241, "238.9 ± 2.7"), (-17.304785503, 1.9272273, "-17.3 ± 1.9"),
        (0.5367719209, 0.0355386, "0.537 ± 0.036"), (0.05, 0.0012, "0.0500 ± 0.0012"), (12345.6, 123.0, "12350 ± 120"),
        (3.2, 47.0, "3 ± 47"), (0.0, 0.25, "0.00 ± 0.25"), (1.0, 0.0996, "1.00 ± 0.10"), (1.0, 0.996, "1.0 ± 1.0"),
        (5.5015643181e-4, 7.2668688436e-6, "(5.502 ± 0.073)e-04"), (6.02214e23, 1.2e20, "(6.0221 ± 0.0012)e+23"),
        (2.5e-7, 1.1e-5, "2.5e-07 ± 1.1e-05"), (6.9e7, 6.9e10, "6.9e+07 ± 6.9e+10"),
        (-0.02, 5.0, "-0.02 ± 5.0"), (0.0, 6.9e10, "(0.0 ± 6.9)e+10"), (-0.0, 0.25, "0.00 ± 0.25"),
        (999999.7, 12.0, "1000000 ± 12"), (0.0129, 7.6e8, "0.0129 ± 7.6e+08"),
    ],
    ids=str,
)  # fmt: skip
def test_value_and_error_end_at_the_same_place(value, error, shown):
    assert with_error(value, error) == shown


@pytest.mark.parametrize("error", [None, 0.0, math.nan, math.inf], ids=str)
def test_value_without_error_has_six_digits(error):
    assert with_error(math.pi * 100, error) == "314.159"


@pytest.mark.parametrize("value", [math.nan, math.inf], ids=str)
def test_value_that_is_not_finite_stands_alone(value):
    assert with_error(value, 0.1) == str(value)


def parts(shown: str) -> tuple[str, str]:
    """Both numbers as texts, each with the exponent that stands behind the bracket."""
    match = re.fullmatch(r"\(?(\S+) ± ([^)\s]+)\)?(e[+-]\d+)?", shown)
    assert match is not None, shown
    exponent = match.group(3) or ""
    return match.group(1) + exponent, match.group(2) + exponent


def read(shown: str) -> tuple[float, float]:
    """What a reader takes from it."""
    value, error = parts(shown)
    return float(value), float(error)


@settings(max_examples=100, deadline=None)
@given(
    value=st.floats(-1e30, 1e30).filter(lambda value: value == 0 or abs(value) > 1e-30), error=st.floats(1e-25, 1e25)
)
def test_reader_gets_the_error_to_two_digits_and_the_value_within_a_tenth_of_it(value, error):
    shown_value, shown_error = read(with_error(value, error))
    assert shown_error == pytest.approx(error, rel=0.0501)
    assert abs(shown_value - value) <= 0.0501 * error + 1e-14 * abs(value)


@settings(max_examples=300, deadline=None)
@given(
    value=st.floats(allow_nan=False, allow_infinity=False),
    error=st.floats(5e-324, allow_infinity=False),
)
def test_what_is_printed_parses_back_within_half_a_unit_of_the_last_digit(value, error):
    second = Decimal(1).scaleb(int(f"{error:.1e}".partition("e")[2]) - 1)  # digit of the error, left of 0s without one
    for text, number in zip(parts(with_error(value, error)), (value, error), strict=True):
        unit = Decimal(1).scaleb(Decimal(text).as_tuple().exponent)  # type: ignore[arg-type]
        unit = max(unit, second) if unit == 1 else unit
        assert abs(Decimal(text) - Decimal(number)) <= unit / 2
        assert not (Decimal(text).is_zero() and text.startswith("-"))
        # It is not cut off: a value that is not zero shows a digit of its own.
        assert number == 0 or not Decimal(text).is_zero()


def test_error_below_rounding_shows_no_digits_that_a_float64_does_not_have():
    assert with_error(3.0000000000000004, 1.1e-16) == "3 ± 1.1e-16"
    assert with_error(0.1, 6.5e-17) == "0.1 ± 6.5e-17"


@pytest.mark.parametrize(
    ("value", "error", "shown"),
    [(238.94, 2.707, "238.9"), (5.50156e-4, 7.2669e-6, "5.502e-04"), (-1.5, None, "-1.5"), (float("inf"), 1.0, "inf")],
)
def test_value_alone_has_the_digits_of_its_error(value, error, shown):
    assert value_as_with_error(value, error) == shown
