"""Derivatives of modules that know none: backwards for few rows, forwards else, the same numbers."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

import paramfit
from paramfit.passes import residual_rows
from paramfit.passes.residual_rows import ResidualRows


class Chebyquad(nn.Module):
    """Means of shifted Chebyshev polynomials at nodes: Fletcher (1965); Moré, Garbow, Hillstrom (1981), number 35."""

    def __init__(self, nodes):
        super().__init__()
        self.nodes = nn.Parameter(torch.arange(1, nodes + 1, dtype=torch.float64) / (nodes + 1))

    def forward(self, degree):
        before, here, means = torch.ones_like(self.nodes), 2 * self.nodes - 1, []
        for _ in range(len(degree)):
            means.append(here.mean())
            before, here = here, 2 * (2 * self.nodes - 1) * here - before
        return torch.stack(means)


class Guarded(nn.Module):
    """Where the square root has no slope another branch is chosen: backwards 0 * inf is not a number."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([1.0, 0.5], dtype=torch.float64))

    def forward(self, x):
        return torch.where(x > 0.5, self.weight[0] * torch.sqrt(torch.clamp(x * self.weight[1] - 0.2, min=0.0)), 0.0)


class Idle(nn.Module):
    """One parameter that no prediction depends on, beside one that all do."""

    def __init__(self):
        super().__init__()
        self.weight, self.idle = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(3))

    def forward(self, x):
        return self.weight[0] * x + self.weight[1]


class TwoNumbers(nn.Module):
    """A module of numbers."""

    def __init__(self):
        super().__init__()
        self.height, self.slope = nn.Parameter(torch.tensor(2.0)), nn.Parameter(torch.tensor(0.5))

    def forward(self, x):
        return self.height * torch.tanh(self.slope * x)


def integrals(degrees):
    return np.array([0.0 if degree % 2 else -1.0 / (degree**2 - 1) for degree in range(1, degrees + 1)])


def columns_of(model, x):
    observations = paramfit.Observations((x,), torch.zeros_like(x))
    with torch.inference_mode():
        _, columns = ResidualRows(model, paramfit.SquaredError())._linearized(observations)
    return torch.stack([torch.as_tensor(column) for column in columns])


@pytest.mark.parametrize(
    "model", [Chebyquad(7), Guarded(), Idle(), TwoNumbers(), nn.Sequential(nn.Unflatten(0, (-1, 1)), nn.Linear(1, 1))]
)
def test_both_ways_give_the_same_columns(model, monkeypatch):
    model, x = model.double(), torch.linspace(0.0, 1.0, 7, dtype=torch.float64)
    if isinstance(model, nn.Sequential):
        model.append(nn.Flatten(0))
    backwards = columns_of(model, x)
    monkeypatch.setattr(residual_rows, "_FEW_ROWS", 0)
    torch.testing.assert_close(backwards, columns_of(model, x), rtol=1e-13, atol=1e-15)
    assert backwards.isfinite().all()


@pytest.mark.parametrize("model", [Chebyquad(7), Guarded(), Idle(), TwoNumbers()])
def test_a_copy_made_in_inference_mode_has_the_same_columns(model):
    model, x = model.double(), torch.linspace(0.0, 1.0, 7, dtype=torch.float64)
    with torch.inference_mode():
        twin, inputs = copy.deepcopy(model), x.clone()  # as Lightning's prediction loop has them
    torch.testing.assert_close(columns_of(twin, inputs), columns_of(model, x), rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize(("nodes", "squares"), [(5, 0.0), (7, 0.0), (8, 3.51687e-3), (9, 0.0), (10, 6.50395e-3)])
def test_chebyquad_has_its_published_minima(nodes, squares):
    x = np.arange(1.0, nodes + 1)
    result = paramfit.fit(Chebyquad(nodes), (x, integrals(nodes)), objective=paramfit.SquaredError(reduction="sum"))
    assert result.loss["train"] == pytest.approx(squares, rel=1e-5, abs=1e-20)
