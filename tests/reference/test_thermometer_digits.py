"""The published digits of the thermometer lesson, through the real tasks and Lightning's Trainer."""

import contextlib
import io
import json
import re
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from paramfit import EstimationTask, FixedScale, GradientDescent, LinearModel, SquaredError, ThermometerDataModule
from paramfit.callbacks import DivergenceDetection, EpochTable, FitReport, GradientLines
from paramfit.callbacks.run import task_of
from paramfit.facts import Status
from paramfit.gradients import AnalyticGradient, AutogradGradient, GradientRule, NumericalGradient
from paramfit.tasks import HandWrittenDescent, ThermometerRegression
from paramfit.tasks.updates import Update
from tests.quiet import QUIET

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parent / "gradient_descent.json").read_text(encoding="utf-8"))
RUNS = {f"{run['name']}-{run['summation']}": run for run in GOLDEN["runs"]}
LONG = GOLDEN["long_run"]
T_U = torch.tensor(GOLDEN["data"]["t_u"])
T_C = torch.tensor(GOLDEN["data"]["t_c"])


class Moment(NamedTuple):
    """One update: the loss before it, the gradient used in it, the parameters after it."""

    loss: float
    gradient: Tensor
    parameters: Tensor


class Recorder(Callback):
    """Hears of every update."""

    def __init__(self) -> None:
        self.moments: dict[int, Moment] = {}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        task_of(pl_module).listeners.append(self)

    def next_update(self, after: int) -> int:
        return after + 1

    def on_update(self, update: Update) -> None:
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in update.parameters]
        self.moments[update.number] = Moment(
            update.loss, torch.stack(gradients).clone(), torch.stack([p.detach() for p in update.parameters])
        )


def data_of_scale(scale: float) -> ThermometerDataModule:
    return ThermometerDataModule(normalization="none" if scale == 1 else FixedScale(scale))


def by_hand(
    lr: float,
    summation: str = "pairwise",
    gradient: GradientRule | None = None,
    order: str = "together",
    updates_per_step: int = 1,
) -> HandWrittenDescent:
    return HandWrittenDescent(
        LinearModel(weight=1.0, bias=0.0),
        gradient or AnalyticGradient(),
        SquaredError(summation=summation),
        optimizer=lambda parameters: GradientDescent(parameters, lr=lr, order=order),
        updates_per_step=updates_per_step,
    )


def fit(task: EstimationTask, scale: float, steps: int, *callbacks: Callback) -> Recorder:
    """Run the task and give every update it made."""
    recorder = Recorder()
    Trainer(**QUIET, max_epochs=steps, callbacks=[*callbacks, recorder]).fit(task, datamodule=data_of_scale(scale))
    return recorder


@cache
def printed(name: str) -> str:
    """What the published run prints, with a line for each update of which something is published."""
    run = RUNS[name]
    updates = sorted({int(number) for number in run["loss"]} | {run["epochs"]})
    with contextlib.redirect_stdout(io.StringIO()) as out:
        fit(
            by_hand(run["learning_rate"], run["summation"]),
            run["input_scale"],
            run["epochs"],
            EpochTable(GradientLines(at=updates)),
            DivergenceDetection(enabled=run["stops_when_loss_is_not_finite"], growth_factor=None),
        )
    return out.getvalue()


def digits(text: str, quantity: str, update: int | str) -> str | list[str]:
    """The digits of one quantity of one update, out of what was printed."""
    entry = re.search(
        rf"^Epoch {update}, Loss (.+)\n    Params: tensor\((.+)\)\n    Grad:   tensor\((.+)\)$", text, re.M
    )
    assert entry is not None, f"nothing was printed of update {update}"
    if quantity == "loss":
        return entry[1]
    return [number.strip() for number in entry[{"params_after": 2, "gradient": 3}[quantity]].strip("[]").split(",")]


PUBLISHED = [
    pytest.param(name, quantity, update, expected, id=f"{name}-{quantity}-{update}")
    for name, run in RUNS.items()
    for quantity in ("loss", "params_after", "gradient")
    for update, expected in run.get(quantity, {}).items()
]


def test_all_published_digits_are_checked():
    assert len(PUBLISHED) == 177


@pytest.mark.parametrize(("name", "quantity", "update", "expected"), PUBLISHED)
def test_printed_digits_are_the_published_ones(name, quantity, update, expected):
    assert digits(printed(name), quantity, update) == expected


@pytest.mark.parametrize("name", RUNS)
def test_final_parameters_are_the_published_ones(name):
    last = re.findall(r"^Epoch (\d+),", printed(name), re.M)[-1]
    assert digits(printed(name), "params_after", last) == RUNS[name]["final_params"]


@pytest.mark.parametrize("summation", ["pairwise", "sequential"])
def test_initial_loss_is_the_published_one(summation):
    first = fit(by_hand(1e-4, summation), 1.0, 1).moments[1]
    assert f"{first.loss:.4f}" == GOLDEN["initial_loss"][f"{summation}_printed_4_decimals"]


def test_initial_predictions_are_the_readings_themselves():
    trainer = Trainer(**QUIET)
    batches = trainer.predict(by_hand(1e-2), datamodule=data_of_scale(1.0))
    assert batches is not None
    assert torch.equal(torch.cat([torch.as_tensor(batch) for batch in batches]), T_U)


def test_diverging_run_stops_at_the_first_infinite_loss():
    task, report = by_hand(1e-2), FitReport(enabled=False)
    moments = fit(task, 1.0, 100, DivergenceDetection(growth_factor=None), report).moments
    published = RUNS["diverging-pairwise"]["loss"]
    assert task.updates == max(moments) == max(int(update) for update in published) == 11
    assert str(moments[11].loss) == published["11"] == "inf"
    assert task.stop.status is Status.DIVERGED
    assert report.result.status == "diverged"


@pytest.mark.parametrize("summation", ["pairwise", "sequential"])
def test_diverging_run_goes_on_to_nan_without_the_guard(summation):
    task, report = by_hand(1e-2, summation), FitReport(enabled=False)
    moments = fit(task, 1.0, 40, DivergenceDetection(enabled=False), report).moments
    losses = {str(update): str(moment.loss) for update, moment in moments.items() if update > 10}
    published = RUNS["diverging-sequential"]["loss"]
    assert losses == {update: loss for update, loss in published.items() if int(update) > 10}
    assert torch.isnan(moments[40].parameters).all()
    assert report.result.status == "diverged"


@pytest.mark.parametrize(("updates_per_step", "steps", "updates"), [(20, 1, 11), (10, 2, 11), (10, 5, 14)])
def test_block_ends_after_the_first_update_that_is_not_finite(updates_per_step, steps, updates):
    task = by_hand(1e-2, updates_per_step=updates_per_step)
    moments = fit(task, 1.0, steps, DivergenceDetection(enabled=False)).moments
    assert task.updates == updates
    assert [update for update, moment in moments.items() if moment.loss != float("inf")] == list(range(1, 11))


@pytest.mark.parametrize("name", ["small_learning_rate-pairwise", "normalized-pairwise"])
def test_descent_by_hand_is_bit_equal_to_the_textbook_loop(name):
    run = RUNS[name]
    moments = fit(by_hand(run["learning_rate"], updates_per_step=100), run["input_scale"], 5).moments
    t_u = run["input_scale"] * T_U
    params = torch.tensor(run["start"])
    for update in range(1, 501):
        w, b = params
        t_p = w * t_u + b
        dloss = 2 * (t_p - T_C) / t_p.size(0)
        grad = torch.stack([(dloss * t_u).sum(), (dloss * 1.0).sum()])
        params = params - run["learning_rate"] * grad
        assert moments[update].loss == ((t_p - T_C) ** 2).mean().item()
        assert torch.equal(moments[update].gradient, grad)
        assert torch.equal(moments[update].parameters, params)


def test_descent_by_autograd_is_bit_equal_to_the_textbook_loop():
    moments = fit(by_hand(1e-2, gradient=AutogradGradient(), updates_per_step=100), 0.1, 5).moments
    t_u = 0.1 * T_U
    params = torch.tensor([1.0, 0.0], requires_grad=True)
    for update in range(1, 501):
        params.grad = None
        w, b = params
        ((w * t_u + b - T_C) ** 2).mean().backward()
        with torch.no_grad():
            params -= 1e-2 * params.grad
        assert torch.equal(moments[update].gradient, params.grad)
        assert torch.equal(moments[update].parameters, params.detach())


@pytest.mark.parametrize(("scale", "updates"), [(1.0, 1), (0.1, 100)], ids=["raw", "normalized"])
def test_numerical_step_moves_the_weight_first_and_then_the_bias(scale, updates):
    rule = GOLDEN["numerical_step"]
    delta, lr = rule["delta"], rule["learning_rate"]
    task = by_hand(lr, gradient=NumericalGradient(delta), order="one_at_a_time")
    moments = fit(task, scale, updates).moments
    t_u = scale * T_U

    def loss(w: Tensor, b: Tensor) -> Tensor:
        return ((w * t_u + b - T_C) ** 2).mean()

    w, b = torch.tensor(1.0), torch.tensor(0.0)
    for update in range(1, updates + 1):
        before = loss(w, b)
        slope_w = (loss(w + delta, b) - loss(w - delta, b)) / (2.0 * delta)
        w = w - lr * slope_w
        slope_b = (loss(w, b + delta) - loss(w, b - delta)) / (2.0 * delta)
        b = b - lr * slope_b
        assert moments[update].loss == before.item()
        assert torch.equal(moments[update].gradient, torch.stack([slope_w, slope_b]))
        assert torch.equal(moments[update].parameters, torch.stack([w, b]))


def test_lesson_lines_stand_at_the_published_updates():
    published = GOLDEN["epoch_table"]
    with contextlib.redirect_stdout(io.StringIO()) as out:
        fit(by_hand(LONG["learning_rate"], updates_per_step=100), LONG["input_scale"], 50, EpochTable(GradientLines()))
    lines = out.getvalue()
    words = [int(number) for number in re.findall(r"^Epoch (\d+), Loss \d+\.\d{6}$", lines, re.M)]
    assert words == published["printed_at"]
    # Three dots stand right after the lines of the updates before them.
    before_dots = [int(number) for number in re.findall(r"^Epoch (\d+),.*\n.*\n.*\n\.\.\.$", lines, re.M)]
    assert [update + 1 for update in before_dots] == published["ellipsis_at"]
    assert digits(lines, "gradient", 4000) == ["-0.0006", "0.0033"]
    assert digits(lines, "gradient", 5000) == ["-0.0001", "0.0006"]


@pytest.mark.parametrize("task", [
    pytest.param(lambda: by_hand(1e-2, updates_per_step=100), id="by hand"),
    pytest.param(lambda: ThermometerRegression(updates_per_step=100), id="SGD"),
])  # fmt: skip
def test_five_thousand_updates_reach_the_published_end(task):
    assert (LONG["learning_rate"], LONG["input_scale"], LONG["epochs"]) == (1e-2, 0.1, 5000)
    report = FitReport(enabled=False)
    last = fit(task(), LONG["input_scale"], 50, report).moments[LONG["epochs"]]
    weight, bias = last.parameters.tolist()
    assert (f"{weight:.4f}", f"{bias:.4f}", f"{last.loss:.4f}") == ("5.3671", "-17.3012", "2.9276")
    assert (f"{weight:.2f}", f"{bias:.1f}", f"{last.loss:.2f}") == (
        str(LONG["w_about"]),
        str(LONG["b_about"]),
        str(LONG["loss_about"]),
    )


def test_standard_errors_at_the_end_are_those_of_least_squares():
    report = FitReport(enabled=False)
    fit(by_hand(1e-2, updates_per_step=100), 0.1, 60, report)
    design = torch.stack([T_U.double(), torch.ones(11, dtype=torch.float64)], dim=1)
    solution = torch.linalg.lstsq(design, T_C.double().unsqueeze(1)).solution
    variance = (design @ solution - T_C.double().unsqueeze(1)).square().sum() / (11 - 2)
    expected = (variance * torch.linalg.inv(design.T @ design).diagonal()).sqrt().tolist()
    errors = [estimate.standard_error for estimate in report.result.original_units.values()]
    assert errors == pytest.approx(expected, rel=1e-5)
    assert errors == pytest.approx([0.0355386, 1.9272273], rel=1e-5)
