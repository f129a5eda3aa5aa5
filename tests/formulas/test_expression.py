"""The formula parser: what it takes, what it refuses, and how it says so."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from paramfit import FormulaModel, InputError
from paramfit.formulas.algebra import algebraic, same_formula
from paramfit.formulas.expression import parse_expression

NAMES = ["x", "a", "b"]
X = np.array([0.3, 1.7, 2.0])


def refused(text: str, names: list[str] | None = None) -> str:
    with pytest.raises(InputError) as refusal:
        parse_expression(text, NAMES if names is None else names)
    message = str(refusal.value)
    assert message.startswith("formula: ")
    assert "\n" not in message
    return message


def value_of(text: str) -> "np.ndarray[Any, Any]":
    return FormulaModel(f"({text}) + a + b", ["x"], {"a": 0.5, "b": -0.5})(torch.from_numpy(X)).detach().numpy()


@pytest.mark.parametrize(("text", "truth"), [
    ("2 * x**3", lambda x: 2 * x**3),
    ("2 * x^3", lambda x: 2 * x**3),
    ("-x^2", lambda x: -(x**2)),
    ("2^x^0.5", lambda x: 2 ** (x**0.5)),
    ("x^-1", lambda x: 1 / x),
    ("x / 2 / 4 * 3", lambda x: x / 2 / 4 * 3),
    ("x - 1 - 2 + 3", lambda x: x - 1 - 2 + 3),
    ("x - (1 - 2 * (3 - x))", lambda x: x - (1 - 2 * (3 - x))),
    ("+x - -1", lambda x: x + 1),
    ("1e-3 * x + .5", lambda x: 1e-3 * x + 0.5),
    ("sin(pi * x)", lambda x: np.sin(np.pi * x)),
    ("e^(-2 * x)", lambda x: np.exp(-2 * x)),
    ("x * e", lambda x: x * math.e),
    ("x ** (1/3)", lambda x: x ** (1 / 3)),
    ("sqrt(2) * x", lambda x: math.sqrt(2) * x),
    ("log(x) / log(10)", np.log10),
    ("x\n  + 1\t", lambda x: x + 1),
    ("1_000 * x", lambda x: 1000 * x),
    ("x * 2.5e0 ^ 2", lambda x: x * 6.25),
], ids=lambda given: given if isinstance(given, str) else "")  # fmt: skip
def test_formula_means_what_it_means_in_python(text, truth):
    np.testing.assert_allclose(value_of(text), truth(X), rtol=4e-16 * 8, atol=1e-15)


@pytest.mark.parametrize(
    "decimal", ["0.1", "5.0e-4", "2.718281828459045", "1e22", "123456789.123456789", "9007199254740993"]
)
def test_decimal_is_the_float64_that_python_reads(decimal):
    model = FormulaModel(f"{decimal} * a * x", ["x"], {"a": 1.0})
    assert model(torch.ones(1, dtype=torch.float64)).item() == float(decimal)


@pytest.mark.parametrize(("text", "piece"), [
    ("x.real", "'x.real' is not allowed"),
    ("x[0]", "'x[0]' is not allowed"),
    ("lambda: x", "'lambda: x' is not allowed"),
    ("(x, a)", "'(x, a)' is not allowed"),
    ("a * (x > 1)", "'x > 1' is not allowed"),
    ("x if a else b", "'x if a else b' is not allowed"),
    ("not x", "'not x' is not allowed"),
    ("x // a", "'x // a' is not allowed"),
    ("(q := x)", "'q := x' is not allowed"),
    ("a * 'text'", "\"'text'\" is not allowed"),
    ("f'{x}'", "is not allowed"),
    ("2j * x", "'2j' is not allowed"),
    ("True * x", "'True' is not allowed"),
    ("sin(x, y=a)", "without names or stars"),
    ("sin(*x)", "without names or stars"),
    ("math.sin(x)", "'math.sin(x)' is not allowed"),
    ("__import__('os')", "there is no function '__import__'"),
    ("x # a", "no comment"),
    ("y = a * x", "equals sign"),
    ("2x", "2*x"),
    ("a x", "not an expression"),
    ("import os", "not an expression"),
    ("", "there is none"),
    ("\ud800", "not an expression"),
    ("await x", "not allowed"),
], ids=lambda given: ascii(given))  # fmt: skip
def test_anything_else_is_refused_and_the_piece_named(text, piece):
    assert piece in refused(text)


@pytest.mark.parametrize(("text", "hint"), [
    ("alpah * x", "'alpah' is neither a variable nor a parameter; did you mean 'alpha'?"),
    ("epx(x)", "there is no function 'epx'; did you mean 'exp'"),
    ("alpha(1 - x)", "alpha is not a function; for a product write alpha*(...)"),
    ("sin * x", "the function sin needs its argument in brackets: sin(...)"),
    ("qqq * x", "there are x, alpha"),
    ("atan2(x)", "'atan2(x)': atan2 takes 2 arguments, but got 1"),
    ("sin(x, alpha)", "sin takes 1 argument, but got 2"),
    ("max(x)", "max takes 2 arguments, but got 1"),
], ids=lambda given: given if "'" not in given else "")  # fmt: skip
def test_misspelling_has_a_hint(text, hint):
    assert hint in refused(text, ["x", "alpha"])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("log(0)", "'log(0)' is not a real, finite number"), ("sqrt(-1)", "'sqrt(-1)' is not a real, finite number"),
        ("9**9**9", "'9**9**9' has an exponent above 100"), ("x**101", "exponent above 100"),
    ],
    ids=lambda given: given[:20],
)  # fmt: skip
def test_number_that_is_not_real_and_finite_is_refused(text, reason):
    assert reason in refused(text)


@pytest.mark.parametrize(("text", "reason"), [
    ("x+" * 1000 + "x", "2001 characters are too many"),
    ("(" * 900 + "x" + ")" * 900, "formula: "),
    ("-" * 1900 + "x", "too deep"),
    ("sin(" * 31 + "x" + ")" * 31, "too deep"),
    ("x" + "**x" * 31, "too deep"),
], ids=lambda given: given[:8])  # fmt: skip
def test_length_and_depth_are_bounded(text, reason):
    assert reason in refused(text)


def test_long_sum_is_not_a_deep_one():
    text = " + ".join(f"a * x**{power}" for power in range(90))
    expected = sum(X**power for power in range(90))
    model = FormulaModel(text, ["x"], {"a": 1.0})
    np.testing.assert_allclose(model(torch.from_numpy(X)).detach().numpy(), expected, rtol=1e-13)


def test_declared_name_goes_before_the_constant():
    assert FormulaModel("e * x", ["x"], {"e": 3.0})(torch.ones(1, dtype=torch.float64)).item() == 3.0


PIECES = [
    "x", "a", "b", "1", "0", "2.5", "1e300", "-", "+", "*", "/", "**", "^", "(", ")", ",", " ", "exp", "sqrt(", "max(",
]  # fmt: skip
PIECES += ["log(", "[", "]", ".", "__", "lambda", ":", "'", "9", "if", "else", "=", "\n", "#", "é", "µ", "tan(", "erf("]
FORMULAS = ["a * (1 - exp(-b * x))", "(a + b*x + a*x^2) / (1 + b*x)", "a * max(x, b)**2.5 - atan2(b, x) / pi"]


def ends_well(text: str) -> None:
    """A model, or one line that says what is wrong."""
    try:
        model = FormulaModel(text, ["x"], {"a": 1.0, "b": 2.0})
    except InputError as refusal:
        said = str(refusal)
    else:
        inputs = torch.ones(2, dtype=torch.float64)
        assert model(inputs).shape == (2,)
        assert list(model.jacobian(inputs)) == ["a", "b"]
        assert set(model.separated(inputs).basis) == set(model.linear_parameters())
        said = "a model"
    assert said.isprintable()
    assert said


@settings(max_examples=150, deadline=None)
@given(pieces=st.lists(st.sampled_from(PIECES), max_size=14))
def test_any_jumble_of_pieces_ends_in_a_model_or_one_line(pieces):
    ends_well("".join(pieces))


@settings(max_examples=150, deadline=None)
@given(
    formula=st.sampled_from(FORMULAS),
    changes=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 3), st.sampled_from(PIECES)), max_size=4),
)
def test_any_change_to_a_formula_ends_in_a_model_or_one_line(formula, changes):
    for place, length, piece in changes:
        formula = formula[:place] + piece + formula[place + length :]
    ends_well(formula)


SYMBOLS = ["a", "b", "x"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("(a + b) * x", "b*x + x*a"), ("exp(a + b*x)", "exp(a) * exp(x)**b"), ("1 / (1 + exp(-x))", "sigmoid(x)"),
        ("exp(x) - 1", "expm1(x)"), ("sin(x)^2 + cos(x)^2", "1 + 0*x"), ("(x/b)^2", "x^2 / b^2"), ("0.5*x", "x/2"),
        ("(exp(x) - exp(-x)) / 2", "sinh(x)"),
    ],
)  # fmt: skip
def test_equal_formulas_are_one(one, other):
    assert same_formula(*(algebraic(parse_expression(text, SYMBOLS)) for text in (one, other)))


@pytest.mark.parametrize(
    ("one", "other"), [("a*x", "b*x"), ("exp(x)", "1 + x"), ("abs(x)", "x"), ("a*exp(-b*x)", "a*exp(b*x)")]
)
def test_other_formulas_are_not(one, other):
    assert not same_formula(*(algebraic(parse_expression(text, SYMBOLS)) for text in (one, other)))
