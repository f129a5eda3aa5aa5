"""Descent by hand under Lightning."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from scipy.special import digamma
from torch.optim import SGD, Adam

from paramfit import EstimationDataModule, FixedScale, GradientDescent, InputError, Observations, ThermometerDataModule
from paramfit.gradients import AnalyticGradient, AutogradGradient, GradientRule, NumericalGradient
from paramfit.models import DistributionModel, LinearModel
from paramfit.objectives import NegativeLogLikelihood
from paramfit.tasks import HandWrittenDescent, MaximumLikelihood


def thermometer(**options: Any) -> ThermometerDataModule:
    return ThermometerDataModule(normalization=FixedScale(0.1), **options)


@pytest.mark.parametrize(("options", "named"), [
    pytest.param({"accumulate_grad_batches": 3}, "accumulate_grad_batches", id="accumulation"),
    pytest.param({"gradient_clip_val": 1.0}, "gradient_clip_val", id="clipping"),
    pytest.param({"precision": "bf16-mixed"}, r"trainer\.precision", id="bf16-mixed"),
    pytest.param({"precision": "16-true"}, r"trainer\.precision", id="16-true"),
])  # fmt: skip
def test_what_only_lightnings_backward_pass_can_do_is_refused(options, named, make_trainer):
    # Lightning itself refuses the first two; the command line gives both exceptions exit code 2.
    with pytest.raises((InputError, MisconfigurationException), match=named):
        make_trainer(1, **options).fit(HandWrittenDescent(LinearModel(), AnalyticGradient()), datamodule=thermometer())


@pytest.mark.parametrize(
    "rule", [AnalyticGradient(), AutogradGradient(), NumericalGradient(0.1)], ids=["analytic", "autograd", "numerical"]
)
def test_every_rule_takes_the_written_out_path(rule, make_trainer):
    model = LinearModel(dtype="float64")
    data = thermometer(dtype="float64")
    make_trainer(10).fit(HandWrittenDescent(model, rule, optimizer=partial(GradientDescent, lr=1e-2)), datamodule=data)
    x, y = data.train.inputs[0].numpy(), data.train.target.numpy()
    weight, bias = 1.0, 0.0
    for _ in range(10):
        residual = weight * x + bias - y
        weight, bias = weight - 0.01 * (2 * residual * x).mean(), bias - 0.01 * (2 * residual).mean()
    # A central difference has no error of its own on a parabola, only rounding.
    assert (model.weight.item(), model.bias.item()) == (
        pytest.approx(weight, rel=1e-10),
        pytest.approx(bias, rel=1e-10),
    )


@pytest.mark.parametrize("make", [SGD, Adam], ids=["SGD", "Adam"])
def test_a_torch_optimizer_may_use_the_hand_made_gradient(make, make_trainer):
    model = LinearModel(dtype="float64")
    data = thermometer(dtype="float64")
    task = HandWrittenDescent(model, AnalyticGradient(), optimizer=partial(make, lr=1e-2), updates_per_step=5)
    make_trainer(2).fit(task, datamodule=data)
    weight, bias = (torch.tensor(start, dtype=torch.float64, requires_grad=True) for start in (1.0, 0.0))
    optimizer = make([weight, bias], lr=1e-2)  # type: ignore[call-arg]
    for _ in range(10):
        optimizer.zero_grad()
        (weight * data.train.inputs[0] + bias - data.train.target).square().mean().backward()
        optimizer.step()
    assert [model.weight.item(), model.bias.item()] == pytest.approx([weight.item(), bias.item()], rel=1e-12)


# --- likelihoods ---

X = np.linspace(-1, 2, 60)
COUNTS = np.random.default_rng(1).poisson(np.exp(0.5 + 0.8 * X)).astype(float)
WAITING = np.random.default_rng(0).gamma(2.5, 0.5, 60)


class Drawn(EstimationDataModule):
    """Rows in memory."""

    def __init__(self, target: np.ndarray, *inputs: np.ndarray) -> None:
        super().__init__()
        self.target, self.inputs = target, inputs

    def read(self) -> Observations:
        return Observations(tuple(map(torch.from_numpy, self.inputs)), torch.from_numpy(self.target))


def gamma_path(updates: int, rate: float) -> list[float]:
    """Descent of the mean negative log-likelihood by the logarithms of concentration and rate."""
    u, v = 0.0, 0.0
    for _ in range(updates):
        a, b = np.exp(u), np.exp(v)
        by_u = a * (digamma(a) - v - np.log(WAITING).mean())
        by_v = b * WAITING.mean() - a
        u, v = u - rate * by_u, v - rate * by_v
    return [u, v]


def poisson_path(updates: int, rate: float) -> list[float]:
    a, b = 0.0, 0.0
    for _ in range(updates):
        residual = np.exp(a + b * X) - COUNTS
        a, b = a - rate * residual.mean(), b - rate * (residual * X).mean()
    return [a, b]


def gamma() -> DistributionModel:
    return DistributionModel("torch.distributions.Gamma", {"concentration": 1.0, "rate": 1.0})


def poisson() -> DistributionModel:
    return DistributionModel("torch.distributions.Poisson", {"rate": "exp(a + b*x)"}, coefficients={"a": 0, "b": 0})


LIKELIHOODS: dict[str, tuple[Callable[[], DistributionModel], EstimationDataModule, list[float]]] = {
    "gamma": (gamma, Drawn(WAITING), gamma_path(40, 0.1)),
    "Poisson regression": (poisson, Drawn(COUNTS, X), poisson_path(40, 0.1)),
}
DESCENTS: dict[str, tuple[Callable[[DistributionModel], LightningModule], float]] = {
    "numerical": (lambda model: by_hand(model, NumericalGradient(1e-5)), 1e-8),  # delta squared, and rounding
    "analytic": (lambda model: by_hand(model, AnalyticGradient()), 1e-11),
    "autograd": (lambda model: by_hand(model, AutogradGradient()), 1e-11),
    "by torch": (
        lambda model: MaximumLikelihood(
            model, NegativeLogLikelihood("mean"), partial(SGD, lr=0.1), updates_per_step=20
        ),
        1e-11,
    ),
}


def by_hand(model: DistributionModel, rule: GradientRule) -> HandWrittenDescent:
    optimizer = partial(GradientDescent, lr=0.1)
    return HandWrittenDescent(model, rule, NegativeLogLikelihood("mean"), optimizer, updates_per_step=20)


@pytest.mark.parametrize("descent", DESCENTS)
@pytest.mark.parametrize("kind", LIKELIHOODS)
def test_every_rule_takes_the_path_of_the_closed_form(kind, descent, make_trainer):
    (make, data, path), (task, tolerance) = LIKELIHOODS[kind], DESCENTS[descent]
    model = make()
    make_trainer(2).fit(task(model), datamodule=data)
    assert [parameter.item() for parameter in model.parameters()] == pytest.approx(path, rel=tolerance)


def test_a_distribution_needs_a_likelihood(make_trainer):
    with pytest.raises(InputError, match="NegativeLogLikelihood"):
        make_trainer(1).fit(HandWrittenDescent(gamma(), AnalyticGradient()), datamodule=Drawn(WAITING))
