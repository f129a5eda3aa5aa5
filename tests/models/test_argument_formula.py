"""Names and derivatives of formulas that are arguments of a distribution."""

import pytest
import torch

from paramfit.errors import InputError
from paramfit.models.argument_formula import ArgumentFormula, formula_variables


def test_value_and_derivatives():
    formula = ArgumentFormula("rate", "exp(a + b*x)", ["x"], ["a", "b", "unused"])
    x = torch.tensor([0.0, 1.0, 2.0], dtype=torch.float64)
    natural = {"a": torch.tensor(0.5, dtype=torch.float64), "b": torch.tensor(-1.0, dtype=torch.float64)}
    assert formula.coefficients == ("a", "b")
    torch.testing.assert_close(formula.value((x,), natural), torch.exp(0.5 - x))
    slopes = formula.jacobian((x,), natural)
    torch.testing.assert_close(slopes["a"], torch.exp(0.5 - x))
    torch.testing.assert_close(slopes["b"], x * torch.exp(0.5 - x))


def test_constant_formula_is_one_number():
    assert ArgumentFormula("scale", "exp(c)", [], ["c"]).value((), {"c": torch.tensor(0.0)}).shape == ()
    assert ArgumentFormula("scale", "2", [], []).value((), {}).item() == 2.0


def test_the_one_name_that_is_no_coefficient_is_the_input():
    assert list(formula_variables({"rate": "exp(a + b*dose) + pi"}, ["a", "b"], None)) == ["dose"]
    assert list(formula_variables({"rate": "exp(a)"}, ["a"], None)) == []


@pytest.mark.parametrize(
    ("given", "message"), [(None, "u, v that are no coefficients"), (["u", "w"], "no formula depends on w")]
)
def test_several_inputs_are_named_by_the_user(given, message):
    formulas = {"loc": "a*u", "scale": "exp(a*v)"}
    assert list(formula_variables(formulas, ["a"], ["v", "u"])) == ["v", "u"]
    with pytest.raises(InputError, match=message):
        formula_variables(formulas, ["a"], given)


def test_formula_that_cannot_be_read_names_its_argument():
    with pytest.raises(InputError, match=r"parameters\.scale"):
        ArgumentFormula("scale", "exp(", [], [])
