"""Least squares whose best parameter is on the edge of where the formula is defined, beside the best of a scan."""

import numpy as np
import pytest

from paramfit import FormulaModel, fit
from paramfit.facts import FactKind

X = np.linspace(0, 5, 11)
LAST, FIRST = np.where(X == 5, 0.05, 0.0), np.where(X == 0, 0.05, 0.0)
NOISE = 0.01 * np.sin(9 * X)

# The formula, the starts of its parameters but a, the function that a multiplies, x, y, b's edge and its side.
EDGES = {
    "asin": ("a*asin(x/b)", 6.0, lambda x, b: np.arcsin(x / b), X, 2 * np.arcsin(X / 5) + NOISE + LAST, 5.0, 1),
    "acos": ("a*acos(x/b)", 6.0, lambda x, b: np.arccos(x / b), X, 2 * np.arccos(X / 5) + NOISE - LAST, 5.0, 1),
    "sqrt": ("a*sqrt(b-x)", 6.0, lambda x, b: np.sqrt(b - x), X, 2 * np.sqrt(5 - X) + NOISE - LAST, 5.0, 1),
    "power": ("a*(b-x)^0.4", 6.0, lambda x, b: (b - x) ** 0.4, X, 2 * (5 - X) ** 0.4 + NOISE - LAST, 5.0, 1),
    "acosh": (
        "a*acosh((1+x)/b)",
        0.8,
        lambda x, b: np.arccosh(x / b),
        X,
        2 * np.arccosh(X + 1) + NOISE - FIRST,
        1.0,
        -1,
    ),
}


def loss_at(function, x, y, b):
    column = function(x, b)
    return float(np.sum((y - column * (column @ y) / (column @ column)) ** 2))


SLOW = {"acos", "acosh", "asin"}  # to an edge of infinite slope all iterations lead, and each row there takes care


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in EDGES]
)
def test_edge_of_a_formula_is_an_optimum_where_nothing_inside_is_lower(name):
    formula, start, function, x, y, edge, side = EDGES[name]
    inner = x + 1 if name == "acosh" else x
    result = fit(FormulaModel(formula, ["x"], {"a": 1.0, "b": start}), (x, y))
    scan = [loss_at(function, inner, y, edge * (1 + side * part)) for part in (0.0, *np.logspace(-14, -1, 200))]
    assert int(np.argmin(scan)) == 0
    assert (result.status, result.stop_reason.kind) == ("converged", "ended_at_formulas_edge")
    # On the edge itself the slope is infinite: b is the next number, where a root of 1e-16 is left.
    b = result.parameters["b"].estimate
    assert b == pytest.approx(edge, rel=1e-15)
    assert result.least_squares.residual_sum_of_squares == pytest.approx(loss_at(function, inner, y, b), rel=1e-9)
    assert result.least_squares.residual_sum_of_squares <= min(scan[1:])
    assert result.parameters["b"].standard_error is None
    # Of what is left, a line through the origin: sqrt(RSS / (n - 1) / sum of squares).
    column = function(inner, b)
    error = np.sqrt(loss_at(function, inner, y, b) / 10 / (column @ column))
    assert result.parameters["a"].standard_error == pytest.approx(error, rel=1e-6)
    (caution,) = [fact for fact in result.cautions if fact.kind is FactKind.FORMULA_AT_EDGE]
    assert (caution.parameters, caution.numbers["row"]) == (("b",), 0 if name == "acosh" else 10)


def test_optimum_inside_has_its_error_and_no_edge():
    result = fit(FormulaModel("a*asin(x/b)", ["x"], {"a": 1.0, "b": 6.0}), (X, 2 * np.arcsin(X / 5.5) + NOISE))
    assert result.status == "converged"
    assert result.parameters["b"].standard_error > 0
    assert FactKind.FORMULA_AT_EDGE not in {fact.kind for fact in result.cautions}


def test_edge_that_several_parameters_hold_is_named_without_errors_across_it():
    y = 2 * np.sqrt(5 - X) + NOISE - LAST
    result = fit(FormulaModel("sqrt(b-c*x)", ["x"], {"b": 22.0, "c": 4.0}), (X, y))
    assert (result.status, result.stop_reason.kind) == ("stalled", "ended_at_formulas_edge")
    assert result.stop_reason.parameters == ("b", "c")
    assert [estimate.standard_error for estimate in result.parameters.values()] == [None, None]


@pytest.mark.parametrize(
    ("formula", "starts", "y"),
    [
        ("a*max(x-c,0)^0.5", {"a": 1.0, "c": 1.1}, 2 * np.sqrt(np.maximum(X - 1, 0)) + NOISE),
        ("a*abs(x-c)^1.5", {"a": 1.0, "c": 2.0}, 2 * np.abs(X - 2) ** 1.5),
        ("a*x^b", {"a": 1.0, "b": 0.8}, 2 * np.sqrt(X) + NOISE),
        ("sqrt((a*x)^2+b^2)", {"a": 1.0, "b": 1.0}, np.hypot(X, 2) + NOISE),
    ],
)
def test_argument_that_cannot_leave_its_domain_is_on_no_edge(formula, starts, y):
    result = fit(FormulaModel(formula, ["x"], starts), (X, y))
    assert FactKind.FORMULA_AT_EDGE not in {fact.kind for fact in result.cautions}
