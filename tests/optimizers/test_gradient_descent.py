"""Gradient descent as the lessons write it."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from paramfit import GradientDescent, InputError
from tests.thermometer import observations


def line_and_closure(scale: float = 0.1) -> tuple[nn.Parameter, nn.Parameter, Callable[[], Tensor]]:
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
    weight, bias, closure = line_and_closure()
    for _ in range(updates):
        closure()
        with torch.no_grad():
            weight.data, bias.data = weight - lr * weight.grad, bias - lr * bias.grad
    return weight.detach(), bias.detach()


def test_updates_are_bit_equal_to_the_plain_expression():
    weight, bias, closure = line_and_closure()
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
    weight, bias, closure = line_and_closure()
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
