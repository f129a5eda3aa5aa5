"""The gradient by automatic differentiation."""

from functools import partial

import torch

from paramfit import AutogradGradient, LinearModel, Observations, SquaredError
from tests.own_module import OwnModule

X, TARGET = torch.tensor([1.0, 2.0, 4.0]), torch.tensor([0.0, 1.0, -2.0])


# A model with a parameter that its prediction does not use.
Idle = partial(OwnModule, lambda self, x: self.used * x, used=torch.tensor(1.0), idle=torch.ones(2, 3))


def test_unused_parameter_has_a_gradient_of_zero():
    _, gradients = AutogradGradient()(Idle(), SquaredError(), Observations((X,), TARGET))
    assert torch.equal(gradients["idle"], torch.zeros(2, 3))


def test_rule_works_where_gradients_are_switched_off():
    with torch.no_grad():
        _, gradients = AutogradGradient()(LinearModel(), SquaredError(), Observations((X,), TARGET))
    assert abs(gradients["weight"].item() - 18.0) < 1e-5


def test_gradients_are_returned_and_not_accumulated():
    model = LinearModel()
    for _ in range(2):
        loss, gradients = AutogradGradient()(model, SquaredError(), Observations((X,), TARGET))
    assert abs(gradients["weight"].item() - 18.0) < 1e-5
    assert model.weight.grad is None
    assert not loss.requires_grad
