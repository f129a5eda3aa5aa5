"""Programs of torch.export, loaded again and compared."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import paramfit
from paramfit.results.record import NormalizedInput
from tests.own_module import OwnModule

X = torch.linspace(0.3, 2.8, 24, dtype=torch.float64)
Y = 5 * X + torch.from_numpy(np.random.default_rng(0).normal(size=24))


def loaded(result: paramfit.FitResult) -> nn.Module:
    assert result.export("pt2", "fit.pt2") == Path("fit.pt2")
    return torch.export.load("fit.pt2").module()


def close(one: Any, other: Any) -> None:
    torch.testing.assert_close(one, other, rtol=1e-12, atol=0.0)


MODELS: dict[str, nn.Module] = {
    "formula": paramfit.FormulaModel(
        "lambda * (1 - exp(-b*x))", ["x"], {"lambda": None, "b": {"start": 1, "lower": 0}}
    ),
    "line": paramfit.LinearModel(),
    "function": paramfit.FunctionModel(lambda x, k, c: k * torch.sin(x) + c, parameters={"k": 1.0, "c": 0.0}),
    "module": OwnModule(lambda own, x: own.k * torch.tanh(x) + own.c, k=1.0, c=0.0),
}


@pytest.mark.parametrize("name", MODELS)
def test_program_predicts_what_the_fit_predicts(name):
    result = paramfit.fit(MODELS[name], (X, Y))
    program = loaded(result)
    for rows in (X, X[:1], torch.linspace(-1, 9, 1001, dtype=torch.float64)):
        close(program(rows), result.predict(rows).prediction)
    assert not any(parameter.requires_grad for parameter in program.parameters())


def test_several_columns_are_taken_in_their_order():
    model = paramfit.FormulaModel("a * x / t", ["x", "t"], {"a": None})
    result = paramfit.fit(model, (X, X.sqrt(), Y))
    close(loaded(result)(X, 2 * X), result.predict(X, 2 * X).prediction)


@pytest.mark.parametrize("model", [paramfit.LinearModel(), OwnModule(lambda own, x: own.k * x.sin(), k=1.0)],
                         ids=["written", "module"])  # fmt: skip
def test_program_takes_raw_inputs(model):
    shift, scale = 1.3, 0.7
    fitted = paramfit.fit(model, ((X - shift) * scale, Y))
    result = replace(fitted, normalized_input=NormalizedInput(shift, scale))
    close(loaded(result)(X), result.predict(X).prediction)


def _scattered(own: nn.Module, x: Tensor) -> torch.distributions.Distribution:
    return torch.distributions.Normal(own.k * x, own.log_scale.exp())


@pytest.mark.parametrize("model", [
    paramfit.DistributionModel("torch.distributions.Normal", {"loc": "k*x", "scale": "exp(log_scale)"},
                               coefficients={"k": 1, "log_scale": 0}),
    OwnModule(_scattered, k=1.0, log_scale=0.0),
], ids=["written", "module"])  # fmt: skip
def test_program_of_a_distribution_gives_its_arguments(model):
    result = paramfit.fit(model, (X, Y))
    arguments = loaded(result)(X)
    assert arguments.keys() == {"loc", "scale"}
    close(arguments["loc"], result.predict(X).prediction)
    scale = (Y - arguments["loc"]).square().mean().sqrt()  # in closed form
    torch.testing.assert_close(arguments["scale"].expand(24), scale.expand(24), rtol=1e-7, atol=0.0)


def test_sample_has_no_inputs():
    result = paramfit.fit(paramfit.GaussianModel(), (Y,))
    close(loaded(result)()["loc"].reshape(1), result.predict().prediction)


def test_loaded_formula_needs_no_model(tmp_path):
    result = paramfit.fit(MODELS["formula"], (X, Y))
    close(loaded(paramfit.load(result.save(tmp_path)))(X), result.predict(X).prediction)


def test_loaded_module_has_no_code(tmp_path):
    result = paramfit.load(paramfit.fit(MODELS["module"], (X, Y)).save(tmp_path))
    with pytest.raises(paramfit.InputError, match=r"pt2: .* does not hold the model's code; give the run's folder to"):
        result.export("pt2", "fit.pt2")


def test_branches_on_values_are_one_line():
    result = paramfit.fit(OwnModule(lambda own, x: own.k * x if x.sum() > 0 else own.k + x, k=1.0), (X, Y))
    with pytest.raises(paramfit.InputError, match=r"pt2: torch.export cannot follow OwnModule \(.*\); write"):
        result.export("pt2", "fit.pt2")
    assert not list(Path().iterdir())


def test_a_program_needs_a_file():
    with pytest.raises(paramfit.InputError, match=r"output: a pt2 program is no text; give the file to write"):
        paramfit.fit(paramfit.LinearModel(), (X, Y)).export("pt2")
