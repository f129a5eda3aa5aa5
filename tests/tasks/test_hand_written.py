"""Descent by hand under Lightning."""

from functools import partial
from typing import Any

import pytest
import torch
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from torch.optim import SGD, Adam

from paramfit.data import FixedScale, ThermometerDataModule
from paramfit.errors import InputError
from paramfit.gradients import AnalyticGradient, AutogradGradient, GradientRule, NumericalGradient
from paramfit.models import LinearModel
from paramfit.optimizers import GradientDescent
from paramfit.tasks import HandWrittenDescent
from tests.tasks.conftest import MakeTrainer


def thermometer(**options: Any) -> ThermometerDataModule:
    return ThermometerDataModule(normalization=FixedScale(0.1), **options)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        pytest.param({"accumulate_grad_batches": 3}, "accumulate_grad_batches", id="accumulation"),
        pytest.param({"gradient_clip_val": 1.0}, "gradient_clip_val", id="clipping"),
        pytest.param({"precision": "bf16-mixed"}, r"trainer\.precision", id="bf16-mixed"),
        pytest.param({"precision": "16-true"}, r"trainer\.precision", id="16-true"),
    ],
)
def test_what_only_lightnings_backward_pass_can_do_is_refused(
    options: dict[str, Any], named: str, make_trainer: MakeTrainer
) -> None:
    # Lightning itself refuses the first two; the command line gives both exceptions exit code 2.
    with pytest.raises((InputError, MisconfigurationException), match=named):
        make_trainer(1, **options).fit(HandWrittenDescent(LinearModel(), AnalyticGradient()), datamodule=thermometer())


@pytest.mark.parametrize(
    "rule",
    [AnalyticGradient(), AutogradGradient(), NumericalGradient(0.1)],
    ids=["analytic", "autograd", "numerical"],
)
def test_every_rule_takes_the_written_out_path(rule: GradientRule, make_trainer: MakeTrainer) -> None:
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


def test_one_at_a_time_takes_the_second_slope_at_the_moved_weight(make_trainer: MakeTrainer) -> None:
    model = LinearModel(dtype="float64")
    data = ThermometerDataModule(dtype="float64")
    task = HandWrittenDescent(
        model, NumericalGradient(0.1), optimizer=partial(GradientDescent, lr=1e-2, order="one_at_a_time")
    )
    make_trainer(1).fit(task, datamodule=data)

    x, y = data.train.inputs[0].numpy(), data.train.target.numpy()
    weight = 1.0 - 0.01 * (2 * (x - y) * x).mean()
    bias = 0.0 - 0.01 * (2 * (weight * x - y)).mean()
    assert (model.weight.item(), model.bias.item()) == (pytest.approx(weight, rel=1e-9), pytest.approx(bias, rel=1e-9))


@pytest.mark.parametrize("make", [SGD, Adam], ids=["SGD", "Adam"])
def test_a_torch_optimizer_may_use_the_hand_made_gradient(
    make: type[torch.optim.Optimizer], make_trainer: MakeTrainer
) -> None:
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


def test_a_loaded_task_goes_where_the_saved_one_was(make_trainer: MakeTrainer) -> None:
    task = HandWrittenDescent(LinearModel(), AnalyticGradient(), updates_per_step=7)
    trainer = make_trainer(2)
    trainer.fit(task, datamodule=thermometer())
    trainer.save_checkpoint("descent.ckpt")

    loaded = HandWrittenDescent.load_from_checkpoint(
        "descent.ckpt", model=LinearModel(), gradient=AnalyticGradient(), weights_only=True
    )

    assert torch.equal(loaded.model.weight, task.model.weight)
    assert torch.equal(loaded.model.bias, task.model.bias)
    assert (loaded.updates, loaded.updates_per_step) == (14, 7)
