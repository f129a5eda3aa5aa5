"""The lines of the lessons, digit for digit."""

from functools import partial

import numpy as np
import pytest
import torch
from torch.optim import SGD

from paramfit import GaussianDataModule, GaussianLocation, ThermometerDataModule
from paramfit.callbacks import EpochTable, EstimateRows, GradientLines, LossLines, ValidationLines
from paramfit.callbacks.run import mean_loss
from paramfit.errors import InputError
from tests.callbacks.conftest import descent, thermometer


def as_torch_prints(digits: list[str]) -> str:
    return str(torch.tensor([float(number) for number in digits]))


@pytest.mark.parametrize("name", ["normalized", "small_learning_rate", "diverging"])
@pytest.mark.parametrize("updates_per_step", [1, 50], ids=["single", "blocks"])
def test_gradient_lines_are_the_published_ones(name, updates_per_step, golden_descent, make_trainer, capsys):
    published = next(run for run in golden_descent["runs"] if run["name"] == name)
    table = golden_descent["epoch_table"]
    last = 11 if name == "diverging" else 100
    task = descent(published["learning_rate"], updates_per_step)
    # The published run ends with the first loss that is not finite; so does a block.
    epochs = 1 if name == "diverging" and updates_per_step > 1 else last // updates_per_step
    data = thermometer(published["input_scale"])
    make_trainer(epochs, EpochTable(GradientLines())).fit(task, datamodule=data)
    expected = []
    for update in range(1, last + 1):
        if update in table["ellipsis_at"]:
            expected.append("...")
        elif update in table["printed_at"]:
            loss, key = published["loss"][str(update)], str(update)
            expected += [
                table["line"].replace("%d", key).replace("%f", loss),
                f"    Params: {as_torch_prints(published['params_after'][key])}",
                f"    Grad:   {as_torch_prints(published['gradient'][key])}",
            ]
    *lines, ending = capsys.readouterr().out.splitlines()
    assert lines == expected
    x = published["input_scale"] * data.raw.inputs[0].double().numpy()
    weight, bias = (parameter.item() for parameter in task.model.parameters())
    after = np.square(weight * x + bias - data.raw.target.double().numpy()).mean()
    said, _, loss = ending.rpartition(" ")
    assert said == f"After epoch {last}, Loss"
    assert loss == "inf" if name == "diverging" else float(loss) == pytest.approx(after, rel=1e-6)


def losses_by_numpy(data: ThermometerDataModule, updates: int) -> list[tuple[float, float]]:
    """Training and validation loss before each update of a plain loop."""
    data.setup()
    x, y = data.train.inputs[0].numpy(), data.train.target.numpy()
    x_val, y_val = data.validation.inputs[0].numpy(), data.validation.target.numpy()
    weight, bias, values = 1.0, 0.0, []
    for _ in range(updates):
        residual = weight * x + bias - y
        held_out = ((weight * x_val + bias - y_val) ** 2).mean() if len(x_val) else float("nan")
        values.append((float((residual**2).mean()), float(held_out)))
        weight, bias = weight - 0.01 * (2 * residual * x).mean(), bias - 0.01 * (2 * residual).mean()
    return values


@pytest.mark.parametrize("updates_per_step", [1, 30], ids=["single", "blocks"])
def test_validation_lines_give_both_losses_before_the_update(updates_per_step, golden_descent, make_trainer, capsys):
    options = {"validation_fraction": 0.2, "dtype": "float64"}
    losses = losses_by_numpy(thermometer(**options), 31)
    make_trainer(30 // updates_per_step, EpochTable(ValidationLines(every=10))).fit(
        descent(updates_per_step=updates_per_step, dtype="float64"), datamodule=thermometer(**options)
    )
    line = golden_descent["epoch_table"]["with_validation"]
    expected = [line % (update, *losses[update - 1]) for update in (1, 2, 3, 10, 20, 30)]
    expected.append("After e" + (line % (30, *losses[30])).removeprefix("E"))
    assert capsys.readouterr().out.splitlines() == expected


def test_loss_lines_are_told_every_500th_by_default(golden_descent, make_trainer, capsys):
    losses = losses_by_numpy(thermometer(dtype="float64"), 1001)
    make_trainer(1, EpochTable(LossLines())).fit(
        descent(updates_per_step=1000, dtype="float64"), datamodule=thermometer(dtype="float64")
    )
    line = golden_descent["epoch_table"]["every_500th"]
    expected = [line % (update, losses[update - 1][0]) for update in (500, 1000)]
    expected.append("After e" + (line % (1000, losses[1000][0])).removeprefix("E"))
    assert capsys.readouterr().out.splitlines() == expected


def test_loss_lines_have_the_decimals_that_were_asked_for(make_trainer, capsys):
    losses = losses_by_numpy(thermometer(dtype="float64"), 3)
    data, task = thermometer(dtype="float64"), descent(updates_per_step=2, dtype="float64")
    make_trainer(1, EpochTable(LossLines(every=2, decimals=9))).fit(task, datamodule=data)
    assert capsys.readouterr().out.splitlines() == [
        f"Epoch 2, Loss {losses[1][0]:.9f}",
        f"After epoch 2, Loss {losses[2][0]:.9f}",
    ]
    assert losses[2][0] == pytest.approx(mean_loss(task, data.train), rel=1e-12)  # the report's


@pytest.mark.parametrize("decimals", [-1, 18])
def test_decimals_that_no_line_has_are_refused(decimals):
    for form in (GradientLines, LossLines, ValidationLines):
        with pytest.raises(InputError, match="decimals: expected 0 to 17"):
            form(decimals=decimals)


def test_estimate_rows_follow_the_closed_form(golden_gaussian, make_trainer, capsys):
    n, rate = 1000, 1e-5
    data = GaussianDataModule(n_obs=n)
    make_trainer(10, EpochTable(EstimateRows(every=50))).fit(
        GaussianLocation(location=1.0, optimizer=partial(SGD, lr=rate), updates_per_step=10), datamodule=data
    )
    form = golden_gaussian["table_form"]
    sample = data.raw.target.numpy()
    mean, squares = sample.mean(), ((sample - sample.mean()) ** 2).sum()
    expected = [form["header"] % tuple(form["header_words"])]
    for update in (50, 100):
        difference = (1.0 - mean) * (1 - rate * n) ** update
        loss = n / 2 * np.log(2 * np.pi) + squares / 2 + n / 2 * difference**2
        expected.append(form["row"] % (update, loss, mean + difference, difference))
    assert capsys.readouterr().out.splitlines() == expected
