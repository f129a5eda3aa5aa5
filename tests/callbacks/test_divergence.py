"""Divergence detection on scripted updates, and on a descent that freezes."""

from functools import partial
from math import inf, nan

import pytest
import torch

from paramfit import Fact, FactKind, GradientDescent, HandWrittenDescent, LinearModel, NumericalGradient
from paramfit.callbacks import DivergenceDetection, FitCheckpoint
from paramfit.data.thermometer import ThermometerDataModule
from paramfit.facts import Status
from paramfit.shown.words import sentence
from paramfit.tasks.updates import Update
from tests.callbacks.conftest import ScriptedTask, descent, thermometer

Row = tuple[float, tuple[float, float], tuple[float, float]]
FINE: list[Row] = [(4.0, (1.0, 0.5), (2.0, 1.0)), (3.0, (0.8, 0.4), (1.0, 0.5)), (2.5, (0.7, 0.35), (0.5, 0.2))]

SCRIPTS = [
    pytest.param([*FINE, (inf, (0.6, 0.3), (1.0, 1.0))], 4, FactKind.LOSS_NOT_FINITE, id="loss-inf"),
    pytest.param([*FINE, (nan, (0.6, 0.3), (1.0, 1.0))], 4, FactKind.LOSS_NOT_FINITE, id="loss-nan"),
    pytest.param([(nan, (1.0, 0.5), (1.0, 1.0))], 1, FactKind.LOSS_NOT_FINITE, id="loss-nan-at-once"),
    pytest.param([*FINE, (2.4, (0.6, 0.3), (1.0, inf))], 4, FactKind.GRADIENT_NOT_FINITE, id="gradient-inf"),
    pytest.param([*FINE, (2.4, (0.6, 0.3), (nan, 1.0))], 4, FactKind.GRADIENT_NOT_FINITE, id="gradient-nan"),
    pytest.param([*FINE, (2.4, (-inf, 0.3), (1.0, 1.0))], 4, FactKind.PARAMETER_NOT_FINITE, id="parameter"),
    pytest.param([*FINE, (4.1e6, (0.6, 0.3), (1.0, 1.0))], 4, FactKind.LOSS_GREW, id="growth"),
    pytest.param(
        [*FINE, (9.0, (1e9, 0.3), (1.0, 1.0)), (9.0, (1e9, 0.3), (1.0, 1.0))], 5, FactKind.FROZEN, id="frozen"
    ),
]


def played(script: list[Row], guard: DivergenceDetection, planned: int = 100) -> tuple[int, Fact] | None:
    """The update at which the script was stopped and the reason; None if it was not."""
    task = ScriptedTask(planned_updates=planned)
    guard.on_train_start(None, task)  # type: ignore[arg-type]  # it asks the trainer nothing
    for row in script:
        if (stop := task.tell(*row)) is not None:
            assert stop.status is Status.DIVERGED
            assert isinstance(stop.reason, Fact)
            return task.updates, stop.reason
    return None


@pytest.mark.parametrize(("script", "update", "reason"), SCRIPTS)
def test_a_script_is_stopped_at_its_update_for_its_reason(script, update, reason):
    more = [*script, *FINE]
    stopped = played(more, DivergenceDetection())
    assert stopped[0] == update
    assert stopped[1].kind is reason
    assert f"update {update}" in sentence(stopped[1])


@pytest.mark.parametrize(("script", "update", "reason"), SCRIPTS)
def test_nothing_is_stopped_where_the_guard_is_off(script, update, reason):
    del update, reason
    assert played(script, DivergenceDetection(enabled=False)) is None


@pytest.mark.parametrize("script", [
    pytest.param(FINE, id="falls"),
    pytest.param([*FINE, (3.9e6, (0.6, 0.3), (1.0, 1.0))], id="grows-less-than-the-factor"),
    pytest.param([*FINE, (9.0, (0.6, 0.3), (1.0, 1.0)), (9.0, (0.6, 0.31), (1.0, 1.0))], id="one-still-moves"),
    pytest.param([*FINE, FINE[-1], FINE[-1]], id="still-below-the-first-loss-has-converged"),
    pytest.param([(0.0, (1.0, 0.5), (1.0, 1.0)), (5.0, (0.9, 0.5), (1.0, 1.0))], id="first-loss-0"),
    pytest.param([(-5.0, (1.0, 0.5), (1.0, 1.0)), (4.0, (0.9, 0.5), (1.0, 1.0))], id="negative-likelihoods"),
])  # fmt: skip
def test_a_descent_that_may_still_succeed_goes_on(script):
    assert played(script, DivergenceDetection()) is None


def test_growth_can_be_switched_off_and_what_is_not_finite_still_stops():
    script: list[Row] = [*FINE, (1e30, (0.6, 0.3), (1.0, 1.0)), (inf, (0.5, 0.3), (1.0, 1.0))]
    assert played(script, DivergenceDetection(growth_factor=None))[0] == 5


def test_long_runs_are_looked_at_every_fiftieth_update():
    guard = DivergenceDetection()
    guard.on_train_start(None, ScriptedTask(planned_updates=5000))  # type: ignore[arg-type]
    asked = [0]
    for _ in range(4):
        asked.append(guard.next_update(asked[-1]))
    assert asked == [0, 1, 50, 100, 150]


def test_a_resumed_run_is_compared_with_the_first_loss_of_all():
    before = DivergenceDetection(growth_factor=10)
    played(FINE, before)
    after = DivergenceDetection(growth_factor=10)
    after.load_state_dict(before.state_dict())
    assert after.reason(Update(4, 39.0, [])) is None
    assert after.reason(Update(5, 41.0, [])).kind is FactKind.LOSS_GREW


def test_central_differences_that_freeze_are_stopped(make_trainer):
    # In float32 the weight grows until weight plus and minus 0.1 round to the same number: no slope is seen any more,
    # and the loss stays huge, finite and constant.
    model = LinearModel()
    task = HandWrittenDescent(model, NumericalGradient(0.1), optimizer=partial(GradientDescent, lr=1e-2))
    make_trainer(200, DivergenceDetection(growth_factor=None)).fit(task, datamodule=ThermometerDataModule())
    weight = model.weight.detach()
    assert isinstance(task.stop.reason, Fact)
    assert task.stop.reason.kind is FactKind.FROZEN
    assert task.updates < 200
    assert bool(torch.isfinite(weight))
    assert torch.equal(weight + 0.1, weight - 0.1)


def test_the_published_divergence_stops_where_the_loss_becomes_infinite(make_trainer, golden_descent):
    task = descent()
    make_trainer(100, DivergenceDetection(growth_factor=None)).fit(task, datamodule=ThermometerDataModule())
    published = next(run for run in golden_descent["runs"] if run["name"] == "diverging")
    assert task.updates == next(int(update) for update, loss in published["loss"].items() if loss == "inf")
    assert isinstance(task.stop.reason, Fact)
    assert task.stop.reason.kind is FactKind.LOSS_NOT_FINITE


def test_a_block_ends_where_it_diverges_and_min_epochs_does_not_hold_it(make_trainer):
    task = descent(updates_per_step=100)
    make_trainer(10, DivergenceDetection(), min_epochs=9).fit(task, datamodule=ThermometerDataModule())
    # 5.8e6 is 3290 times the first loss 1764, 1.9e10 is 1.1e7 times: the third update is the first beyond 1e6.
    assert task.updates == 3


def test_the_converging_lesson_is_left_alone(make_trainer):
    # The normalised descent stands still, bit for bit, from update 6026 on: it has converged.
    task = descent(updates_per_step=700)
    make_trainer(10, DivergenceDetection()).fit(task, datamodule=thermometer())
    assert (task.stop, task.updates) == (None, 7000)


@pytest.mark.parametrize(("factor", "resumed_factor", "last"), [
    pytest.param(None, None, 11, id="infinite"),
    pytest.param(1e6, 1e6, 3, id="grown"),
    pytest.param(1e6, 1e5, 3, id="grown-beyond-a-smaller-factor"),
    pytest.param(1e6, None, 11, id="the-factor-was-in-the-way"),
])  # fmt: skip
def test_a_resumed_fit_that_had_diverged_ends_where_it_did(factor, resumed_factor, last, make_trainer):
    trainer = make_trainer(100, DivergenceDetection(growth_factor=factor), FitCheckpoint(), enable_checkpointing=True)
    first, resumed = descent(), descent()
    trainer.fit(first, datamodule=ThermometerDataModule())
    resuming = make_trainer(100, DivergenceDetection(growth_factor=resumed_factor))
    resuming.fit(resumed, datamodule=ThermometerDataModule(), ckpt_path="run/checkpoints/last.ckpt")
    assert resumed.updates == last
    assert resumed.stop.status is Status.DIVERGED
    if first.updates == last:
        assert resumed.stop == first.stop
        assert resumed.model.weight.item() == first.model.weight.item()


def test_a_second_fit_is_compared_with_its_own_first_loss(make_trainer):
    guard = DivergenceDetection()
    make_trainer(3, guard).fit(descent(), datamodule=ThermometerDataModule())
    task = descent()
    make_trainer(3, guard).fit(task, datamodule=thermometer())
    assert (task.stop, task.updates) == (None, 3)
