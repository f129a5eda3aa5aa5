"""Errors by the curvature of a likelihood, against closed forms."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.distributions import Distribution, Normal

from paramfit import DistributionModel, Fact, FactKind, NegativeLogLikelihood, Observations
from paramfit.inference.likelihood_errors import likelihood_uncertainty
from paramfit.inference.loss_function import LossFunction

SAMPLE = torch.tensor([1.0, 2.0, 4.0, 7.0], dtype=torch.float64)


class TwoLocations(nn.Module):
    """Only the sum of the two is told by any sample."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Parameter(torch.tensor(1.0, dtype=torch.float64))
        self.second = nn.Parameter(torch.tensor(2.5, dtype=torch.float64))

    def forward(self) -> Distribution:
        """Around the sum."""
        return Normal(self.first + self.second, 1.0)


def loss_of(model: nn.Module) -> LossFunction:
    return LossFunction(model, NegativeLogLikelihood(), Observations((), SAMPLE))


def normal() -> LossFunction:
    return loss_of(
        DistributionModel("torch.distributions.Normal", {"loc": 3.5, "scale": SAMPLE.std(correction=0).item()})
    )


def test_covariance_is_the_inverse_information():
    loss = normal()
    scale = SAMPLE.std(correction=0).item()
    errors = likelihood_uncertainty(loss, loss.theta, loss.hessian(loss.theta).numpy())
    expected = np.diag([scale**2 / 4, 1 / 8])  # by the logarithm of the scale
    np.testing.assert_allclose(errors.covariance.numpy(), expected, atol=1e-12)
    assert errors.quantile == pytest.approx(1.959963984540054)
    assert errors.method == Fact(FactKind.OBSERVED_INFORMATION, numbers={"bounded": True})


def test_singular_direction_is_named():
    loss = loss_of(TwoLocations())
    errors = likelihood_uncertainty(loss, loss.theta, loss.hessian(loss.theta).numpy())
    assert [(fact.kind, fact.parameters) for fact in errors.directions] == [(FactKind.INSEPARABLE, ("first", "second"))]
    assert set(errors.undetermined) == {0, 1}


def test_point_that_is_no_maximum_names_the_way_up():
    loss = loss_of(TwoLocations())
    saddle = np.array([[2.0, 0.0], [0.0, -1.0]])
    errors = likelihood_uncertainty(loss, loss.theta, saddle)
    assert errors.covariance is None
    (reason,) = errors.reasons
    assert isinstance(reason, Fact)
    assert (reason.kind, reason.parameters) == (FactKind.NOT_A_MAXIMUM, ("second",))
