"""Censored likelihoods, row by row and in every mode of differentiation."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import optimize, special, stats
from torch import Tensor, nn
from torch.distributions import (
    Categorical,
    Distribution,
    Gamma,
    MixtureSameFamily,
    Normal,
    StudentT,
    Uniform,
    Weibull,
    constraints,
)

from paramfit import InputError, fit
from paramfit.distributions import censored_log_prob, check_censoring
from tests.distributions.families import ROWS

STATUS = torch.tensor([3, 0, 1, 2, 2, 0, 1, 3])


def column(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize("shape", [(), (8,), (3, 1)], ids=str)
def test_arguments_may_be_shared_or_the_rows_own_or_a_batch(shape):
    y = ROWS["weibull"].sample(8)
    scale, concentration = (torch.full(shape, v, dtype=torch.float64) for v in (1.5, 0.7))
    likelihood = censored_log_prob(Weibull(scale, concentration), y, STATUS, y + 1)
    single = censored_log_prob(Weibull(column(1.5), column(0.7)), y, STATUS, y + 1)
    torch.testing.assert_close(likelihood, single.expand(likelihood.shape))
    assert likelihood.shape == ((3, 8) if shape == (3, 1) else (8,))


def test_slopes_are_those_of_the_rows_one_by_one():
    y = ROWS["weibull"].sample(8)
    scale, concentration = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (1.5, 0.7))
    weibull = Weibull(scale, concentration)
    together = torch.autograd.grad(censored_log_prob(weibull, y, STATUS, y + 1).sum(), (scale, concentration))
    single = [
        torch.autograd.grad(
            censored_log_prob(weibull, y[[row]], STATUS[[row]], y[[row]] + 1).sum(), (scale, concentration)
        )
        for row in range(8)
    ]
    for k in range(2):
        torch.testing.assert_close(together[k], torch.stack([slopes[k] for slopes in single]).sum())


def test_exponential_with_censoring_has_its_closed_form_maximum():
    # Events over time at risk maximise the likelihood: there the score is 0.
    t, status = column(1, 2, 4, 5), torch.tensor([0, 0, 2, 2])
    rate = torch.tensor(2 / 12, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(censored_log_prob(torch.distributions.Exponential(rate), t, status).sum(), rate)
    assert slope.item() == pytest.approx(0.0, abs=1e-12)


def test_derivatives_by_torch_func_are_autograds():
    y = ROWS["normal"].sample(8)

    def total(theta: Tensor) -> Tensor:
        return censored_log_prob(Normal(theta[0], theta[1], validate_args=False), y, STATUS, y + 1).sum()

    batch = torch.tensor([[1.0, 2.0], [1.5, 0.7]], dtype=torch.float64)
    gradient = torch.func.vmap(torch.func.grad(total))(batch)
    for row, theta in enumerate(batch):
        torch.testing.assert_close(gradient[row], torch.autograd.functional.jacobian(total, theta))
    assert torch.func.hessian(total)(batch[0]).isfinite().all()


def test_distribution_is_refused_by_name():
    gamma = Gamma(column(2.0), column(1.0))
    with pytest.raises(InputError, match="Gamma cannot take censored observations"):
        check_censoring(gamma, column(1, 2), torch.tensor([0, 2]), names=["concentration"])
    check_censoring(gamma, column(1, 2), torch.tensor([0, 0]), names=["concentration"])
    check_censoring(gamma, column(1, 2), torch.tensor([0, 2]), names=["rate"])
    check_censoring(Weibull(column(2.0), column(1.0)), column(1, 2), torch.tensor([0, 2]), names=["scale"])


class Opaque(Distribution):
    """A distribution whose cdf autograd cannot see into."""

    arg_constraints = {"loc": constraints.real}  # noqa: RUF012  # as torch writes it

    def __init__(self, loc: Tensor, validate_args: bool | None = None) -> None:
        self.loc = loc
        super().__init__(loc.shape, validate_args=validate_args)

    def cdf(self, value: Tensor) -> Tensor:
        return Normal(self.loc.detach(), 1.0).cdf(value)


def test_cdf_without_derivative_is_refused_by_name():
    with pytest.raises(InputError, match=r"parameters.loc: Opaque .*its cdf cannot be differentiated by loc"):
        check_censoring(Opaque(column(0.0)), column(1.0), torch.tensor([2]), names=["loc"])


def test_cdf_of_a_class_of_ones_own_is_used():
    likelihood = censored_log_prob(Uniform(column(0.0), column(4.0)), column(1, 1), torch.tensor([1, 2]))
    torch.testing.assert_close(likelihood, column(0.25, 0.75).log())


@pytest.mark.parametrize(("status", "upper", "words"), [
    ([0, 7], None, "row 1 has the censoring 7; there are 0 observed, 1 left, 2 right, 3 interval"),
    ([0, 3], None, "row 1 is an interval, but there is no column of upper ends"),
    ([3, 3], [2.0, 2.0], "row 1 is an interval from 2 to 2; the upper end has to be finite and above"),
    ([3, 0], [np.nan, 3.0], "row 0 is an interval from 1 to nan"),
])  # fmt: skip
def test_rows_that_make_no_sense_are_named(status, upper, words):
    with pytest.raises(InputError, match=words):
        check_censoring(
            Normal(column(0.0), column(1.0)),
            column(1, 2),
            torch.tensor(status),
            None if upper is None else column(*upper),
            ["loc"],
        )


class OfTwo(nn.Module):
    """A mixture of two kinds of one family, as a user's module."""

    def __init__(self, kind: Callable[[Tensor], Distribution]) -> None:
        super().__init__()
        self.kind = kind
        self.places = nn.Parameter(torch.tensor([1.0, 4.0], dtype=torch.float64))
        self.odds = nn.Parameter(torch.tensor(0.0, dtype=torch.float64))

    def forward(self):
        weights = Categorical(logits=torch.stack([self.odds, -self.odds]))
        return MixtureSameFamily(weights, self.kind(self.places))


DRAWN = np.concatenate([np.random.default_rng(0).normal(place, 1, 40) for place in (1, 5)])
WORDS = ["right" if row % 5 == 0 else "" for row in range(80)]


def test_a_mixture_takes_censored_observations_by_its_components():
    """Against SciPy's optimum of the same likelihood."""
    result = fit(OfTwo(lambda places: Normal(places, torch.ones_like(places))), (DRAWN,), censoring=WORDS)
    is_censored = np.array(WORDS) == "right"

    def loss(theta: np.ndarray) -> float:
        weights = special.expit([2 * theta[2], -2 * theta[2]])
        density = sum(w * stats.norm.pdf(DRAWN, place) for w, place in zip(weights, theta, strict=False))
        above = sum(w * stats.norm.sf(DRAWN, place) for w, place in zip(weights, theta, strict=False))
        return float(-np.log(np.where(is_censored, above, density)).sum())

    best = optimize.minimize(loss, [1.0, 4.0, 0.0])
    assert result.status == "converged"
    assert result.likelihood is not None
    assert result.likelihood.log_likelihood == pytest.approx(-best.fun, abs=1e-7)
    assert [estimate.estimate for estimate in result.parameters.values()] == pytest.approx(best.x, abs=1e-4)


def test_a_mixture_whose_components_have_no_cdf_says_that_it_is_missing():
    with pytest.raises(InputError, match="StudentT cannot take censored observations: its class has no cdf"):
        fit(OfTwo(lambda places: StudentT(5.0, places)), (DRAWN,), censoring=WORDS)
