"""Whether a distribution has a likelihood for observations."""

import pytest
import torch
from torch.distributions import Distribution, Kumaraswamy, LogNormal, Normal, Poisson, Uniform, Weibull

from paramfit.distributions import Censoring, check_observations
from paramfit.errors import InputError
from paramfit.observations import Censored, Observations

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
    "values": (Weibull(ONE, ONE), observations_of([1.0, 2.0])),
    "bounds inside": (Weibull(ONE, ONE), observations_of([1.0, 2.0, 3.0], [OBSERVED, LEFT, RIGHT])),
    "an interval from the edge": (Weibull(ONE, ONE), observations_of([1.0, 0.0], [OBSERVED, INTERVAL], 2.0)),
    "any bound of a real number": (Normal(ONE, ONE), observations_of([-1.0, 0.0], [LEFT, RIGHT])),
    "one distribution for each row": (
        Uniform(torch.zeros(2), torch.tensor([1.0, 9.0])),
        observations_of([0.5, 8.0], [LEFT, RIGHT]),
    ),
}


@pytest.mark.parametrize(("distribution", "observations"), TAKEN.values(), ids=TAKEN)
def test_observations_with_a_likelihood_pass(distribution: Distribution, observations: Observations) -> None:
    check_observations(distribution, observations)


REFUSED = {
    "a value outside": (
        Weibull(ONE, ONE),
        observations_of([1.0, -2.0], [RIGHT, OBSERVED]),
        "row 1 is -2, outside the support",
    ),
    "a right bound below all": (
        Weibull(ONE, ONE),
        observations_of([1.0, 0.0], [OBSERVED, RIGHT]),
        "row 1 is censored at 0,",
    ),
    "a left bound below all": (LogNormal(ONE, ONE), observations_of([-1.0], [LEFT]), "row 0 is censored at -1,"),
    "a left bound above all": (
        Kumaraswamy(ONE, ONE),
        observations_of([0.5, 1.0], [RIGHT, LEFT]),
        "row 1 is censored at 1,",
    ),
    "an interval from outside": (
        Weibull(ONE, ONE),
        observations_of([-1.0], [INTERVAL], 2.0),
        "row 0 is censored at -1,",
    ),
    "an interval to outside": (
        Kumaraswamy(ONE, ONE),
        observations_of([0.5], [INTERVAL], 1.5),
        "row 0 is censored at 1.5,",
    ),
    "a row beyond its own distribution": (
        Uniform(torch.zeros(2), torch.tensor([1.0, 9.0])),
        observations_of([1.5, 8.0], [RIGHT, RIGHT]),
        r"row 0 is censored at 1.5, .*\(between 0 and 1",
    ),
    "no cdf": (
        Poisson(ONE),
        observations_of([1.0, 2.0], [OBSERVED, RIGHT]),
        "Poisson cannot take censored observations",
    ),
}


@pytest.mark.parametrize(("distribution", "observations", "words"), REFUSED.values(), ids=REFUSED)
def test_others_are_refused_by_row(distribution: Distribution, observations: Observations, words: str) -> None:
    with pytest.raises(InputError, match=words):
        check_observations(distribution, observations)
