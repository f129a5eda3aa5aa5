"""Early stopping on scripted validation losses."""

from math import inf, nan
from typing import Any

import pytest

from paramfit import FitEarlyStopping, ThermometerDataModule
from paramfit.facts import Status, Stop
from paramfit.shown.words import sentence
from tests.callbacks.conftest import ScriptedTask, descent, thermometer, validation


def played(losses: list[float], watch: FitEarlyStopping, first: int = 1) -> tuple[int, Stop] | None:
    """The number of the validation at which the fit was stopped, and why; None if it was not."""
    task: Any = ScriptedTask()
    for number, loss in enumerate(losses, start=first):
        watch.on_validation_end(validation(val_loss=loss), task)
        if task.stop is not None:
            return number, task.stop
    return None


@pytest.mark.parametrize(("losses", "options", "stops_at"), [
    pytest.param([5.0, 4.0, 4.5, 4.6, 3.0], {"patience": 2}, 4, id="two-in-a-row"),
    pytest.param([5.0, 4.0, 4.5], {"patience": 1}, 3, id="patience-1"),
    pytest.param([5.0, 4.0, 4.5, 3.9, 4.5, 3.8, 4.0], {"patience": 2}, None, id="recovers-each-time"),
    pytest.param([5.0, 4.0, 4.0, 4.0], {"patience": 2}, 4, id="equal-is-no-improvement"),
    pytest.param([5.0, 4.95, 4.91], {"patience": 2, "min_delta": 0.1}, 3, id="gains-below-min-delta"),
    pytest.param([5.0, 4.8, 4.6], {"patience": 2, "min_delta": 0.1}, None, id="gains-above-min-delta"),
    pytest.param([1.0, 2.0, 1.5, 1.4], {"patience": 2, "mode": "max"}, 4, id="mode-max"),
    pytest.param([5.0, 6.0, 7.0, 8.0], {"patience": None}, None, id="off"),
    pytest.param([5.0, nan, inf, nan], {"patience": 2}, None, id="not-finite-is-not-its-business"),
    pytest.param([nan, 5.0, 4.0, 4.5, nan, 4.6], {"patience": 2}, 6, id="nan-in-between"),
])  # fmt: skip
def test_a_script_is_stopped_at_its_validation(losses, options, stops_at):
    stopped = played(losses, FitEarlyStopping(**options))
    assert (None if stopped is None else stopped[0]) == stops_at


def test_a_resumed_run_goes_on_counting_with_the_patience_that_is_configured():
    before = FitEarlyStopping(patience=2)
    assert played([5.0, 4.0, 4.5], before) is None
    after = FitEarlyStopping(patience=4)
    after.load_state_dict(before.state_dict())
    stopped = played([4.6, 4.7, 4.8, 4.9], after, first=4)
    assert stopped[0] == 6
    assert "patience 4" in sentence(stopped[1].reason)


def validation_losses(data: ThermometerDataModule, updates: int) -> list[float]:
    """The held-out loss after each of so many plain updates."""
    data.setup()
    x, y = data.train.inputs[0].double().numpy(), data.train.target.double().numpy()
    x_val, y_val = data.validation.inputs[0].double().numpy(), data.validation.target.double().numpy()
    weight, bias, values = 1.0, 0.0, []
    for _ in range(updates):
        residual = weight * x + bias - y
        weight, bias = weight - 0.01 * (2 * residual * x).mean(), bias - 0.01 * (2 * residual).mean()
        values.append(float(((weight * x_val + bias - y_val) ** 2).mean()))
    return values


def test_a_real_fit_stops_where_its_held_out_loss_has_risen_twice(make_trainer):
    losses = validation_losses(thermometer(validation_fraction=0.2), 30)
    twice_risen = next(k for k in range(2, 30) if min(losses[k - 1], losses[k]) >= min(losses[: k - 1]))
    task = descent()
    make_trainer(30, FitEarlyStopping(patience=2)).fit(task, datamodule=thermometer(validation_fraction=0.2))
    assert task.updates == twice_risen + 1
    assert task.stop.status is Status.STOPPED_EARLY


def test_min_epochs_does_not_hold_a_stop_back(make_trainer):
    task, held = descent(), descent()
    data = thermometer(validation_fraction=0.2)
    make_trainer(30, FitEarlyStopping(patience=2)).fit(task, datamodule=data)
    make_trainer(30, FitEarlyStopping(patience=2), min_epochs=20).fit(held, datamodule=data)
    assert held.updates == task.updates < 20
