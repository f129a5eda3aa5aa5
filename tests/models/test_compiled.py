"""Models from torch.compile, by a backend that counts what it compiles."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from torch import nn

from paramfit import FixedScale, FormulaModel, LeastSquares, LinearModel, Regression, ThermometerDataModule, fit
from paramfit.models.compiled import unwrapped
from tests.quiet import QUIET

X = torch.linspace(0, 1, 8, dtype=torch.float64)


def counted(model: nn.Module) -> tuple[nn.Module, list[int]]:
    graphs: list[int] = []

    def backend(graph: Any, _: Any) -> Callable[..., Any]:
        graphs.append(1)
        return graph.forward

    torch._dynamo.reset()  # code that other tests have compiled often is not compiled any more
    return torch.compile(model, backend=backend), graphs


def test_descent_runs_compiled_code_under_plain_names():
    compiled, graphs = counted(LinearModel())
    plain, data = LinearModel(), ThermometerDataModule(normalization=FixedScale(0.1))
    tasks = [Regression(model, updates_per_step=50) for model in (compiled, plain)]
    for task in tasks:
        Trainer(max_epochs=2, **QUIET).fit(task, data)
    assert graphs
    assert tasks[0].names == tasks[1].names == ("weight", "bias")
    assert tasks[0].state_dict() == tasks[1].state_dict()


def test_copies_are_not_compiled():
    compiled, graphs = counted(FormulaModel("a * x", ["x"], {"a": {"start": 1.0}}))
    model = unwrapped(compiled, stays_compiled=True)
    twin = copy.deepcopy(model)
    twin.a.data.fill_(3.0)
    assert twin(X).tolist() == (3 * X).tolist()
    assert not graphs


@pytest.mark.parametrize("stays", [False, True])
def test_any_other_model_is_left_alone(stays):
    model = LinearModel()
    assert unwrapped(model, stays_compiled=stays) is model


def test_solved_fits_take_the_module_inside():
    compiled, graphs = counted(FormulaModel("a * x + b", ["x"], {"a": None, "b": None}))
    result = fit(compiled, (X, 2 * X + 1))
    assert {name: round(value.estimate, 12) for name, value in result.parameters.items()} == {"a": 2.0, "b": 1.0}
    assert result.model.formula == "a * x + b"
    assert LeastSquares(compiled).names == ("a", "b")
    assert not graphs
