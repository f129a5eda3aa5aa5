"""Accumulated batches against the full batch."""

from functools import partial
from typing import Any, Literal

import pytest
import torch
from lightning.pytorch.cli import ReduceLROnPlateau
from torch import Tensor, nn
from torch.distributions import Normal
from torch.optim import LBFGS, SGD

from paramfit.data.gaussian import GaussianDataModule
from paramfit.data.normalization import FixedScale
from paramfit.data.thermometer import ThermometerDataModule
from paramfit.errors import InputError
from paramfit.objectives import AbsoluteError, NegativeLogLikelihood, Objective, SquaredError
from paramfit.tasks import EstimationTask, GaussianLocation, MaximumLikelihood, ThermometerRegression
from tests.tasks.conftest import MakeTrainer

Reduction = Literal["mean", "sum"]
PENALTIES = [
    pytest.param(0.0, 0.0, id="no-penalty"),
    pytest.param(0.3, 0.0, id="l1"),
    pytest.param(0.0, 0.7, id="l2"),
    pytest.param(0.3, 0.7, id="l1-and-l2"),
]


class NoisyLine(nn.Module):
    """A line with normal errors of unknown size."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(1.5))
        self.bias = nn.Parameter(torch.tensor(-2.0))
        self.log_scale = nn.Parameter(torch.tensor(1.0))

    def forward(self, x: Tensor) -> Normal:
        return Normal(self.weight * x + self.bias, self.log_scale.exp())


def thermometer(**options: Any) -> ThermometerDataModule:
    return ThermometerDataModule(normalization=FixedScale(0.1), **{"dtype": "float64", **options})


def parameters(task: EstimationTask) -> list[float]:
    return [parameter.item() for parameter in task.model.parameters()]


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize(("l1", "l2"), PENALTIES)
@pytest.mark.parametrize("kind", [SquaredError, AbsoluteError], ids=["squared", "absolute"])
def test_batches_of_4_4_and_3_update_as_the_full_batch(
    kind: type[SquaredError], reduction: Reduction, l1: float, l2: float, make_trainer: MakeTrainer
) -> None:
    def task() -> ThermometerRegression:
        objective = kind(reduction=reduction, l1=l1, l2=l2)
        return ThermometerRegression(1.5, -2.0, objective, partial(SGD, lr=1e-3), dtype="float64")

    accumulated, full = task(), task()
    trainer = make_trainer(3, accumulate_grad_batches=3)
    trainer.fit(accumulated, datamodule=thermometer(batch_size=4))
    make_trainer(3).fit(full, datamodule=thermometer())

    assert parameters(accumulated) == pytest.approx(parameters(full), rel=1e-13)
    assert parameters(full) != [1.5, -2.0]
    assert (trainer.global_step, accumulated.updates) == (3, 3)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize(("l1", "l2"), PENALTIES)
def test_one_accumulated_update_is_the_written_out_gradient(
    reduction: Reduction, l1: float, l2: float, make_trainer: MakeTrainer
) -> None:
    weight, bias, rate = 1.5, -2.0, 1e-3
    task = ThermometerRegression(
        weight, bias, SquaredError(reduction=reduction, l1=l1, l2=l2), partial(SGD, lr=rate), dtype="float64"
    )
    data = thermometer(batch_size=4)
    make_trainer(1, accumulate_grad_batches=3).fit(task, datamodule=data)

    x, y = data.train.inputs[0].numpy(), data.train.target.numpy()
    share = 2 * (weight * x + bias - y) / (len(x) if reduction == "mean" else 1)
    by_weight = (share * x).sum() + l1 + 2 * l2 * weight
    by_bias = share.sum() - l1 + 2 * l2 * bias
    assert parameters(task) == pytest.approx([weight - rate * by_weight, bias - rate * by_bias], rel=1e-13)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("dtype", ["float64", "float32"], ids=["same-precision", "data-in-float32"])
def test_likelihood_accumulates_as_the_full_batch(reduction: Reduction, dtype: str, make_trainer: MakeTrainer) -> None:
    def task() -> MaximumLikelihood:
        return MaximumLikelihood(NoisyLine(), NegativeLogLikelihood(reduction), partial(SGD, lr=1e-3))

    accumulated, full = task(), task()
    make_trainer(3, accumulate_grad_batches=3).fit(accumulated, datamodule=thermometer(batch_size=4, dtype=dtype))
    make_trainer(3).fit(full, datamodule=thermometer(dtype=dtype))

    assert parameters(accumulated) == pytest.approx(parameters(full), rel=1e-13)


def test_location_accumulates_as_the_full_batch(make_trainer: MakeTrainer) -> None:
    accumulated, full = (GaussianLocation(optimizer=partial(SGD, lr=1e-3)) for _ in range(2))
    make_trainer(2, accumulate_grad_batches=3).fit(accumulated, datamodule=GaussianDataModule(n_obs=11, batch_size=4))
    make_trainer(2).fit(full, datamodule=GaussianDataModule(n_obs=11))

    assert parameters(accumulated) == pytest.approx(parameters(full), rel=1e-13)


@pytest.mark.parametrize(
    "objective", [SquaredError(), SquaredError(reduction="sum"), SquaredError(l2=0.1)], ids=["mean", "sum", "penalised"]
)
@pytest.mark.parametrize("dtype", ["float64", "float32"], ids=["same-precision", "data-in-float32"])
def test_a_line_search_over_accumulated_batches_is_that_over_the_full_batch(
    objective: Objective, dtype: str, make_trainer: MakeTrainer
) -> None:
    # L-BFGS looks at loss and gradient at many points of one step: both must be those of all batches.
    def task() -> ThermometerRegression:
        optimizer = partial(LBFGS, line_search_fn="strong_wolfe", max_iter=6)
        return ThermometerRegression(objective=objective, optimizer=optimizer, dtype="float64")

    accumulated, full = task(), task()
    make_trainer(2, accumulate_grad_batches=3).fit(accumulated, datamodule=thermometer(batch_size=4, dtype=dtype))
    make_trainer(2).fit(full, datamodule=thermometer(dtype=dtype))

    assert parameters(accumulated) == pytest.approx(parameters(full), rel=1e-9)


def test_batches_left_over_at_the_end_of_an_epoch_make_an_update_of_their_own(make_trainer: MakeTrainer) -> None:
    task = ThermometerRegression(optimizer=partial(SGD, lr=1e-3), dtype="float64")
    data = thermometer(batch_size=4)
    make_trainer(2, accumulate_grad_batches=2).fit(task, datamodule=data)

    x, y = data.train.inputs[0], data.train.target
    weight, bias = (torch.tensor(start, dtype=torch.float64, requires_grad=True) for start in (1.0, 0.0))
    optimizer = SGD([weight, bias], lr=1e-3)
    for _ in range(2):
        for rows in (slice(0, 8), slice(8, 11)):
            optimizer.zero_grad()
            (weight * x[rows] + bias - y[rows]).square().mean().backward()
            optimizer.step()

    assert parameters(task) == pytest.approx([weight.item(), bias.item()], rel=1e-13)
    assert task.updates == 4


def test_a_line_search_over_a_batch_left_over_sees_that_batch_alone(make_trainer: MakeTrainer) -> None:
    search = partial(LBFGS, line_search_fn="strong_wolfe", max_iter=3)
    task = ThermometerRegression(optimizer=search, dtype="float64")
    data = thermometer(batch_size=4)
    make_trainer(1, accumulate_grad_batches=2).fit(task, datamodule=data)

    weight, bias = (torch.tensor(start, dtype=torch.float64, requires_grad=True) for start in (1.0, 0.0))
    optimizer = search([weight, bias])
    for rows in (slice(0, 8), slice(8, 11)):
        x, y = data.train.inputs[0][rows], data.train.target[rows]

        def closure(x: Tensor = x, y: Tensor = y) -> Tensor:
            optimizer.zero_grad()
            loss = (weight * x + bias - y).square().mean()
            loss.backward()
            return loss

        optimizer.step(closure)

    assert parameters(task) == pytest.approx([weight.item(), bias.item()], rel=1e-9)


def test_clipping_takes_the_gradient_of_all_accumulated_batches(make_trainer: MakeTrainer) -> None:
    def gradient_norm(data: ThermometerDataModule, **options: Any) -> tuple[list[float], float]:
        task = ThermometerRegression(optimizer=partial(SGD, lr=1e-3), dtype="float64")
        make_trainer(1, gradient_clip_val=0.5, **options).fit(task, datamodule=data)
        return parameters(task), ((torch.tensor(parameters(task)) - torch.tensor([1.0, 0.0])) / 1e-3).norm().item()

    accumulated, length = gradient_norm(thermometer(batch_size=4), accumulate_grad_batches=3)
    full, _ = gradient_norm(thermometer())

    assert length == pytest.approx(0.5, rel=1e-3)
    assert accumulated == pytest.approx(full, rel=1e-12)


def test_reduce_on_plateau_sees_the_loss_of_all_accumulated_batches(make_trainer: MakeTrainer) -> None:
    # 0.05 is above the largest stable rate 0.033: the loss grows from step to step.
    def rate_at_end(data: ThermometerDataModule, **options: Any) -> list[float]:
        plateau = partial(ReduceLROnPlateau, monitor="train/loss", factor=0.5, patience=1)
        task = ThermometerRegression(optimizer=partial(SGD, lr=0.05), scheduler=plateau, dtype="float64")
        trainer = make_trainer(6, **options)
        trainer.fit(task, datamodule=data)
        return [trainer.optimizers[0].param_groups[0]["lr"], *parameters(task)]

    accumulated = rate_at_end(thermometer(batch_size=4), accumulate_grad_batches=3)

    assert accumulated[0] < 0.05
    assert accumulated == pytest.approx(rate_at_end(thermometer()), rel=1e-9)


def test_accumulation_and_blocks_exclude_each_other(make_trainer: MakeTrainer) -> None:
    task = ThermometerRegression(updates_per_step=2)

    with pytest.raises(InputError, match=r"accumulate_grad_batches and updates_per_step exclude each other"):
        make_trainer(1, accumulate_grad_batches=2).fit(task, datamodule=thermometer(batch_size=4))
