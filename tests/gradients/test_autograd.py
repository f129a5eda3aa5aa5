"""The gradient by automatic differentiation."""

import torch
from torch import Tensor, nn

from paramfit.gradients import AutogradGradient
from paramfit.models import LinearModel
from paramfit.objectives import SquaredError
from paramfit.observations import Observations

X, TARGET = torch.tensor([1.0, 2.0, 4.0]), torch.tensor([0.0, 1.0, -2.0])


class Idle(nn.Module):
    """A model with a parameter that its prediction does not use."""

    def __init__(self) -> None:
        super().__init__()
        self.used = nn.Parameter(torch.tensor(1.0))
        self.idle = nn.Parameter(torch.ones(2, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.used * x


def test_unused_parameter_has_a_gradient_of_zero() -> None:
    _, gradients = AutogradGradient()(Idle(), SquaredError(), Observations((X,), TARGET))
    assert torch.equal(gradients["idle"], torch.zeros(2, 3))


def test_unused_parameter_still_feels_its_penalty() -> None:
    _, gradients = AutogradGradient()(Idle(), SquaredError(l2=0.5), Observations((X,), TARGET))
    assert torch.equal(gradients["idle"], torch.ones(2, 3))


def test_rule_works_where_gradients_are_switched_off() -> None:
    with torch.no_grad():
        _, gradients = AutogradGradient()(LinearModel(), SquaredError(), Observations((X,), TARGET))
    assert abs(gradients["weight"].item() - 18.0) < 1e-5


def test_gradients_are_returned_and_not_accumulated() -> None:
    model = LinearModel()
    for _ in range(2):
        loss, gradients = AutogradGradient()(model, SquaredError(), Observations((X,), TARGET))
    assert abs(gradients["weight"].item() - 18.0) < 1e-5
    assert model.weight.grad is None
    assert not loss.requires_grad
