"""What every task does: blocks, schedulers, evaluation, refusals, checkpoints."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor, nn
from torch.distributions import Normal
from torch.optim import SGD
from torch.optim.lr_scheduler import StepLR

from paramfit import EstimationDataModule, FixedScale, GaussianDataModule, GradientDescent, InputError, LinearModel
from paramfit.data.thermometer import ThermometerDataModule
from paramfit.gradients import AnalyticGradient
from paramfit.tasks import (
    EstimationTask,
    GaussianLocation,
    HandWrittenDescent,
    MaximumLikelihood,
    Regression,
    ThermometerRegression,
)
from tests.own_module import OwnModule

# A user's own likelihood: a line with normal errors of unknown size.
NoisyLine = partial(
    OwnModule,
    lambda self, x: Normal(self.weight * x + self.bias, self.log_scale.exp()),
    weight=torch.tensor(1.0),
    bias=torch.tensor(0.0),
    log_scale=torch.tensor(2.0),
)


def thermometer(**options: Any) -> ThermometerDataModule:
    return ThermometerDataModule(normalization=FixedScale(0.1), **options)


def sample(**options: Any) -> GaussianDataModule:
    return GaussianDataModule(n_obs=50, **options)


MakeTask = Callable[..., EstimationTask]
MakeData = Callable[..., EstimationDataModule]
slow_sgd = partial(SGD, lr=1e-3)

TASKS = [
    pytest.param(ThermometerRegression, thermometer, id="ThermometerRegression"),
    pytest.param(GaussianLocation, sample, id="GaussianLocation"),
    pytest.param(lambda **options: Regression(LinearModel(), **options), thermometer, id="Regression"),
    pytest.param(lambda **options: MaximumLikelihood(NoisyLine(), **options), thermometer, id="MaximumLikelihood"),
    pytest.param(
        lambda **options: HandWrittenDescent(LinearModel(), AnalyticGradient(), **options),
        thermometer,
        id="HandWrittenDescent",
    ),
]
every_task = pytest.mark.parametrize(("make_task", "make_data"), TASKS)


def values(task: EstimationTask) -> list[float]:
    return [value for parameter in task.model.parameters() for value in parameter.detach().reshape(-1).tolist()]


@every_task
def test_blocks_make_the_same_updates_as_single_steps(make_task, make_data, make_trainer):
    in_blocks, one_by_one = make_task(optimizer=slow_sgd, updates_per_step=4), make_task(optimizer=slow_sgd)
    blocks, steps = make_trainer(3), make_trainer(12)
    blocks.fit(in_blocks, datamodule=make_data())
    steps.fit(one_by_one, datamodule=make_data())
    assert values(in_blocks) == values(one_by_one)
    assert (in_blocks.updates, blocks.global_step) == (12, 3)
    assert (one_by_one.updates, steps.global_step) == (12, 12)


@pytest.mark.parametrize("task", [
    pytest.param(HandWrittenDescent(LinearModel(), AnalyticGradient(), optimizer=partial(GradientDescent, lr=1e-2),
        updates_per_step=100), id="hand-written"),
    pytest.param(ThermometerRegression(optimizer=partial(SGD, lr=1e-2), updates_per_step=100), id="automatic"),
])  # fmt: skip
def test_a_block_ends_after_the_first_loss_that_is_not_finite(task, make_trainer, golden_descent):
    make_trainer(1).fit(task, datamodule=ThermometerDataModule())
    published = next(run for run in golden_descent["runs"] if run["name"] == "diverging")
    assert task.updates == next(int(update) for update, loss in published["loss"].items() if loss == "inf")
    assert [f"{value:.4e}" for value in values(task)] == published["final_params"]


class RatesUsed(Callback):
    def __init__(self) -> None:
        self.rates: list[float] = []

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        self.rates.append(trainer.optimizers[0].param_groups[0]["lr"])


@every_task
@pytest.mark.parametrize("updates_per_step", [1, 3], ids=["single", "blocks"])
@pytest.mark.parametrize("batch_size", [None, 20], ids=["full-batch", "mini-batches"])
def test_a_scheduler_steps_once_per_training_step(make_task, make_data, make_trainer, updates_per_step, batch_size):
    task = make_task(
        optimizer=slow_sgd, scheduler=partial(StepLR, step_size=2, gamma=0.5), updates_per_step=updates_per_step
    )
    visited = RatesUsed()
    make_trainer(100, max_steps=6, callbacks=[visited]).fit(task, datamodule=make_data(batch_size=batch_size))
    assert visited.rates == pytest.approx([1e-3, 1e-3, 5e-4, 5e-4, 2.5e-4, 2.5e-4], rel=1e-12)


@pytest.mark.parametrize("make_task", [ThermometerRegression, TASKS[-1].values[0]], ids=["automatic", "hand-written"])
def test_the_scheduled_rate_is_the_one_the_updates_use(make_task, make_trainer):
    task = make_task(
        optimizer=partial(SGD, lr=1e-2), scheduler=partial(StepLR, step_size=1, gamma=0.5), updates_per_step=2
    )
    data = thermometer()
    make_trainer(3).fit(task, datamodule=data)
    weight, bias = torch.tensor(1.0, requires_grad=True), torch.tensor(0.0, requires_grad=True)
    optimizer = SGD([weight, bias], lr=1e-2)
    schedule = StepLR(optimizer, step_size=1, gamma=0.5)
    for _ in range(3):
        for _ in range(2):
            optimizer.zero_grad()
            (weight * data.train.inputs[0] + bias - data.train.target).square().mean().backward()
            optimizer.step()
        schedule.step()
    # The hand-written derivative rounds differently from autograd's; a rate that is off by one step is off by 10 %.
    assert values(task) == pytest.approx([weight.item(), bias.item()], rel=1e-5)


class WatchesGradients(LinearModel):
    """A line that notes whether its predictions could be differentiated."""

    def __init__(self) -> None:
        super().__init__()
        self.tracked: dict[bool, set[bool]] = {True: set(), False: set()}

    def forward(self, x: Tensor) -> Tensor:
        prediction = super().forward(x)
        self.tracked[self.training].add(prediction.requires_grad)
        return prediction


@pytest.mark.parametrize("command", ["validate", "test", "predict"])
def test_evaluation_tracks_no_gradients(command, make_trainer):
    model = WatchesGradients()
    getattr(make_trainer(), command)(Regression(model), datamodule=thermometer(validation_fraction=0.2))
    assert model.tracked == {True: set(), False: {False}}


@every_task
@pytest.mark.parametrize("rate", [0.0, -1.0])
def test_a_learning_rate_that_is_not_positive_is_refused(make_task, make_data, make_trainer, rate):
    with pytest.raises(InputError, match=r"model\.optimizer.*(above 0|[Ii]nvalid learning rate)"):
        make_trainer().fit(make_task(optimizer=partial(SGD, lr=rate)), datamodule=make_data())


@every_task
def test_a_block_without_updates_is_refused(make_task, make_data):
    del make_data
    with pytest.raises(InputError, match="updates_per_step"):
        make_task(updates_per_step=0)


def test_a_model_without_trainable_parameters_is_refused():
    with pytest.raises(InputError, match="Identity has no trainable parameter"):
        Regression(nn.Identity())


def test_a_parameter_that_is_held_fixed_stays_where_it_is(make_trainer):
    model = LinearModel(weight=5.0, bias=-17.0)
    model.weight.requires_grad_(False)
    task = Regression(model)
    make_trainer(3).fit(task, datamodule=thermometer())
    assert task.names == ("bias",)
    assert model.weight.item() == 5.0
    assert model.bias.item() != -17.0
