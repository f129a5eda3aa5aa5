"""Gradient descent as the lessons write it, and any optimizer in blocks of updates."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.optim import LBFGS, SGD, Adam, Optimizer

from paramfit import BlockOptimizer, GradientDescent, InputError
from tests.thermometer import observations


def scaled_line(scale: float = 0.1) -> tuple[nn.Parameter, nn.Parameter, Callable[[], Tensor]]:
    """The float32 line of the lesson, and a closure that fills its gradients by autograd."""
    weight, bias = nn.Parameter(torch.tensor(1.0)), nn.Parameter(torch.tensor(0.0))
    (x,), y, *_ = observations(scale, torch.float32)

    def closure() -> Tensor:
        weight.grad = bias.grad = None
        loss = (weight * x + bias - y).square().mean()
        loss.backward()
        return loss.detach()

    return weight, bias, closure


def plain_loop(updates: int, lr: float) -> tuple[Tensor, Tensor]:
    """The same descent without an optimizer: p - lr * p.grad."""
    weight, bias, closure = scaled_line()
    for _ in range(updates):
        closure()
        with torch.no_grad():
            weight.data, bias.data = weight - lr * weight.grad, bias - lr * bias.grad
    return weight.detach(), bias.detach()


def test_updates_are_bit_equal_to_the_plain_expression():
    weight, bias, closure = scaled_line()
    optimizer = GradientDescent([weight, bias], lr=1e-2)
    for _ in range(300):
        optimizer.step(closure)
    expected = plain_loop(300, 1e-2)
    assert torch.equal(weight.detach(), expected[0])
    assert torch.equal(bias.detach(), expected[1])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_one_update_of_many_elements_is_bit_equal_to_the_plain_expression(dtype):
    start, gradient = torch.randn(10_000, dtype=dtype), torch.randn(10_000, dtype=dtype)
    parameter = nn.Parameter(start.clone())
    parameter.grad = gradient
    GradientDescent([parameter], lr=0.1).step(lambda: torch.tensor(0.0))
    assert torch.equal(parameter.detach(), start - 0.1 * gradient)


def test_step_returns_the_loss_before_the_update():
    weight, bias, closure = scaled_line()
    before = closure()
    assert GradientDescent([weight, bias], lr=1e-2).step(closure) == before
    assert closure() < before


def test_one_at_a_time_asks_for_the_gradient_anew_before_each_parameter():
    # loss = a * b: together both move along the other's start; one at a time b moves along the new a.
    a, b = nn.Parameter(torch.tensor(2.0)), nn.Parameter(torch.tensor(3.0))

    def closure() -> Tensor:
        a.grad, b.grad = b.detach().clone(), a.detach().clone()
        return (a * b).detach()

    loss = GradientDescent([a, b], lr=0.5, order="one_at_a_time").step(closure)
    assert a.item() == 2.0 - 0.5 * 3.0
    assert b.item() == 3.0 - 0.5 * 0.5
    assert loss.item() == 6.0


def test_each_group_has_its_own_rate():
    slow, fast = nn.Parameter(torch.tensor(1.0)), nn.Parameter(torch.tensor(1.0))
    slow.grad, fast.grad = torch.tensor(1.0), torch.tensor(1.0)
    optimizer = GradientDescent([{"params": [slow]}, {"params": [fast], "lr": 0.5}], lr=0.125)
    optimizer.step(lambda: torch.tensor(0.0))
    assert (slow.item(), fast.item()) == (0.875, 0.5)


@pytest.mark.parametrize("lr", [0.0, -1.0, float("nan")], ids=str)
def test_rate_that_is_not_positive_is_refused(lr):
    with pytest.raises(InputError, match="lr: a learning rate is above 0"):
        GradientDescent([nn.Parameter(torch.tensor(1.0))], lr=lr)


Parameters = list[nn.Parameter]
OPTIMIZERS: dict[str, Callable[[Parameters], Optimizer]] = {
    "GradientDescent": lambda parameters: GradientDescent(parameters, lr=1e-2),
    "one at a time": lambda parameters: GradientDescent(parameters, lr=1e-2, order="one_at_a_time"),
    "SGD": lambda parameters: SGD(parameters, lr=1e-2),
    "momentum": lambda parameters: SGD(parameters, lr=1e-3, momentum=0.9),
    "Adam": lambda parameters: Adam(parameters, lr=0.1),
    "LBFGS": lambda parameters: LBFGS(parameters, lr=0.1, max_iter=3),
}
every_optimizer = pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS.keys())


def line_and_closure() -> tuple[Parameters, Callable[[], Tensor]]:
    """The line on the scaled readings, and a closure as torch's optimizers expect it: autograd must be on."""
    parameters = [nn.Parameter(torch.tensor(1.0)), nn.Parameter(torch.tensor(0.0))]
    (x,), y, *_ = observations(0.1, torch.float32)

    def closure() -> Tensor:
        for parameter in parameters:
            parameter.grad = None
        loss = (parameters[0] * x + parameters[1] - y).square().mean()
        loss.backward()
        return loss

    return parameters, closure


def values(parameters: Parameters) -> list[float]:
    return [parameter.item() for parameter in parameters]


@every_optimizer
@pytest.mark.parametrize("block", [1, 4], ids=["blocks of 1", "blocks of 4"])
def test_blocks_equal_the_unblocked_optimizer(make, block):
    plain, plain_closure = line_and_closure()
    optimizer = make(plain)
    for _ in range(12):
        optimizer.step(plain_closure)
    blocked, blocked_closure = line_and_closure()
    wrapped = BlockOptimizer(make(blocked), updates_per_step=block)
    for _ in range(12 // block):
        wrapped.step(blocked_closure)
    assert values(blocked) == values(plain)
    assert values(plain) != [1.0, 0.0]


@every_optimizer
def test_state_dict_makes_the_round_trip(make):
    through, closure = line_and_closure()
    wrapped = BlockOptimizer(make(through), updates_per_step=3)
    wrapped.step(closure)
    resumed, resumed_closure = line_and_closure()
    restored = BlockOptimizer(make(resumed), updates_per_step=3)
    # A file would separate the two; torch's own load_state_dict shares the tensors.
    restored.load_state_dict(copy.deepcopy(wrapped.state_dict()))
    with torch.no_grad():
        for parameter, saved in zip(resumed, values(through), strict=True):
            parameter.fill_(saved)
    for _ in range(2):
        wrapped.step(closure)
        restored.step(resumed_closure)
    assert values(resumed) == values(through)


def test_block_ends_early_where_it_is_told_to():
    parameters, closure = line_and_closure()
    lines: list[float] = []

    def after_update(loss: Tensor) -> bool:
        lines.append(loss.item())
        return len(lines) == 3

    BlockOptimizer(SGD(parameters, lr=1e-2), updates_per_step=10, after_update=after_update).step(closure)
    plain, plain_closure = line_and_closure()
    optimizer = SGD(plain, lr=1e-2)
    assert lines == [optimizer.step(plain_closure).item() for _ in range(3)]
    assert values(parameters) == values(plain)


def test_run_makes_the_first_update_by_the_outer_closure_and_later_ones_by_the_inner():
    parameters, closure = line_and_closure()
    wrapped = BlockOptimizer(SGD(parameters, lr=1e-2), updates_per_step=4)
    calls: list[str] = []

    def outer() -> Tensor:
        calls.append("outer")
        return closure()

    def inner() -> Tensor:
        calls.append("inner")
        return closure()

    wrapped.run(inner, lambda: wrapped.step(outer))
    plain, plain_closure = line_and_closure()
    optimizer = SGD(plain, lr=1e-2)
    for _ in range(4):
        optimizer.step(plain_closure)
    assert calls == ["outer", "inner", "inner", "inner"]
    assert values(parameters) == values(plain)


@pytest.mark.parametrize("updates", [0, -1])
def test_block_without_updates_is_refused(updates):
    parameters, _ = line_and_closure()
    with pytest.raises(InputError, match="updates_per_step: a block has at least one update"):
        BlockOptimizer(SGD(parameters, lr=0.1), updates_per_step=updates)
