"""Models and objectives in plain data."""

import json
from typing import Any

import pytest
import torch
from torch import nn

from paramfit.models import FormulaModel, LinearModel, PolynomialModel
from paramfit.models.distribution import DistributionModel
from paramfit.objectives import HuberError, SquaredError
from paramfit.results.origin import describe_model, describe_objective

FREE = {"fixed": None, "lower": None, "upper": None}


def test_formula_says_all() -> None:
    parameters = {"a": None, "k": {"start": 2, "fixed": True}, "c": {"start": 1, "lower": 0, "upper": 5}}
    found = describe_model(FormulaModel("a*t^k + c", ["t"], parameters))
    assert found == {
        "class": "paramfit.models.formula.FormulaModel",
        "formula": "a*t^k + c",
        "variables": ["t"],
        "parameters": {"a": FREE, "k": {**FREE, "fixed": 2.0}, "c": {"fixed": None, "lower": 0.0, "upper": 5.0}},
    }
    assert json.loads(json.dumps(found)) == found


@pytest.mark.parametrize(
    "model",
    [LinearModel(1.5, -2.0, dtype="float64"), *(PolynomialModel(degree, dtype="float64") for degree in (0, 1, 4))],
    ids=["line", "constant", "degree 1", "degree 4"],
)
def test_formula_of_a_line_and_of_a_polynomial_gives_their_values(model: Any) -> None:
    for number, parameter in enumerate(model.parameters(), start=1):
        parameter.data.fill_(0.5 * number)
    found = describe_model(model)
    x = torch.linspace(-1, 2, 5, dtype=torch.float64)
    starts = {name: getattr(model, name).item() for name in found["parameters"]}
    again = FormulaModel(found["formula"], found["variables"], starts)
    inputs = (x,) if found["variables"] else ()
    torch.testing.assert_close(again(*inputs).expand(5), model(x), rtol=1e-14, atol=1e-14)


def test_distribution_has_a_formula_for_each_argument() -> None:
    found = describe_model(
        DistributionModel("torch.distributions.Gamma", {"concentration": 2.0, "rate": "exp(a + b*x)"}, {"a": 0, "b": 1})
    )
    assert found["distribution"] == "torch.distributions.gamma.Gamma"
    assert found["formulas"] == {"concentration": "concentration", "rate": "exp(a + b*x)"}
    assert found["variables"] == ["x"]
    assert found["parameters"] == {"concentration": {**FREE, "lower": 0.0}, "a": FREE, "b": FREE}


def test_of_any_other_model_there_is_the_class() -> None:
    class Steeper(LinearModel):
        pass

    assert describe_model(nn.Linear(1, 1)) == {"class": "torch.nn.modules.linear.Linear"}
    assert set(describe_model(Steeper())) == {"class"}
    assert set(describe_model(LinearModel(torch.ones(2), 0.0))) == {"class"}  # type: ignore[arg-type]


def test_objective_tells_its_penalty() -> None:
    assert describe_objective(HuberError(1.0)) == {"class": "HuberError", "penalised": False}
    assert describe_objective(SquaredError(l2=0.1)) == {"class": "SquaredError", "penalised": True}
