"""Curves in real event files, read back by TensorBoard."""

import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning.pytorch.loggers import CSVLogger
from tensorboard.plugins.custom_scalar.layout_pb2 import Layout
from torch.optim import SGD

from paramfit import FitHistory, GaussianDataModule, GaussianLocation, Regression, ThermometerDataModule
from tests.callbacks.conftest import descent, events_of, thermometer
from tests.own_module import OwnModule

RUN = Path("run")


def steps_of(tag: str) -> list[int]:
    return [event.step for event in events_of(RUN).Scalars(tag)]


def test_tags_are_losses_parameters_and_gradients(make_trainer):
    make_trainer(2, FitHistory()).fit(descent(), datamodule=thermometer(validation_fraction=0.2))
    assert set(events_of(RUN).Tags()["scalars"]) == {
        "train/loss", "val/loss", "val/mse", "val/mae", "parameter/weight", "parameter/bias", "gradient/weight",
        "gradient/bias",
    }  # fmt: skip


def test_page_of_curves_has_losses_then_parameters_then_gradients(make_trainer):
    make_trainer(2, FitHistory()).fit(descent(), datamodule=thermometer(validation_fraction=0.2))
    events = events_of(RUN)
    (layout,) = events.Tensors("custom_scalars__config__")
    (page,) = Layout.FromString(layout.tensor_proto.string_val[0]).category
    patterns, tags = ["|".join(chart.multiline.tag) for chart in page.chart], sorted(events.Tags()["scalars"])
    shown = [[tag for tag in tags if re.fullmatch(pattern, tag)] for pattern in patterns]
    assert shown == [
        ["train/loss", "val/loss"], ["parameter/bias", "parameter/weight"], ["gradient/bias", "gradient/weight"],
    ]  # fmt: skip


def test_values_are_the_published_ones(make_trainer, golden_descent):
    make_trainer(20, FitHistory()).fit(descent(updates_per_step=5), datamodule=thermometer())
    events = events_of(RUN)
    published = next(run for run in golden_descent["runs"] if run["name"] == "normalized")
    rows = {tag: {event.step: event.value for event in events.Scalars(tag)} for tag in events.Tags()["scalars"]}
    for update, loss in published["loss"].items():
        assert f"{rows['train/loss'][int(update)]:f}" == loss
        for place, name in enumerate(("weight", "bias")):
            assert f"{rows[f'parameter/{name}'][int(update)]:.4f}" == published["params_after"][update][place]
            assert f"{rows[f'gradient/{name}'][int(update)]:.4f}" == published["gradient"][update][place]


@pytest.mark.parametrize("updates_per_step", [1, 8], ids=["single", "blocks"])
def test_every_update_of_a_short_run_is_recorded(updates_per_step, make_trainer):
    make_trainer(40 // updates_per_step, FitHistory()).fit(
        descent(updates_per_step=updates_per_step), datamodule=thermometer()
    )
    assert steps_of("train/loss") == steps_of("parameter/weight") == list(range(1, 41))


@pytest.mark.parametrize("distance", [50, 7])
def test_a_longer_run_is_recorded_every_log_every_n_steps_updates(distance, make_trainer):
    make_trainer(4, FitHistory(), log_every_n_steps=distance).fit(
        descent(updates_per_step=251), datamodule=thermometer()
    )
    assert steps_of("train/loss") == [1, *range(distance, 1005, distance)]


def test_validation_loss_stands_at_the_update_it_belongs_to(make_trainer):
    data = thermometer(validation_fraction=0.2)
    make_trainer(6, FitHistory(), check_val_every_n_epoch=2).fit(descent(updates_per_step=3), datamodule=data)
    events = events_of(RUN)
    actual = {event.step: event.value for event in events.Scalars("val/loss")}
    weight, bias = (
        {event.step: event.value for event in events.Scalars(f"parameter/{name}")} for name in ("weight", "bias")
    )
    assert list(actual) == [6, 12, 18]
    x, y = data.validation.inputs[0].numpy(), data.validation.target.numpy()
    for update, loss in actual.items():
        assert loss == pytest.approx(np.mean((weight[update] * x + bias[update] - y) ** 2), rel=1e-5)


def test_automatic_tasks_are_recorded_as_well(make_trainer):
    task = GaussianLocation(optimizer=partial(SGD, lr=1e-3), updates_per_step=2)
    data = GaussianDataModule(n_obs=100)
    make_trainer(3, FitHistory()).fit(task, datamodule=data)
    events = events_of(RUN)
    locations = [1.0, *(event.value for event in events.Scalars("parameter/location"))]
    slopes = [event.value for event in events.Scalars("gradient/location")]
    total = data.raw.target.sum().item()
    assert len(slopes) == 6
    assert slopes == pytest.approx([100 * before - total for before in locations[:-1]], rel=1e-5)


def test_the_published_infinity_is_kept(make_trainer):
    make_trainer(1, FitHistory()).fit(descent(updates_per_step=100), datamodule=ThermometerDataModule())
    assert [event.value for event in events_of(RUN).Scalars("train/loss")][10] == float("inf")


def test_elements_of_a_vector_have_tags_of_their_own(make_trainer):
    Parabola = partial(
        OwnModule,
        lambda self, x: self.coefficients[0] + self.coefficients[1] * x + self.coefficients[2] * x.square(),
        coefficients=torch.zeros(3),
    )
    task = Regression(Parabola(), optimizer=partial(SGD, lr=1e-5))
    make_trainer(1, FitHistory()).fit(task, datamodule=thermometer())
    tags = events_of(RUN).Tags()["scalars"]
    assert {tag for tag in tags if tag[:4] == "para"} == {f"parameter/coefficients[{k}]" for k in range(3)}


def test_other_loggers_get_the_same_rows(make_trainer):
    make_trainer(3, FitHistory(), logger=CSVLogger(".", name="", version="run")).fit(
        descent(), datamodule=thermometer()
    )
    lines = (RUN / "metrics.csv").read_text().splitlines()
    header = lines[0].split(",")
    assert [line.split(",")[header.index("step")] for line in lines[1:]] == ["1", "2", "3"]
    assert float(lines[1].split(",")[header.index("train/loss")]) == pytest.approx(80.364342, abs=1e-6)
