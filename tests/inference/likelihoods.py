"""Likelihoods that several tests need: small models that return a distribution, and their optima."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli, Distribution, Gamma, Poisson

from paramfit import NegativeLogLikelihood, Observations, ParametricModel
from paramfit.inference.loss_function import LossFunction


class GammaSample(ParametricModel):
    """``Gamma(concentration, rate)``, both bounded below by 0."""

    def __init__(self, concentration: float, rate: float) -> None:
        super().__init__()
        self.declare("concentration", {"start": concentration, "lower": 0}, torch.float64)
        self.declare("rate", {"start": rate, "lower": 0}, torch.float64)

    def forward(self) -> Gamma:
        return Gamma(self.natural("concentration"), self.natural("rate"))

    def jacobian(self, *inputs: Tensor) -> dict[str, Tensor | float]:
        raise NotImplementedError


class PoissonSample(ParametricModel):
    """``Poisson(rate)``."""

    def __init__(self, rate: float | dict[str, Any]) -> None:
        super().__init__()
        self.declare("rate", rate, torch.float64)

    def forward(self) -> Poisson:
        return Poisson(self.natural("rate"))

    def jacobian(self, *inputs: Tensor) -> dict[str, Tensor | float]:
        raise NotImplementedError


class LogLinear(nn.Module):
    """Poisson or Bernoulli regression by the canonical link, ``a + b x``; no ParametricModel."""

    def __init__(self, kind: type[Distribution]) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor(0.0, dtype=torch.float64))
        self.b = nn.Parameter(torch.tensor(0.0, dtype=torch.float64))
        self.kind = kind

    def forward(self, x: Tensor) -> Distribution:
        predictor = self.a + self.b * x
        return Poisson(predictor.exp()) if self.kind is Poisson else Bernoulli(logits=predictor)


def likelihood(model: nn.Module, *columns: Any, reduction: str = "sum") -> LossFunction:
    """The negative log-likelihood of a model; the last column is the target."""
    *inputs, target = (torch.as_tensor(column, dtype=torch.float64) for column in columns)
    return LossFunction(model, NegativeLogLikelihood(reduction), Observations(tuple(inputs), target))


def optimum(loss: LossFunction) -> Tensor:
    """By Newton's steps from the model's start, which has to be near."""
    theta = loss.theta
    for _ in range(30):
        theta = theta - torch.linalg.solve(loss.hessian(theta), loss.gradient(theta))
    return theta
