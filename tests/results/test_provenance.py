"""Models and objectives in plain data, and back."""

from typing import Any

import pytest
import torch
from torch import nn

from paramfit import DistributionModel, FormulaModel, HuberError, InputError, LinearModel, PolynomialModel, SquaredError
from paramfit.results.json_form import from_plain, to_plain
from paramfit.results.provenance import ModelDescription, ParameterDescription, describe_model, describe_objective

LIMITS = {"a": None, "k": {"start": 2, "fixed": True}, "c": {"start": 1, "lower": 0, "upper": 5}}
GAMMA = DistributionModel(
    "torch.distributions.Gamma",
    {"concentration": 2.0, "rate": "exp(a + b*x)"},
    {"a": 0, "b": {"start": 1, "lower": -3}},
)
WRITTEN: dict[str, Any] = {
    "formula": FormulaModel("a*t^k + c", ["t"], LIMITS),
    "line": LinearModel(1.5, -2.0, dtype="float64"),
    **{f"degree {degree}": PolynomialModel(degree, dtype="float64") for degree in (0, 1, 4)},
    "gamma": GAMMA,
    "normal": DistributionModel("torch.distributions.Normal", {"loc": 0.5, "scale": {"start": 1, "upper": 9}}),
    "counts": DistributionModel(
        "torch.distributions.NegativeBinomial", {"total_count": {"start": 2.5, "fixed": True}, "probs": 0.3}
    ),
}


def test_formula_says_all():
    described = describe_model(WRITTEN["formula"])
    assert to_plain(described) == {
        "class": "paramfit.models.formula.FormulaModel",
        "formula": "a*t^k + c",
        "distribution": None,
        "formulas": None,
        "variables": ["t"],
        "parameters": {
            "a": {"fixed": None, "lower": None, "upper": None, "encoding": None},
            "k": {"fixed": 2.0, "lower": None, "upper": None, "encoding": None},
            "c": {"fixed": None, "lower": 0.0, "upper": 5.0, "encoding": "unconstrained number"},
        },
    }


def test_distribution_has_a_formula_for_each_argument():
    described = describe_model(GAMMA)
    assert described.distribution == "torch.distributions.gamma.Gamma"
    assert described.formulas == {"concentration": "concentration", "rate": "exp(a + b*x)"}
    assert described.parameters["concentration"] == ParameterDescription(lower=0.0, encoding="unconstrained number")


@pytest.mark.parametrize("name", WRITTEN)
def test_written_model_is_made_again_bit_for_bit(name):
    model = WRITTEN[name]
    theta = {
        key: 0.3 * number for number, (key, value) in enumerate(model.named_parameters(), 1) if value.requires_grad
    }
    with torch.no_grad():
        for key, value in theta.items():
            getattr(model, key).fill_(value)
    described = describe_model(model)
    again = from_plain(ModelDescription, to_plain(described)).model(theta)
    x = (torch.linspace(0.5, 2, 5, dtype=torch.float64),) if described.variables else ()
    ours = again(*x)
    theirs = model(*x) if x or not isinstance(model, PolynomialModel) else model(torch.zeros(1).double())
    if described.distribution is not None:
        ours, theirs = ours.mean, theirs.mean
    torch.testing.assert_close(ours.expand(5), theirs.expand(5), rtol=1e-14, atol=1e-14)


def test_of_any_other_model_the_class_is_all_and_cannot_be_made_again():
    class Steeper(LinearModel):
        pass

    assert describe_model(nn.Linear(1, 1)) == ModelDescription("torch.nn.modules.linear.Linear")
    for model in (Steeper(), LinearModel(torch.ones(2), 0.0)):  # type: ignore[arg-type]
        described = describe_model(model)
        assert not described.is_written
        with pytest.raises(InputError, match="does not hold the model"):
            described.model({})


def test_file_does_not_say_what_is_imported():
    hostile = ModelDescription("x", distribution="os.path.Gamma", formulas={"rate": "rate"}, parameters={})
    with pytest.raises(InputError, match="does not hold the distribution"):
        hostile.model({})


def test_objective_tells_its_penalty():
    assert to_plain(describe_objective(HuberError(1.0))) == {"class": "HuberError", "penalised": False}
    assert to_plain(describe_objective(SquaredError(l2=0.1))) == {"class": "SquaredError", "penalised": True}
