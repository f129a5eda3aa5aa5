"""Where a distribution has its probability, its density there, and observations outside."""

import math
from typing import ClassVar

import pytest
import torch
from torch import Tensor
from torch import distributions as dist

from paramfit import InputError
from paramfit.distributions import Censoring, check_observations, check_support, density_at, support_of
from paramfit.observations import Censored, Observations


class Unsupported(dist.Distribution):
    """A user's own distribution that says nothing of its support."""

    arg_constraints: ClassVar[dict[str, dist.constraints.Constraint]] = {}

    def log_prob(self, value: Tensor) -> Tensor:
        return -value.square() / 2 - math.log(2 * math.pi) / 2


class Unfriendly(dist.Distribution):
    """A density whose formula is wrong outside its support, and which does not check."""

    arg_constraints: ClassVar[dict[str, dist.constraints.Constraint]] = {}
    support = dist.constraints.interval(0.0, 2.0)

    def log_prob(self, value: Tensor) -> Tensor:
        return torch.log(value / 2) * torch.where(value < 0, math.nan, 1.0)


@pytest.mark.parametrize(("distribution", "expected"), [
    (dist.Normal(0.0, 1.0), (-math.inf, math.inf, False)),
    (dist.Exponential(1.0), (0.0, math.inf, False)),
    (dist.Uniform(-1.0, 3.0), (-1.0, 3.0, False)),
    (dist.Poisson(3.0), (0.0, math.inf, True)),
    (dist.Bernoulli(0.3), (0.0, 1.0, True)),
    (dist.Binomial(7, torch.tensor(0.3)), (0.0, 7.0, True)),
    (dist.VonMises(1.0, 2.0), (1.0 - math.pi, 1.0 + math.pi, False)),
    (
        dist.MixtureSameFamily(dist.Categorical(torch.ones(2)), dist.Gamma(torch.ones(2), torch.ones(2))),
        (0.0, math.inf, False),
    ),
    (Unsupported(validate_args=False), (-math.inf, math.inf, False)),
], ids=lambda given: type(given).__name__)  # fmt: skip
def test_ends_of_the_support(distribution, expected):
    low, high, discrete = support_of(distribution)
    assert (low.item(), high.item(), discrete) == (pytest.approx(expected[0]), pytest.approx(expected[1]), expected[2])


def test_each_row_has_a_support_of_its_own():
    support = support_of(dist.Uniform(torch.tensor([0.0, 1.0]), torch.tensor([2.0, 5.0])))
    assert support.low.tolist() == [0.0, 1.0]
    assert support.high.tolist() == [2.0, 5.0]


@pytest.mark.parametrize("checks", [True, False])
def test_density_is_zero_outside_the_support(checks):
    at = torch.tensor([-1.0, 0.0, 2.0], dtype=torch.float64)
    density = density_at(dist.Exponential(torch.tensor(0.5, dtype=torch.float64), validate_args=checks), at)
    assert density.tolist() == pytest.approx([0.0, 0.5, 0.5 * math.exp(-1.0)], rel=1e-12)


def test_mass_is_zero_between_integers():
    density = density_at(dist.Poisson(torch.tensor(1.0, dtype=torch.float64)), torch.tensor([0.0, 0.5, 1.0]).double())
    assert density.tolist() == pytest.approx([math.exp(-1), 0.0, math.exp(-1)], rel=1e-12)


def test_density_may_be_infinite_at_an_end():
    half = torch.tensor(0.5, dtype=torch.float64)
    assert density_at(dist.Beta(half, half), torch.tensor([0.0], dtype=torch.float64)).item() > 1e100


def test_formula_is_not_asked_outside_the_support():
    density = density_at(Unfriendly(validate_args=False), torch.tensor([-1.0, 1.0, 3.0], dtype=torch.float64))
    assert density.tolist() == [0.0, 0.5, 0.0]


def test_distribution_without_a_support_is_asked_everywhere():
    at = torch.tensor([-1.0, 1.0], dtype=torch.float64)
    assert density_at(Unsupported(validate_args=False), at).tolist() == pytest.approx([0.24197072451914337] * 2)


@pytest.mark.parametrize(("distribution", "values", "words"), [
    (dist.Gamma(1.0, 1.0), [1.0, -0.3, -2.0], "row 1 is -0.3, .* Gamma .above 0.; 2 of 3 rows are"),
    (dist.Gamma(1.0, 1.0), [1.0, 0.0], "row 1 is 0, .*above 0.; 1 of 2 rows is"),
    (dist.Exponential(1.0), [-1.0], "from 0 on"),
    (dist.Beta(1.0, 1.0), [0.5, 1.0], "row 1 is 1, .*between 0 and 1, without these"),
    (dist.Poisson(1.0), [1.5], "a whole number from 0 on"),
    (dist.Bernoulli(0.5), [2.0], "0 or 1"),
    (dist.Normal(0.0, 1.0), [float("nan")], "row 0 is nan, .*any finite number"),
    (dist.Normal(0.0, 1.0), [float("inf")], "row 0 is inf"),
    (dist.GeneralizedPareto(*torch.tensor([0.5, 1.0, 0.1])), [0.4], "row 0 is 0.4, .*from 0.5 on"),
    (dist.GeneralizedPareto(*torch.tensor([0.5, 1.0, -0.5])), [4.0], "row 0 is 4, .*between 0.5 and 2.5"),
    (
        dist.Binomial(torch.tensor([9.0, 3.0]), torch.tensor([0.5, 0.5])),
        [9.0, 4.0],
        "row 1 is 4, .*a whole number between 0 and 3, with these",
    ),
])  # fmt: skip
def test_message_names_row_value_and_support(distribution, values, words):
    with pytest.raises(InputError, match=f"data.t: .*{words}"):
        check_support(distribution, torch.tensor(values), "data.t")


def test_distribution_that_names_no_support_takes_finite_numbers():
    check_support(Unsupported(validate_args=False), torch.tensor([-1.0]))
    with pytest.raises(InputError, match="any finite number"):
        check_support(Unsupported(validate_args=False), torch.tensor([float("nan")]))


OBSERVED, LEFT, RIGHT, INTERVAL = Censoring
ONE = torch.tensor(1.0)


def observations_of(
    target: list[float], status: list[Censoring] | None = None, upper: float = torch.inf
) -> Observations:
    y = torch.tensor(target)
    return Observations(
        (), y, None, None if status is None else Censored(torch.tensor(status), y.new_full(y.shape, upper))
    )


TAKEN = {
    "values": (dist.Weibull(ONE, ONE), observations_of([1.0, 2.0])),
    "bounds inside": (dist.Weibull(ONE, ONE), observations_of([1.0, 2.0, 3.0], [OBSERVED, LEFT, RIGHT])),
    "an interval from the edge": (dist.Weibull(ONE, ONE), observations_of([1.0, 0.0], [OBSERVED, INTERVAL], 2.0)),
    "any bound of a real number": (dist.Normal(ONE, ONE), observations_of([-1.0, 0.0], [LEFT, RIGHT])),
    "one distribution for each row": (
        dist.Uniform(torch.zeros(2), torch.tensor([1.0, 9.0])),
        observations_of([0.5, 8.0], [LEFT, RIGHT]),
    ),
}


@pytest.mark.parametrize(("distribution", "observations"), TAKEN.values(), ids=TAKEN)
def test_observations_with_a_likelihood_pass(distribution, observations):
    check_observations(distribution, observations)


REFUSED = {
    "a value outside": (
        dist.Weibull(ONE, ONE),
        observations_of([1.0, -2.0], [RIGHT, OBSERVED]),
        "row 1 is -2, outside the support",
    ),
    "a right bound below all": (
        dist.Weibull(ONE, ONE),
        observations_of([1.0, 0.0], [OBSERVED, RIGHT]),
        "row 1 is censored at 0,",
    ),
    "a left bound below all": (dist.LogNormal(ONE, ONE), observations_of([-1.0], [LEFT]), "row 0 is censored at -1,"),
    "a left bound above all": (
        dist.Kumaraswamy(ONE, ONE),
        observations_of([0.5, 1.0], [RIGHT, LEFT]),
        "row 1 is censored at 1,",
    ),
    "an interval from outside": (
        dist.Weibull(ONE, ONE),
        observations_of([-1.0], [INTERVAL], 2.0),
        "row 0 is censored at -1,",
    ),
    "an interval to outside": (
        dist.Kumaraswamy(ONE, ONE),
        observations_of([0.5], [INTERVAL], 1.5),
        "row 0 is censored at 1.5,",
    ),
    "a row beyond its own distribution": (
        dist.Uniform(torch.zeros(2), torch.tensor([1.0, 9.0])),
        observations_of([1.5, 8.0], [RIGHT, RIGHT]),
        r"row 0 is censored at 1.5, .*\(between 0 and 1",
    ),
    "no cdf": (
        dist.Poisson(ONE),
        observations_of([1.0, 2.0], [OBSERVED, RIGHT]),
        "Poisson cannot take censored observations",
    ),
}


@pytest.mark.parametrize(("distribution", "observations", "words"), REFUSED.values(), ids=REFUSED)
def test_others_are_refused_by_row(distribution, observations, words):
    with pytest.raises(InputError, match=words):
        check_observations(distribution, observations)
