"""What every task does: blocks, schedulers, evaluation, refusals, checkpoints."""

import copy
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.cli import ReduceLROnPlateau
from torch import Tensor, nn
from torch.distributions import Normal
from torch.optim import SGD
from torch.optim.lr_scheduler import StepLR

from paramfit.data.base import EstimationDataModule
from paramfit.data.gaussian import GaussianDataModule
from paramfit.data.normalization import FixedScale
from paramfit.data.thermometer import ThermometerDataModule
from paramfit.errors import InputError
from paramfit.gradients import AnalyticGradient, AutogradGradient
from paramfit.models import LinearModel
from paramfit.optimizers import GradientDescent
from paramfit.tasks import (
    EstimationTask,
    GaussianLocation,
    HandWrittenDescent,
    MaximumLikelihood,
    Regression,
    ThermometerRegression,
)
from tests.tasks.conftest import MakeTrainer


class NoisyLine(nn.Module):
    """A user's own likelihood: a line with normal errors of unknown size."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(1.0))
        self.bias = nn.Parameter(torch.tensor(0.0))
        self.log_scale = nn.Parameter(torch.tensor(2.0))

    def forward(self, x: Tensor) -> Normal:
        return Normal(self.weight * x + self.bias, self.log_scale.exp())


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
def test_blocks_make_the_same_updates_as_single_steps(
    make_task: MakeTask, make_data: MakeData, make_trainer: MakeTrainer
) -> None:
    in_blocks, one_by_one = make_task(optimizer=slow_sgd, updates_per_step=4), make_task(optimizer=slow_sgd)
    blocks, steps = make_trainer(3), make_trainer(12)
    blocks.fit(in_blocks, datamodule=make_data())
    steps.fit(one_by_one, datamodule=make_data())

    assert values(in_blocks) == values(one_by_one)
    assert (in_blocks.updates, blocks.global_step) == (12, 3)
    assert (one_by_one.updates, steps.global_step) == (12, 12)


@every_task
def test_max_steps_counts_blocks(make_task: MakeTask, make_data: MakeData, make_trainer: MakeTrainer) -> None:
    task = make_task(optimizer=slow_sgd, updates_per_step=5)

    make_trainer(100, max_steps=2).fit(task, datamodule=make_data())

    assert task.updates == 10


@every_task
def test_mini_batches_make_one_block_each(make_task: MakeTask, make_data: MakeData, make_trainer: MakeTrainer) -> None:
    task = make_task(optimizer=slow_sgd, updates_per_step=2)
    data = make_data(batch_size=4)
    trainer = make_trainer(2)

    trainer.fit(task, datamodule=data)

    batches = -(-data.train.n // 4)
    assert (task.updates, trainer.global_step) == (2 * 2 * batches, 2 * batches)


@pytest.mark.parametrize(
    "task",
    [
        pytest.param(
            HandWrittenDescent(
                LinearModel(), AnalyticGradient(), optimizer=partial(GradientDescent, lr=1e-2), updates_per_step=100
            ),
            id="hand-written",
        ),
        pytest.param(ThermometerRegression(optimizer=partial(SGD, lr=1e-2), updates_per_step=100), id="automatic"),
    ],
)
def test_a_block_ends_after_the_first_loss_that_is_not_finite(
    task: EstimationTask, make_trainer: MakeTrainer, golden_descent: dict[str, Any]
) -> None:
    make_trainer(1).fit(task, datamodule=ThermometerDataModule())

    published = next(run for run in golden_descent["runs"] if run["name"] == "diverging")
    assert task.updates == next(int(update) for update, loss in published["loss"].items() if loss == "inf")
    assert [f"{value:.4e}" for value in values(task)] == published["final_params"]


def test_without_a_guard_the_descent_goes_on_to_nan(make_trainer: MakeTrainer) -> None:
    task = HandWrittenDescent(LinearModel(), AnalyticGradient(), optimizer=partial(GradientDescent, lr=1e-2))

    make_trainer(40).fit(task, datamodule=ThermometerDataModule())

    assert task.updates == 40
    assert all(np.isnan(values(task)))


class RatesUsed(Callback):
    def __init__(self) -> None:
        self.rates: list[float] = []

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        self.rates.append(trainer.optimizers[0].param_groups[0]["lr"])


@every_task
@pytest.mark.parametrize("updates_per_step", [1, 3], ids=["single", "blocks"])
@pytest.mark.parametrize("batch_size", [None, 20], ids=["full-batch", "mini-batches"])
def test_a_scheduler_steps_once_per_training_step(
    make_task: MakeTask, make_data: MakeData, make_trainer: MakeTrainer, updates_per_step: int, batch_size: int | None
) -> None:
    task = make_task(
        optimizer=slow_sgd, scheduler=partial(StepLR, step_size=2, gamma=0.5), updates_per_step=updates_per_step
    )
    seen = RatesUsed()

    make_trainer(100, max_steps=6, callbacks=[seen]).fit(task, datamodule=make_data(batch_size=batch_size))

    assert seen.rates == pytest.approx([1e-3, 1e-3, 5e-4, 5e-4, 2.5e-4, 2.5e-4], rel=1e-12)


@pytest.mark.parametrize("make_task", [ThermometerRegression, TASKS[-1].values[0]], ids=["automatic", "hand-written"])
def test_the_scheduled_rate_is_the_one_the_updates_use(make_task: MakeTask, make_trainer: MakeTrainer) -> None:
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


@pytest.mark.parametrize("make_task", [ThermometerRegression, TASKS[-1].values[0]], ids=["automatic", "hand-written"])
def test_reduce_on_plateau_follows_the_training_loss(make_task: MakeTask, make_trainer: MakeTrainer) -> None:
    # 0.05 is above the largest stable rate 0.033 and 0.025 is below it: the loss grows until the rate is halved.
    plateau = partial(ReduceLROnPlateau, monitor="train/loss", factor=0.5, patience=1)
    task = make_task(optimizer=partial(SGD, lr=0.05), scheduler=plateau)
    seen = RatesUsed()
    data = thermometer()
    make_trainer(12, callbacks=[seen]).fit(task, datamodule=data)

    weight, bias = torch.tensor(1.0, requires_grad=True), torch.tensor(0.0, requires_grad=True)
    optimizer = SGD([weight, bias], lr=0.05)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
    rates = []
    for _ in range(12):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.zero_grad()
        loss = (weight * data.train.inputs[0] + bias - data.train.target).square().mean()
        loss.backward()
        optimizer.step()
        schedule.step(loss.item())

    assert rates[0] == 0.05
    assert rates[-1] < 0.033
    assert seen.rates == rates


class WatchesGradients(LinearModel):
    """A line that notes whether its predictions could be differentiated."""

    def __init__(self) -> None:
        super().__init__()
        self.tracked: dict[bool, set[bool]] = {True: set(), False: set()}

    def forward(self, x: Tensor) -> Tensor:
        prediction = super().forward(x)
        self.tracked[self.training].add(prediction.requires_grad)
        return prediction


@pytest.mark.parametrize(
    "make_task",
    [Regression, lambda model: HandWrittenDescent(model, AutogradGradient())],
    ids=["automatic", "hand-written"],
)
def test_validation_within_a_fit_tracks_no_gradients(
    make_task: Callable[[nn.Module], EstimationTask], make_trainer: MakeTrainer
) -> None:
    model = WatchesGradients()

    make_trainer(2).fit(make_task(model), datamodule=thermometer(validation_fraction=0.2))

    assert model.tracked == {True: {True}, False: {False}}


@pytest.mark.parametrize("make_task", [ThermometerRegression, TASKS[-1].values[0]], ids=["automatic", "hand-written"])
def test_reduce_on_plateau_may_follow_the_validation_loss(make_task: MakeTask, make_trainer: MakeTrainer) -> None:
    # On these rows the validation loss rises from the first update on, while the training loss falls.
    plateau = partial(ReduceLROnPlateau, monitor="val/loss", factor=0.5, patience=0)
    task = make_task(optimizer=slow_sgd, scheduler=plateau)
    seen = RatesUsed()
    losses: list[float] = []

    class Losses(Callback):
        def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
            losses.append(trainer.callback_metrics["val/loss"].item())

    with warnings.catch_warnings():
        # There is no validation loss yet when the first step is over.
        warnings.filterwarnings("ignore", message="ReduceLROnPlateau conditioned on metric")
        make_trainer(6, callbacks=[seen, Losses()], num_sanity_val_steps=0).fit(
            task, datamodule=thermometer(validation_fraction=0.2)
        )

    assert losses == sorted(losses)
    assert seen.rates[-1] < seen.rates[0]


@pytest.mark.parametrize("command", ["validate", "test", "predict"])
def test_evaluation_tracks_no_gradients(command: str, make_trainer: MakeTrainer) -> None:
    model = WatchesGradients()

    getattr(make_trainer(), command)(Regression(model), datamodule=thermometer(validation_fraction=0.2))

    assert model.tracked == {True: set(), False: {False}}


def test_evaluation_leaves_parameters_and_gradients_alone(make_trainer: MakeTrainer) -> None:
    task = ThermometerRegression()
    before = copy.deepcopy(task.model.state_dict())

    make_trainer().validate(task, datamodule=thermometer(validation_fraction=0.2), verbose=False)

    assert all(torch.equal(task.model.state_dict()[name], value) for name, value in before.items())
    assert all(parameter.grad is None for parameter in task.model.parameters())


@every_task
@pytest.mark.parametrize("rate", [0.0, -1.0])
def test_a_learning_rate_that_is_not_positive_is_refused(
    make_task: MakeTask, make_data: MakeData, make_trainer: MakeTrainer, rate: float
) -> None:
    with pytest.raises(InputError, match=r"model\.optimizer.*(above 0|[Ii]nvalid learning rate)"):
        make_trainer().fit(make_task(optimizer=partial(SGD, lr=rate)), datamodule=make_data())


@pytest.mark.parametrize("rate", [0.0, -1.0])
def test_gradient_descent_refuses_a_rate_that_is_not_positive(rate: float, make_trainer: MakeTrainer) -> None:
    task = HandWrittenDescent(LinearModel(), AnalyticGradient(), optimizer=partial(GradientDescent, lr=rate))

    with pytest.raises(InputError, match=r"model\.optimizer.*above 0"):
        make_trainer().fit(task, datamodule=thermometer())


@every_task
def test_a_block_without_updates_is_refused(make_task: MakeTask, make_data: MakeData) -> None:
    del make_data
    with pytest.raises(InputError, match="updates_per_step"):
        make_task(updates_per_step=0)


def test_a_model_without_trainable_parameters_is_refused() -> None:
    with pytest.raises(InputError, match="Identity has no trainable parameter"):
        Regression(nn.Identity())


def test_a_parameter_that_is_held_fixed_stays_where_it_is(make_trainer: MakeTrainer) -> None:
    model = LinearModel(weight=5.0, bias=-17.0)
    model.weight.requires_grad_(False)
    task = Regression(model)

    make_trainer(3).fit(task, datamodule=thermometer())

    assert task.names == ("bias",)
    assert model.weight.item() == 5.0
    assert model.bias.item() != -17.0


def test_batches_of_another_kind_are_refused(make_trainer: MakeTrainer) -> None:
    loader = torch.utils.data.DataLoader([(1.0, 2.0)])

    with pytest.raises(InputError, match="Observations, but got list"):
        make_trainer(limit_val_batches=0).fit(ThermometerRegression(), loader, loader)


@every_task
def test_data_in_another_precision_are_brought_to_the_models(
    make_task: MakeTask, make_data: MakeData, make_trainer: MakeTrainer
) -> None:
    task = make_task(optimizer=slow_sgd)
    before = {name: parameter.dtype for name, parameter in task.model.named_parameters()}

    for dtype in ("float32", "float64"):
        make_trainer(1).fit(task, datamodule=make_data(dtype=dtype))

    assert {name: parameter.dtype for name, parameter in task.model.named_parameters()} == before
    assert task.updates == 2
