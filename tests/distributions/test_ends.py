"""Where a distribution lives, and its density there."""

import math
from typing import ClassVar

import pytest
import torch
from torch import Tensor
from torch.distributions import (
    Bernoulli,
    Beta,
    Binomial,
    Categorical,
    Distribution,
    Exponential,
    Gamma,
    MixtureSameFamily,
    Normal,
    Poisson,
    Uniform,
    VonMises,
    constraints,
)

from paramfit.distributions.ends import density_at, support_of


class Untold(Distribution):
    """A user's own distribution that says nothing of its support."""

    arg_constraints: ClassVar[dict[str, constraints.Constraint]] = {}

    def log_prob(self, value: Tensor) -> Tensor:
        return -value.square() / 2 - math.log(2 * math.pi) / 2


class Unfriendly(Distribution):
    """A density whose formula is wrong outside its support, and which does not check."""

    arg_constraints: ClassVar[dict[str, constraints.Constraint]] = {}
    support = constraints.interval(0.0, 2.0)

    def log_prob(self, value: Tensor) -> Tensor:
        return torch.log(value / 2) * torch.where(value < 0, math.nan, 1.0)


@pytest.mark.parametrize(
    ("distribution", "expected"),
    [
        (Normal(0.0, 1.0), (-math.inf, math.inf, False)),
        (Exponential(1.0), (0.0, math.inf, False)),
        (Uniform(-1.0, 3.0), (-1.0, 3.0, False)),
        (Poisson(3.0), (0.0, math.inf, True)),
        (Bernoulli(0.3), (0.0, 1.0, True)),
        (Binomial(7, torch.tensor(0.3)), (0.0, 7.0, True)),
        (VonMises(1.0, 2.0), (1.0 - math.pi, 1.0 + math.pi, False)),
        (MixtureSameFamily(Categorical(torch.ones(2)), Gamma(torch.ones(2), torch.ones(2))), (0.0, math.inf, False)),
        (Untold(validate_args=False), (-math.inf, math.inf, False)),
    ],
    ids=lambda given: type(given).__name__,
)
def test_ends_of_the_support(distribution: Distribution, expected: tuple[float, float, bool]) -> None:
    low, high, discrete = support_of(distribution)
    assert (low.item(), high.item(), discrete) == (pytest.approx(expected[0]), pytest.approx(expected[1]), expected[2])


def test_each_row_has_a_support_of_its_own() -> None:
    found = support_of(Uniform(torch.tensor([0.0, 1.0]), torch.tensor([2.0, 5.0])))
    assert found.low.tolist() == [0.0, 1.0]
    assert found.high.tolist() == [2.0, 5.0]


@pytest.mark.parametrize("checks", [True, False])
def test_density_is_zero_outside_the_support(checks: bool) -> None:
    at = torch.tensor([-1.0, 0.0, 2.0], dtype=torch.float64)
    found = density_at(Exponential(torch.tensor(0.5, dtype=torch.float64), validate_args=checks), at)
    assert found.tolist() == pytest.approx([0.0, 0.5, 0.5 * math.exp(-1.0)], rel=1e-12)


def test_mass_is_zero_between_integers() -> None:
    found = density_at(Poisson(torch.tensor(1.0, dtype=torch.float64)), torch.tensor([0.0, 0.5, 1.0]).double())
    assert found.tolist() == pytest.approx([math.exp(-1), 0.0, math.exp(-1)], rel=1e-12)


def test_density_may_be_infinite_at_an_end() -> None:
    half = torch.tensor(0.5, dtype=torch.float64)
    assert density_at(Beta(half, half), torch.tensor([0.0], dtype=torch.float64)).item() > 1e100


def test_formula_is_not_asked_outside_the_support() -> None:
    found = density_at(Unfriendly(validate_args=False), torch.tensor([-1.0, 1.0, 3.0], dtype=torch.float64))
    assert found.tolist() == [0.0, 0.5, 0.0]


def test_distribution_without_a_support_is_asked_everywhere() -> None:
    at = torch.tensor([-1.0, 1.0], dtype=torch.float64)
    assert density_at(Untold(validate_args=False), at).tolist() == pytest.approx([0.24197072451914337] * 2)
