"""Fingerprints of data, and models and objectives in plain data."""

import hashlib
import json
import struct
from typing import Any

import pytest
import torch
from torch import nn

from paramfit import DistributionModel, FormulaModel, HuberError, LinearModel, PolynomialModel, SquaredError
from paramfit.observations import Censored, Observations
from paramfit.results.fingerprint import Fingerprint
from paramfit.results.origin import describe_model, describe_objective

X, Y = torch.tensor([1.0, 2.5, -3.0], dtype=torch.float64), torch.tensor([0.5, 0.25, 8.0], dtype=torch.float64)


def test_digest_is_that_of_the_bytes_of_doubles() -> None:
    expected = hashlib.blake2b(struct.pack("<3d", 0.5, 0.25, 8.0), digest_size=16).hexdigest()
    assert Fingerprint.of(Observations((X,), Y)).target == expected


@pytest.mark.parametrize("sigma", [None, Y], ids=["no sigma", "sigma"])
@pytest.mark.parametrize("inputs", [(), (X,), (X, Y)], ids=["none", "one", "two"])
def test_text_and_back(inputs: tuple[torch.Tensor, ...], sigma: torch.Tensor | None) -> None:
    fingerprint = Fingerprint.of(Observations(inputs, Y, sigma))
    assert Fingerprint.read(str(fingerprint)) == fingerprint


def test_precision_and_layout_do_not_matter() -> None:
    every_other = torch.stack([X, Y], dim=1)[:, 0]
    assert not every_other.is_contiguous()
    assert Fingerprint.of(Observations((every_other,), Y.float())) == Fingerprint.of(Observations((X,), Y))


def test_one_number_and_the_order_matter() -> None:
    one = Fingerprint.of(Observations((X,), Y))
    assert Fingerprint.of(Observations((X,), Y.nextafter(Y + 1))).target != one.target
    assert Fingerprint.of(Observations((X.flip(0),), Y)).inputs != one.inputs


def test_censoring_matters() -> None:
    status = torch.tensor([0, 2, 0])
    one = Fingerprint.of(Observations((X,), Y, None, Censored(status, torch.full((3,), torch.inf))))
    other = Fingerprint.of(Observations((X,), Y, None, Censored(status.flip(0) + 1, torch.full((3,), torch.inf))))
    assert len({one.target, other.target, Fingerprint.of(Observations((X,), Y)).target}) == 3


FREE = {"fixed": None, "lower": None, "upper": None}


def test_formula_says_all() -> None:
    parameters = {"a": None, "k": {"start": 2, "fixed": True}, "c": {"start": 1, "lower": 0, "upper": 5}}
    written = describe_model(FormulaModel("a*t^k + c", ["t"], parameters))
    assert written == {
        "class": "paramfit.models.formula.FormulaModel",
        "formula": "a*t^k + c",
        "variables": ["t"],
        "parameters": {"a": FREE, "k": {**FREE, "fixed": 2.0}, "c": {"fixed": None, "lower": 0.0, "upper": 5.0}},
    }
    assert json.loads(json.dumps(written)) == written


@pytest.mark.parametrize(
    "model",
    [LinearModel(1.5, -2.0, dtype="float64"), *(PolynomialModel(degree, dtype="float64") for degree in (0, 1, 4))],
    ids=["line", "constant", "degree 1", "degree 4"],
)
def test_formula_of_a_line_and_of_a_polynomial_gives_their_values(model: Any) -> None:
    for number, parameter in enumerate(model.parameters(), start=1):
        parameter.data.fill_(0.5 * number)
    written = describe_model(model)
    x = torch.linspace(-1, 2, 5, dtype=torch.float64)
    starts = {name: getattr(model, name).item() for name in written["parameters"]}
    again = FormulaModel(written["formula"], written["variables"], starts)
    inputs = (x,) if written["variables"] else ()
    torch.testing.assert_close(again(*inputs).expand(5), model(x), rtol=1e-14, atol=1e-14)


def test_distribution_has_a_formula_for_each_argument() -> None:
    written = describe_model(
        DistributionModel("torch.distributions.Gamma", {"concentration": 2.0, "rate": "exp(a + b*x)"}, {"a": 0, "b": 1})
    )
    assert written["distribution"] == "torch.distributions.gamma.Gamma"
    assert written["formulas"] == {"concentration": "concentration", "rate": "exp(a + b*x)"}
    assert written["variables"] == ["x"]
    assert written["parameters"] == {"concentration": {**FREE, "lower": 0.0}, "a": FREE, "b": FREE}


def test_of_any_other_model_there_is_the_class() -> None:
    class Steeper(LinearModel):
        pass

    assert describe_model(nn.Linear(1, 1)) == {"class": "torch.nn.modules.linear.Linear"}
    assert set(describe_model(Steeper())) == {"class"}
    assert set(describe_model(LinearModel(torch.ones(2), 0.0))) == {"class"}  # type: ignore[arg-type]


def test_objective_tells_its_penalty() -> None:
    assert describe_objective(HuberError(1.0)) == {"class": "HuberError", "penalised": False}
    assert describe_objective(SquaredError(l2=0.1)) == {"class": "SquaredError", "penalised": True}
