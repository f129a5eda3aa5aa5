"""What the lessons say about autograd, seen through the package's own parts."""

import pytest
import torch
from torch import nn

from paramfit import AbsoluteError, GaussianModel, LinearModel, NegativeLogLikelihood, SquaredError


def gradients(model: nn.Module) -> list[float | None]:
    return [None if parameter.grad is None else parameter.grad.item() for parameter in model.parameters()]


def test_five_parts_of_one_step_by_hand(golden_gaussian):
    published, matched = golden_gaussian["first_step"], golden_gaussian["matched_sample"]
    count = golden_gaussian["n_observations"]
    # Half of the sample at mean - s, half at mean + s: its mean and its squared deviations are the published ones.
    deviation = (matched["sum_of_squared_deviations"] / count) ** 0.5
    signs = torch.tensor([-1.0, 1.0], dtype=torch.float64).repeat(count // 2)
    sample = matched["mean"] + deviation * signs
    model = GaussianModel(location=golden_gaussian["start"], scale=golden_gaussian["scale"])
    optimizer = torch.optim.SGD(model.parameters(), lr=golden_gaussian["learning_rate"])
    prediction = model()
    loss = NegativeLogLikelihood()(prediction, sample)
    assert f"{loss.item():.4f}" == published["loss"]
    assert model.location.grad is None
    loss.backward()
    assert model.location.grad.item() == pytest.approx(float(published["gradient"]), rel=1e-13)
    assert model.location.item() == golden_gaussian["start"]
    optimizer.step()
    assert model.location.item() == pytest.approx(float(published["location_after"]), rel=1e-15)
    optimizer.zero_grad()
    assert model.location.grad is None


def test_published_gradient_and_update_follow_from_mean_and_count_exactly(golden_gaussian):
    # One observation at the mean stands for all: n * (1 - mean) has no rounding in float64.
    mean, count = golden_gaussian["matched_sample"]["mean"], golden_gaussian["n_observations"]
    model = GaussianModel(location=1.0)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-7)
    loss = NegativeLogLikelihood()(model(), torch.tensor([mean], dtype=torch.float64)) * count
    assert gradients(model) == [None]
    loss.backward()
    assert gradients(model) == [10015.0458984375]
    optimizer.step()
    assert model.location.item() == 0.9989984954101563
    optimizer.zero_grad()
    assert gradients(model) == [None]


def test_gradients_accumulate_until_they_are_zeroed():
    # At x = 1 the line's prediction weight + bias has the derivative [1, 1]. The absolute error above the target
    # passes it on, [1, 1]; the squared error at a residual of 1 doubles it, [2, 2].
    model = LinearModel(weight=2.0, bias=1.0)
    x, target = torch.ones(1), torch.tensor([2.0])
    assert gradients(model) == [None, None]
    AbsoluteError()(model(x), target).backward()
    assert gradients(model) == [1.0, 1.0]
    SquaredError()(model(x), target).backward()
    assert gradients(model) == [3.0, 3.0]
    model.zero_grad()
    assert gradients(model) == [None, None]
    SquaredError()(model(x), target).backward()
    assert gradients(model) == [2.0, 2.0]
