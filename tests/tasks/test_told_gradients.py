"""Loss, gradient and parameters that a solver's update tells belong to one state: where the parameters then are."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from numpy.typing import NDArray
from torch import Tensor

from paramfit import (
    CauchyError,
    DistributionModel,
    EstimationDataModule,
    FormulaModel,
    HuberError,
    LeastSquares,
    LinearModel,
    MaximumLikelihood,
    NegativeLogLikelihood,
    Observations,
    SquaredError,
)
from paramfit.inference.loss_function import LossFunction
from paramfit.models import ParametricModel
from paramfit.tasks.base import EstimationTask
from paramfit.tasks.updates import Update

X = np.linspace(0.2, 5.0, 40)
NOISE = np.random.default_rng(4).normal(size=40)
DECAY = 3 * np.exp(-0.8 * X) + 0.5 + 0.1 * NOISE
COUNTS = np.random.default_rng(5).poisson(np.exp(0.3 + 0.4 * X)).astype(float)
WAITING = np.random.default_rng(6).gamma(2.0, 1.5, size=40)


class Rows(EstimationDataModule):
    """Rows in memory, in some batches."""

    def __init__(self, target: NDArray[np.float64], batch_size: int | None, *, inputs: bool, sigma: bool) -> None:
        super().__init__(batch_size=batch_size, validation_rows=[1, 7])
        columns = (torch.from_numpy(X),) if inputs else ()
        spread = torch.from_numpy(0.05 + 0.02 * X) if sigma else None
        self.observed = Observations(columns, torch.from_numpy(target), spread)

    def read(self) -> Observations:
        return self.observed


class Told(NamedTuple):
    """What an update has told."""

    loss: float
    gradient: Tensor
    theta: Tensor


class Listener(Callback):
    """Keeps all that updates tell."""

    def __init__(self) -> None:
        self.heard: list[Told] = []

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, EstimationTask)
        pl_module.listeners.append(self)

    def next_update(self, after: int) -> int:
        return after + 1

    def on_update(self, update: Update) -> None:
        slopes = [parameter.grad for parameter in update.parameters if parameter.grad is not None]
        theta = torch.stack([parameter.detach() for parameter in update.parameters])
        self.heard.append(Told(update.loss, torch.stack(slopes), theta.clone()))


def decay(**limits: float) -> FormulaModel:
    return FormulaModel("a*exp(-k*x) + c", ["x"], {"a": None, "k": {"start": 2.5, **limits}, "c": None})


def squares(objective: str = "mean") -> Callable[[ParametricModel], EstimationTask]:
    return lambda model: LeastSquares(model, SquaredError(reduction=objective))


def likelihood(reduction: str = "sum") -> Callable[[ParametricModel], EstimationTask]:
    return lambda model: MaximumLikelihood(model, NegativeLogLikelihood(reduction=reduction))


def poisson() -> DistributionModel:
    return DistributionModel("torch.distributions.Poisson", {"rate": "exp(a + b*x)"}, {"a": 2.0, "b": -0.5})


def gamma() -> DistributionModel:
    return DistributionModel("torch.distributions.Gamma", {"concentration": None, "rate": {"start": 3.0, "lower": 1.0}})


class Kind(NamedTuple):
    """A task, its model and its target."""

    task: Callable[[ParametricModel], EstimationTask]
    model: Callable[[], ParametricModel]
    target: NDArray[np.float64]
    sigma: bool = False
    inputs: bool = True


KINDS = {
    "mean of squares": Kind(squares(), decay, DECAY),
    "sum of squares": Kind(squares("sum"), decay, DECAY),
    "weighted": Kind(squares(), decay, DECAY, sigma=True),
    "large unit": Kind(squares(), decay, 1e100 * DECAY),
    "small unit": Kind(squares("sum"), decay, 1e-120 * DECAY),
    "bound": Kind(squares(), lambda: decay(lower=1.5, upper=4), DECAY),
    "line": Kind(squares("sum"), lambda: LinearModel(dtype="float64"), DECAY),
    "Huber": Kind(lambda model: LeastSquares(model, HuberError(0.1)), decay, DECAY),
    "Cauchy": Kind(lambda model: LeastSquares(model, CauchyError(0.1, reduction="sum")), decay, DECAY),
    "counts": Kind(likelihood(), poisson, COUNTS),
    "mean of counts": Kind(likelihood("mean"), poisson, COUNTS),
    "waiting times": Kind(likelihood(), gamma, WAITING, inputs=False),
}


@pytest.mark.parametrize("batch_size", [None, 16], ids=["whole", "batches"])
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_loss_and_gradient_are_those_at_the_parameters(kind, batch_size, make_trainer):
    check(kind, batch_size, make_trainer)


def test_loss_and_gradient_are_those_of_the_first_search_while_a_second_one_is_no_better(make_trainer):
    check(Kind(squares(), lambda: decay(start=200.0), DECAY), None, make_trainer)


def check(kind: Kind, batch_size: int | None, make_trainer: Callable[..., Trainer]) -> None:
    task, listener = kind.task(kind.model()), Listener()
    data = Rows(kind.target, batch_size, inputs=kind.inputs, sigma=kind.sigma)
    make_trainer(60, callbacks=[listener]).fit(task, datamodule=data)
    assert listener.heard
    loss = LossFunction(task.model, task.objective, data.train)
    count = loss.n if task.objective.reduction == "mean" else 1
    for told in listener.heard:
        by_row = torch.autograd.functional.jacobian(
            lambda theta: task.objective.losses(loss.prediction(theta), *loss.observations.measured), told.theta
        )
        assert told.loss == pytest.approx(loss(told.theta).item(), rel=1e-12)
        # Rounding is small beside the sum of what all rows pull, which cancels at the optimum.
        off = (told.gradient - by_row.sum(dim=0) / count).abs()
        assert (off <= 1e-12 * by_row.abs().sum(dim=0) / count).all()
    assert torch.equal(listener.heard[-1].theta, loss.theta)
