"""The loss at many values of the parameters, against a loop over them."""

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Normal

from paramfit import AbsoluteError, NegativeLogLikelihood, Observations, SquaredError
from paramfit.models import FormulaModel, FunctionModel, GaussianModel, LinearModel, ParametricModel
from paramfit.plotting import loss_grid as module
from paramfit.plotting.loss_grid import loss_on_grid
from tests.thermometer import observations

DATA = observations(0.1)


class Line(nn.Module):
    """The line as a user would write it: it knows nothing of leading parameter dimensions."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(1.0, dtype=torch.float64))
        self.bias = nn.Parameter(torch.tensor(0.0, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        if self.weight.ndim:
            raise AssertionError("a whole grid was given to a model that does not broadcast")
        return self.weight * x + self.bias


class Stacked(LinearModel):
    """A model of the user's own that does not do what its base promises."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([self.weight * one + self.bias for one in x])


@pytest.mark.parametrize(
    "model",
    [LinearModel(dtype="float64"), Line(), Stacked(dtype="float64")],
    ids=["ParametricModel", "any module", "ParametricModel that does not broadcast"],
)
@pytest.mark.parametrize(
    "objective",
    [SquaredError(), SquaredError("sum"), AbsoluteError(), SquaredError(l1=3.0, l2=0.5)],
    ids=["mean", "sum", "absolute", "penalised"],
)
def test_grid_equals_a_loop(model, objective):
    weights, biases = torch.linspace(-2, 7, 4).double(), torch.linspace(-20, 3, 3).double()
    losses = loss_on_grid(model, objective, DATA, {"weight": weights.unsqueeze(0), "bias": biases.unsqueeze(1)})
    assert losses.shape == (3, 4)
    for row, bias in enumerate(biases):
        for column, weight in enumerate(weights):
            residual = weight * DATA.inputs[0] + bias - DATA.target
            each = residual.abs() if isinstance(objective, AbsoluteError) else residual**2
            expected = each.sum() if objective.reduction == "sum" else each.mean()
            expected = expected + objective.l1 * (weight.abs() + bias.abs()) + objective.l2 * (weight**2 + bias**2)
            assert losses[row, column].item() == pytest.approx(expected.item(), rel=1e-12)


def test_grid_of_locations_equals_a_loop():
    sample = torch.randn(7, dtype=torch.float64)
    locations = torch.linspace(-1, 1, 5, dtype=torch.float64)
    data = Observations((), sample)
    losses = loss_on_grid(GaussianModel(scale=0.5), NegativeLogLikelihood(), data, {"location": locations})
    expected = [-Normal(location, 0.5).log_prob(sample).sum().item() for location in locations]
    assert losses.tolist() == pytest.approx(expected, rel=1e-12)


def test_grid_too_large_for_memory_is_added_up_in_parts(monkeypatch):
    grid = {"weight": torch.linspace(-2, 7, 6).double()}
    whole = loss_on_grid(LinearModel(dtype="float64"), SquaredError(), DATA, grid)
    monkeypatch.setattr(module, "_MOST_ELEMENTS", 24)
    calls: list[int] = []
    model = LinearModel(dtype="float64")
    model.register_forward_pre_hook(lambda _, inputs: calls.append(len(inputs[0])))
    parts = loss_on_grid(model, SquaredError(), DATA, grid)
    assert calls == [4, 4, 3]
    assert torch.allclose(parts, whole, rtol=1e-14)


@pytest.mark.parametrize("n", [1, 2, 5], ids=lambda n: f"{n} points")
def test_constant_has_the_mean_square_about_it(n):
    target, values = torch.randn(25, dtype=torch.float64), torch.linspace(-1, 1, n, dtype=torch.float64)
    losses = loss_on_grid(FormulaModel("g", [], {"g": 1.0}), SquaredError(), Observations((), target), {"g": values})
    assert losses.tolist() == pytest.approx([((target - g) ** 2).mean().item() for g in values])


def branched(x: Tensor, a: Tensor, k: Tensor) -> Tensor:
    return a * torch.exp(-k * x) if k > 0.5 else a + 0 * x


def accumulated(x: Tensor, a: Tensor, k: Tensor) -> Tensor:
    return a * torch.cumsum(torch.exp(-k * x), 0)


def stacked(x: Tensor, a: Tensor, k: Tensor) -> Tensor:
    return torch.stack([a * torch.exp(-k * one) for one in x])


def multiplied(x: Tensor, a: Tensor, k: Tensor) -> Tensor:
    return torch.stack([torch.ones_like(x), x], 1) @ torch.stack([a, k])


@pytest.mark.parametrize("function", [branched, accumulated, stacked, multiplied], ids=lambda f: f.__name__)
def test_function_that_does_not_broadcast_has_the_losses_of_a_loop(function):
    model: ParametricModel = FunctionModel(function, parameters={"a": 1.0, "k": 1.0})
    a, k = torch.tensor([1.0, 2.0, 3.0]).double(), torch.tensor([0.1, 1.0]).double()
    x = torch.linspace(0, 2, 3, dtype=torch.float64)
    data = Observations((x,), torch.tensor([1.0, 2.0, 4.0], dtype=torch.float64))
    losses = loss_on_grid(model, SquaredError(), data, {"a": a.unsqueeze(0), "k": k.unsqueeze(1)})
    expected = [[(function(x, one, of) - data.target).square().mean().item() for one in a] for of in k]
    assert losses.tolist() == [pytest.approx(row) for row in expected]


def test_point_that_is_refused_spoils_no_other():
    def root(x: Tensor, a: Tensor) -> Tensor:
        if a < 0:
            raise ValueError
        return a.sqrt() * x

    values = torch.tensor([-1.0, 4.0], dtype=torch.float64)
    losses = loss_on_grid(FunctionModel(root, parameters={"a": 1.0}), SquaredError(), DATA, {"a": values})
    assert losses[0].isnan()
    assert losses[1].item() == pytest.approx((2 * DATA.inputs[0] - DATA.target).square().mean().item())
