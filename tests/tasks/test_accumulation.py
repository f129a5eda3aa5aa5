"""Accumulated batches against the full batch."""

from functools import partial
from typing import Any, Literal

import pytest
import torch
from torch.distributions import Normal
from torch.optim import LBFGS, SGD

from paramfit import FixedScale, InputError, ThermometerDataModule
from paramfit.objectives import AbsoluteError, NegativeLogLikelihood, SquaredError
from paramfit.tasks import EstimationTask, MaximumLikelihood, ThermometerRegression
from tests.own_module import OwnModule

Reduction = Literal["mean", "sum"]
PENALTIES = [
    pytest.param(0.0, 0.0, id="no-penalty"),
    pytest.param(0.3, 0.0, id="l1"),
    pytest.param(0.0, 0.7, id="l2"),
    pytest.param(0.3, 0.7, id="l1-and-l2"),
]


# A line with normal errors of unknown size.
NoisyLine = partial(
    OwnModule,
    lambda self, x: Normal(self.weight * x + self.bias, self.log_scale.exp()),
    weight=torch.tensor(1.5),
    bias=torch.tensor(-2.0),
    log_scale=torch.tensor(1.0),
)


def thermometer(**options: Any) -> ThermometerDataModule:
    return ThermometerDataModule(normalization=FixedScale(0.1), **{"dtype": "float64", **options})


def parameters(task: EstimationTask) -> list[float]:
    return [parameter.item() for parameter in task.model.parameters()]


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize(("l1", "l2"), PENALTIES)
@pytest.mark.parametrize("kind", [SquaredError, AbsoluteError], ids=["squared", "absolute"])
def test_batches_of_4_4_and_3_update_as_the_full_batch(kind, reduction, l1, l2, make_trainer):
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
def test_one_accumulated_update_is_the_written_out_gradient(reduction, l1, l2, make_trainer):
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
def test_likelihood_accumulates_as_the_full_batch(reduction, dtype, make_trainer):
    def task() -> MaximumLikelihood:
        return MaximumLikelihood(NoisyLine(), NegativeLogLikelihood(reduction), partial(SGD, lr=1e-3))

    accumulated, full = task(), task()
    make_trainer(3, accumulate_grad_batches=3).fit(accumulated, datamodule=thermometer(batch_size=4, dtype=dtype))
    make_trainer(3).fit(full, datamodule=thermometer(dtype=dtype))
    assert parameters(accumulated) == pytest.approx(parameters(full), rel=1e-13)


@pytest.mark.parametrize(
    "objective", [SquaredError(), SquaredError(reduction="sum"), SquaredError(l2=0.1)], ids=["mean", "sum", "penalised"]
)
@pytest.mark.parametrize("dtype", ["float64", "float32"], ids=["same-precision", "data-in-float32"])
def test_a_line_search_over_accumulated_batches_is_that_over_the_full_batch(objective, dtype, make_trainer):
    # L-BFGS looks at loss and gradient at many points of one step: both must be those of all batches.
    def task() -> ThermometerRegression:
        optimizer = partial(LBFGS, line_search_fn="strong_wolfe", max_iter=6)
        return ThermometerRegression(objective=objective, optimizer=optimizer, dtype="float64")

    accumulated, full = task(), task()
    make_trainer(2, accumulate_grad_batches=3).fit(accumulated, datamodule=thermometer(batch_size=4, dtype=dtype))
    make_trainer(2).fit(full, datamodule=thermometer(dtype=dtype))
    assert parameters(accumulated) == pytest.approx(parameters(full), rel=1e-9)


def test_batches_left_over_at_the_end_of_an_epoch_make_an_update_of_their_own(make_trainer):
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


def test_accumulation_and_blocks_exclude_each_other(make_trainer):
    task = ThermometerRegression(updates_per_step=2)
    with pytest.raises(InputError, match=r"accumulate_grad_batches and updates_per_step exclude each other"):
        make_trainer(1, accumulate_grad_batches=2).fit(task, datamodule=thermometer(batch_size=4))
