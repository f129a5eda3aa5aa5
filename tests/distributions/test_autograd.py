"""Derivatives by autograd, of a density with known ones."""

import pytest
import torch
from torch import Tensor
from torch.distributions import Distribution, constraints

from paramfit.distributions.autograd import curvature_by_autograd, score_by_autograd


class Bell(Distribution):
    """Log-density ``-exp(a) (y - b)**2``, up to a constant."""

    arg_constraints = {"a": constraints.real, "b": constraints.real}  # noqa: RUF012  # as torch writes it

    def __init__(self, a: Tensor, b: Tensor, validate_args: bool | None = None) -> None:
        self.a, self.b = a, b
        super().__init__(validate_args=validate_args)

    def log_prob(self, value: Tensor) -> Tensor:
        return -self.a.exp() * (value - self.b) ** 2


BELL = Bell(torch.tensor(0.0, dtype=torch.float64), torch.tensor(1.0, dtype=torch.float64))
Y = torch.tensor([1.0, 3.0], dtype=torch.float64)


def test_score_has_a_row_for_every_observation() -> None:
    computed = score_by_autograd(BELL, Y, ["b", "a"])
    assert computed["a"].tolist() == [0.0, -4.0]
    assert computed["b"].tolist() == [0.0, 4.0]
    assert not computed["a"].requires_grad


def test_curvature_has_a_matrix_for_every_observation() -> None:
    computed = curvature_by_autograd(BELL, Y, ["a", "b"])
    assert computed.tolist() == [[[0.0, 0.0], [0.0, 2.0]], [[4.0, -4.0], [-4.0, 2.0]]]
    assert not computed.requires_grad


def test_second_derivative_of_what_is_linear_is_zero() -> None:
    class Linear(Bell):
        def log_prob(self, value: Tensor) -> Tensor:
            return self.a * value

    assert curvature_by_autograd(Linear(BELL.a, BELL.b), Y, ["a"]).flatten().tolist() == [0.0, 0.0]


@pytest.mark.parametrize("derivative", [score_by_autograd, curvature_by_autograd])
def test_arguments_of_the_distribution_are_left_alone(derivative: object) -> None:
    assert callable(derivative)
    derivative(BELL, Y, ["a"])
    assert not BELL.a.requires_grad
