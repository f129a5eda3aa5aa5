"""Many updates within one training step."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.optim import LBFGS, SGD, Adam, Optimizer

from paramfit import BlockOptimizer, GradientDescent, InputError
from tests.thermometer import observations

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
