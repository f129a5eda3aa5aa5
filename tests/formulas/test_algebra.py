"""Formulas that are one."""

import pytest

from paramfit.formulas.algebra import algebraic, same_formula
from paramfit.formulas.expression import parse_expression

NAMES = ["a", "b", "x"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("(a + b) * x", "b*x + x*a"), ("exp(a + b*x)", "exp(a) * exp(x)**b"), ("1 / (1 + exp(-x))", "sigmoid(x)"),
        ("exp(x) - 1", "expm1(x)"), ("sin(x)^2 + cos(x)^2", "1 + 0*x"), ("(x/b)^2", "x^2 / b^2"), ("0.5*x", "x/2"),
        ("(exp(x) - exp(-x)) / 2", "sinh(x)"),
    ],
)  # fmt: skip
def test_equal_formulas_are_one(one, other):
    assert same_formula(*(algebraic(parse_expression(text, NAMES)) for text in (one, other)))


@pytest.mark.parametrize(
    ("one", "other"), [("a*x", "b*x"), ("exp(x)", "1 + x"), ("abs(x)", "x"), ("a*exp(-b*x)", "a*exp(b*x)")]
)
def test_other_formulas_are_not(one, other):
    assert not same_formula(*(algebraic(parse_expression(text, NAMES)) for text in (one, other)))
