"""Least squares under a Trainer."""

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from numpy.typing import NDArray
from scipy.optimize import curve_fit
from torch import Tensor, nn
from torch.optim import Adam

from paramfit.callbacks import (
    DivergenceDetection,
    Doctor,
    EpochTable,
    FitCheckpoint,
    FitEarlyStopping,
    FitHistory,
    FitPlots,
    FitReport,
    GracefulStop,
    ValidationLines,
)
from paramfit.data.base import EstimationDataModule
from paramfit.data.normalization import Standardize
from paramfit.data.thermometer import ThermometerDataModule
from paramfit.errors import InputError
from paramfit.facts import Status
from paramfit.gradients import AnalyticGradient
from paramfit.models import FormulaModel, GaussianModel, LinearModel, PolynomialModel
from paramfit.objectives import AbsoluteError, HuberError, NegativeLogLikelihood, Objective, SquaredError
from paramfit.observations import Observations
from paramfit.solvers.levenberg_marquardt import LevenbergMarquardt
from paramfit.tasks import HandWrittenDescent, LeastSquares, Regression
from tests.callbacks.conftest import events_of
from tests.tasks.conftest import MakeTrainer
from tests.tasks.interrupted import SignalAt, assert_same, fitted

ROWS = 23


def saturation(x: NDArray[np.float64], b1: float, b2: float) -> NDArray[np.float64]:
    return b1 * (1 - np.exp(-b2 * x))


def rows() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    x = np.linspace(0.2, 6, ROWS)
    return x, saturation(x, 3.0, 0.7) + 0.05 * np.random.default_rng(1).normal(size=ROWS)


class InMemory(EstimationDataModule):
    """Rows that a test wrote down."""

    def __init__(self, observations: Observations | None = None, **options: Any) -> None:
        super().__init__(**options)
        x, y = rows()
        self.given = observations or Observations((torch.from_numpy(x),), torch.from_numpy(y))

    def read(self) -> Observations:
        return self.given


def formula() -> FormulaModel:
    """Linear in b1, which is solved for; nonlinear in b2."""
    return FormulaModel("b1 * (1 - exp(-b2 * x))", ["x"], {"b1": None, "b2": 2.0})


def bounded() -> FormulaModel:
    """The same curve, with nothing to be solved for exactly."""
    return FormulaModel(
        "b1 * (1 - exp(-b2 * x))", ["x"], {"b1": {"start": 1, "lower": 0}, "b2": {"start": 2, "lower": 0, "upper": 9}}
    )


class Curve(nn.Module):
    """A user's own model, with a parameter of two dimensions and one of one."""

    def __init__(self) -> None:
        super().__init__()
        self.height = nn.Parameter(torch.tensor([[1.0], [0.5]]))
        self.rate = nn.Parameter(torch.tensor([1.5]))

    def forward(self, x: Tensor) -> Tensor:
        return self.height[0] * (1 - torch.exp(-self.rate * x)) + self.height[1]


def scipys() -> NDArray[np.float64]:
    found: NDArray[np.float64] = curve_fit(saturation, *rows(), [3, 0.7], xtol=1e-15, ftol=1e-15, gtol=1e-15)[0]
    return found


def natural(model: FormulaModel) -> list[float]:
    return [model.natural(name).item() for name in model.names]


MODELS = {"projected": formula, "bounded": bounded}
EACH_MODEL = pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
EACH_BATCHING = pytest.mark.parametrize(
    "batching",
    [{}, {"batch_size": 1}, {"batch_size": 2}, {"batch_size": 5, "shuffle": True}, {"batch_size": 22}],
    ids=["whole", "single rows", "fewer rows than parameters need", "shuffled", "uneven"],
)


@EACH_MODEL
@EACH_BATCHING
def test_batches_of_any_size_reach_scipys_estimates(
    make: Callable[[], FormulaModel], batching: dict[str, Any], make_trainer: MakeTrainer
) -> None:
    task = LeastSquares(make())
    make_trainer(200).fit(task, datamodule=InMemory(**batching))
    assert task.stop is not None
    assert task.stop.status is Status.CONVERGED
    assert natural(task.model) == pytest.approx(scipys(), rel=1e-8)


@EACH_MODEL
def test_batches_take_the_updates_of_the_whole_and_those_that_its_polish_saves(
    make: Callable[[], FormulaModel], make_trainer: MakeTrainer
) -> None:
    counts = []
    for batching in ({}, {"batch_size": 5}):
        task = LeastSquares(make())
        make_trainer(200).fit(task, datamodule=InMemory(**batching))
        counts.append(task.updates)
    assert counts[0] <= counts[1] <= counts[0] + 4


@pytest.mark.parametrize("batching", [{}, {"batch_size": 4, "shuffle": True}], ids=["whole", "batches"])
def test_a_linear_model_is_solved_in_one_update_of_one_epoch(
    batching: dict[str, Any], make_trainer: MakeTrainer
) -> None:
    task, trainer = LeastSquares(PolynomialModel(degree=2)), make_trainer(100)
    trainer.fit(task, datamodule=InMemory(**batching))
    x, y = rows()
    expected = np.polyfit(x, y, 2)[::-1]
    found = [parameter.item() for parameter in task.model.parameters()]
    assert found == pytest.approx(expected, rel=1e-9)
    assert (task.updates, trainer.current_epoch) == (1, 1)
    assert task.stop is not None
    assert task.stop.status is Status.CONVERGED


def test_normalised_inputs_reach_the_same_curve(make_trainer: MakeTrainer) -> None:
    task, data = LeastSquares(LinearModel()), InMemory(normalization=Standardize())
    make_trainer(5).fit(task, datamodule=data)
    slope, level = np.polyfit(*rows(), 1)
    line = task.model(*data.every.inputs).detach().numpy()
    assert line == pytest.approx(slope * rows()[0] + level, rel=1e-10)


def test_parameters_and_data_in_float32_are_taken_to_float64(make_trainer: MakeTrainer) -> None:
    task = LeastSquares(FormulaModel("b1 * x", ["x"], {"b1": 1.0}, dtype="float32"))
    x, y = (torch.from_numpy(column).float() for column in rows())
    make_trainer(5).fit(task, datamodule=InMemory(Observations((x,), y)))
    single = x.double().numpy(), y.double().numpy()
    assert task.model.b1.dtype == torch.float64
    assert task.model.b1.item() == pytest.approx((single[0] @ single[1]) / (single[0] @ single[0]), rel=1e-13)


def test_known_errors_weigh_the_rows(make_trainer: MakeTrainer) -> None:
    x, y = rows()
    sigma = np.linspace(0.01, 1, ROWS)
    observations = Observations((torch.from_numpy(x),), torch.from_numpy(y), torch.from_numpy(sigma))
    task = LeastSquares(formula())
    make_trainer(200).fit(task, datamodule=InMemory(observations, batch_size=6))
    expected = curve_fit(saturation, x, y, [3, 0.7], sigma, xtol=1e-15, ftol=1e-15, gtol=1e-15)[0]
    assert natural(task.model) == pytest.approx(expected, rel=1e-8)


def test_several_inputs_are_given_in_their_order(make_trainer: MakeTrainer) -> None:
    x, y = rows()
    other = np.cos(x)
    task = LeastSquares(FormulaModel("a * x - b * z", ["x", "z"], {"a": None, "b": None}))
    inputs = (torch.from_numpy(x), torch.from_numpy(other))
    make_trainer(5).fit(task, datamodule=InMemory(Observations(inputs, torch.from_numpy(y))))
    expected = np.linalg.lstsq(np.stack([x, -other], axis=1), y, rcond=None)[0]
    assert natural(task.model) == pytest.approx(expected, rel=1e-10)


def test_a_model_of_ones_own_with_parameters_of_any_shape_is_fitted(make_trainer: MakeTrainer) -> None:
    task = LeastSquares(Curve())
    make_trainer(200).fit(task, datamodule=InMemory(batch_size=4))
    expected, _ = curve_fit(
        lambda x, a, b, rate: a * (1 - np.exp(-rate * x)) + b, *rows(), [3, 0, 0.7], xtol=1e-15, ftol=1e-15, gtol=1e-15,
    )  # fmt: skip
    assert task.stop is not None
    assert task.stop.status is Status.CONVERGED
    found = [*task.model.height.flatten().tolist(), task.model.rate.item()]
    assert found == pytest.approx(expected, rel=1e-6)  # scipy's own accuracy
    assert task.model.height.shape == (2, 1)


def test_every_update_of_a_projected_model_is_recorded(make_trainer: MakeTrainer, tmp_path: Path) -> None:
    logger = TensorBoardLogger(tmp_path, name="", version="run", default_hp_metric=False)
    task = LeastSquares(formula())
    make_trainer(200, logger=logger, callbacks=[FitHistory()]).fit(task, datamodule=InMemory())
    events = events_of(tmp_path / "run")
    losses = [event.value for event in events.Scalars("train/loss")]
    steps = [event.step for event in events.Scalars("train/loss")]
    assert steps == list(range(1, task.updates + 1))
    assert task.updates > 2
    assert all(after <= before for before, after in pairwise(losses))
    x, y = rows()
    best = ((y - saturation(x, *scipys())) ** 2).mean()
    assert losses[-1] == pytest.approx(best, rel=1e-6)
    for name, expected in zip(("b1", "b2"), scipys(), strict=True):
        assert events.Scalars(f"parameter/{name}")[-1].value == pytest.approx(expected, rel=1e-6)


def test_rows_held_out_take_no_part_and_are_measured(make_trainer: MakeTrainer) -> None:
    held_out = [3, 11, 20]
    task, data = LeastSquares(formula()), InMemory(validation_indices=held_out, batch_size=7)
    trainer = make_trainer(200)
    trainer.fit(task, datamodule=data)
    x, y = rows()
    keep = np.setdiff1d(np.arange(ROWS), held_out)
    b1, b2 = curve_fit(saturation, x[keep], y[keep], [3, 0.7], xtol=1e-15, ftol=1e-15, gtol=1e-15)[0]
    assert natural(task.model) == pytest.approx([b1, b2], rel=1e-8)
    expected = ((y[held_out] - saturation(x[held_out], b1, b2)) ** 2).mean()
    (measured,) = trainer.validate(task, datamodule=data, verbose=False)
    assert measured["val/loss"] == pytest.approx(expected, rel=1e-7)


class Gradients(Callback):
    """Keep the parameters and gradients as they are after each batch."""

    def __init__(self) -> None:
        self.seen: list[tuple[list[Tensor], list[Tensor]]] = []

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        parameters = list(pl_module.parameters())
        gradients = [parameter.grad.clone() for parameter in parameters if parameter.grad is not None]
        self.seen.append(([parameter.detach().clone() for parameter in parameters], gradients))


def test_the_gradient_after_an_update_is_that_of_the_mean_loss(make_trainer: MakeTrainer) -> None:
    task, data, watcher = LeastSquares(bounded()), InMemory(), Gradients()
    make_trainer(4, callbacks=[watcher]).fit(task, datamodule=data)
    assert len(watcher.seen) == 4
    for parameters, gradients in watcher.seen:
        model = bounded()
        for mine, theirs in zip(model.parameters(), parameters, strict=True):
            mine.data.copy_(theirs)
        (model(*data.train.inputs) - data.train.target).square().mean().backward()
        expected = [parameter.grad.item() for parameter in model.parameters() if parameter.grad is not None]
        assert [gradient.item() for gradient in gradients] == pytest.approx(expected, rel=1e-9, abs=1e-14)


# --- stopped and resumed ---


def run(task: LeastSquares, folder: Path, *extra: Callback, **settings: Any) -> tuple[LeastSquares, Path]:
    return fitted(task, InMemory(batch_size=8, shuffle=True, seed=3), folder, *extra, **settings)


TASKS = {
    "projected": lambda: LeastSquares(formula()),
    "bounded": lambda: LeastSquares(bounded()),
    "robust": lambda: LeastSquares(bounded(), HuberError(scale=0.05)),
    "linear": lambda: LeastSquares(PolynomialModel(degree=2)),
    "a module": lambda: LeastSquares(Curve()),
}
STEPWISE = [kind for kind in TASKS if kind != "linear"]


@pytest.mark.parametrize(
    ("kind", "batch"),
    [
        *((kind, batch) for kind in TASKS for batch in (1, 2)),
        *((kind, batch) for kind in STEPWISE for batch in (3, 4, 6)),
    ],
)
def test_a_signal_at_any_batch_then_resumed_gives_the_same_bits(kind: str, batch: int, tmp_path: Path) -> None:
    whole, _ = run(TASKS[kind](), tmp_path)
    stopped, checkpoint = run(TASKS[kind](), tmp_path, SignalAt(batch))
    assert stopped.updates < whole.updates
    resumed, _ = run(TASKS[kind](), tmp_path, resume=checkpoint)
    assert_same(resumed, whole)


@pytest.mark.parametrize("kind", STEPWISE)
@pytest.mark.parametrize("epochs", [1, 2, 3])
def test_a_shorter_fit_prolonged_gives_the_same_bits(kind: str, epochs: int, tmp_path: Path) -> None:
    whole, _ = run(TASKS[kind](), tmp_path)
    short, checkpoint = run(TASKS[kind](), tmp_path, max_epochs=epochs)
    assert short.stop is None
    resumed, _ = run(TASKS[kind](), tmp_path, resume=checkpoint)
    assert_same(resumed, whole)


def test_a_converged_fit_resumed_stays_where_it_is(tmp_path: Path) -> None:
    whole, checkpoint = run(TASKS["bounded"](), tmp_path)
    resumed, _ = run(TASKS["bounded"](), tmp_path, resume=checkpoint)
    assert_same(resumed, whole)


def test_a_checkpoint_with_other_tolerances_is_not_resumed(tmp_path: Path) -> None:
    _, checkpoint = run(TASKS["bounded"](), tmp_path, max_epochs=1)
    other = LeastSquares(bounded(), optimizer=partial(LevenbergMarquardt, damping=1.0))
    with pytest.raises(InputError, match=r"model\.optimizer\.damping"):
        run(other, tmp_path, resume=checkpoint)


# --- with the callbacks of the lessons ---


@EACH_MODEL
def test_every_callback_at_once_leaves_each_bit_as_it_was(
    make: Callable[[], FormulaModel], make_trainer: MakeTrainer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alone, watched = LeastSquares(make()), LeastSquares(make())
    options: dict[str, Any] = {"validation_fraction": 0.2, "batch_size": 6}
    make_trainer(200).fit(alone, datamodule=InMemory(**options))
    report = FitReport()
    watchers = [
        GracefulStop(), FitHistory(), DivergenceDetection(), FitEarlyStopping(patience=50), Doctor(),
        EpochTable(ValidationLines(every=1)), report, FitPlots(), FitCheckpoint(),
    ]  # fmt: skip
    logger = TensorBoardLogger(tmp_path, name="", version="run", default_hp_metric=False)
    trainer = make_trainer(200, callbacks=watchers, logger=logger, enable_checkpointing=True)
    trainer.fit(watched, datamodule=InMemory(**options))
    assert_same(watched, alone)
    assert report.result is not None
    assert report.result.status == "converged"
    assert "converged" in capsys.readouterr().out
    written = {path.name for path in (tmp_path / "run").rglob("*") if path.is_file()}
    assert {"estimates.json", "best.ckpt", "last.ckpt", "fit.png"} <= written


def test_the_limit_of_updates_is_told(make_trainer: MakeTrainer, capsys: pytest.CaptureFixture[str]) -> None:
    report = FitReport()
    task = LeastSquares(bounded())
    make_trainer(2, callbacks=[report]).fit(task, datamodule=InMemory())
    assert report.result is not None
    assert report.result.status == "limit_reached"
    assert task.updates == 2
    assert "limit" in " ".join(capsys.readouterr().out.split())


class Jagged(nn.Module):
    """A model whose derivative, as autograd sees it, points the wrong way: no step can keep its promise."""

    def __init__(self) -> None:
        super().__init__()
        self.level = nn.Parameter(torch.tensor(1.0))

    def forward(self, x: Tensor) -> Tensor:
        return (2 * self.level.detach() - self.level) * torch.ones_like(x)


def test_a_fit_without_a_way_down_is_stalled(make_trainer: MakeTrainer, capsys: pytest.CaptureFixture[str]) -> None:
    report = FitReport()
    task = LeastSquares(Jagged())
    make_trainer(1000, callbacks=[report]).fit(task, datamodule=InMemory())
    assert task.stop is not None
    assert task.stop.status is Status.STALLED
    assert report.result is not None
    assert report.result.status == "stalled"
    assert task.model.level.item() == 1.0
    assert "stalled" in capsys.readouterr().out


# --- refused ---


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: LeastSquares(formula(), AbsoluteError()), "not AbsoluteError"),
        (lambda: LeastSquares(GaussianModel(), NegativeLogLikelihood()), "not NegativeLogLikelihood"),
        (lambda: LeastSquares(formula(), SquaredError(l2=0.1)), "penalty"),
        (lambda: LeastSquares(formula(), SquaredError(l1=0.1)), "penalty"),
        (lambda: LeastSquares(nn.Identity()), "no trainable parameter"),
    ],
    ids=["absolute error", "likelihood", "l2", "l1", "nothing to estimate"],
)
def test_what_least_squares_cannot_solve_is_refused(make: Callable[[], LeastSquares], named: str) -> None:
    with pytest.raises(InputError, match=named):
        make()


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"accumulate_grad_batches": 2}, r"trainer\.accumulate_grad_batches"),
        ({"gradient_clip_val": 1.0}, r"trainer\.gradient_clip_val"),
        ({"precision": "bf16-mixed"}, r"trainer\.precision"),
        ({"precision": "bf16-true"}, r"trainer\.precision"),
    ],
    ids=["accumulation", "clipping", "bf16-mixed", "bf16-true"],
)
def test_what_has_no_meaning_here_is_refused(options: dict[str, Any], named: str, make_trainer: MakeTrainer) -> None:
    with pytest.raises((InputError, MisconfigurationException), match=named):
        make_trainer(1, **options).fit(LeastSquares(formula()), datamodule=InMemory())


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (lambda: InMemory(jitter=0.1), r"data\.jitter"),
        (lambda: InMemory(validation_fraction=0.99), "1 observation cannot determine 2 parameters"),
    ],
    ids=["jitter", "too few rows"],
)
def test_data_that_cannot_be_solved_are_refused(
    data: Callable[[], InMemory], named: str, make_trainer: MakeTrainer
) -> None:
    with pytest.raises(InputError, match=named):
        make_trainer(1).fit(LeastSquares(formula()), datamodule=data())


@pytest.mark.parametrize("batch_size", [None, 2], ids=["whole", "batches"])
def test_a_start_that_is_not_finite_names_a_row(batch_size: int | None, make_trainer: MakeTrainer) -> None:
    x = torch.tensor([1.0, 2.0, 3.0, -4.0, 5.0], dtype=torch.float64)
    task = LeastSquares(FormulaModel("b1 + log(b2 * x)", ["x"], {"b1": 0.0, "b2": 1.0}))
    data = InMemory(Observations((x,), torch.ones(5, dtype=torch.float64)), batch_size=batch_size)
    with pytest.raises(InputError, match=r"not finite at the start .* in row \d \(input -4\)"):
        make_trainer(5).fit(task, datamodule=data)


def test_another_optimizer_is_refused(make_trainer: MakeTrainer) -> None:
    task = LeastSquares(formula(), optimizer=partial(Adam, lr=0.1))
    with pytest.raises(InputError, match="LeastSquares takes LevenbergMarquardt, but got Adam"):
        make_trainer(1).fit(task, datamodule=InMemory())


@pytest.mark.parametrize(
    "make",
    [
        lambda: Regression(LinearModel(dtype="float64"), optimizer=LevenbergMarquardt),
        lambda: HandWrittenDescent(LinearModel(dtype="float64"), AnalyticGradient(), optimizer=LevenbergMarquardt),
    ],
    ids=["Regression", "HandWrittenDescent"],
)
def test_the_solver_is_refused_where_updates_come_from_a_gradient(
    make: Callable[[], Regression | HandWrittenDescent], make_trainer: MakeTrainer
) -> None:
    with pytest.raises(InputError, match="any torch optimizer but LevenbergMarquardt"):
        make_trainer(1).fit(make(), datamodule=ThermometerDataModule(dtype="float64"))


def test_a_model_that_returns_a_distribution_is_refused(make_trainer: MakeTrainer) -> None:
    class Noisy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.slope = nn.Parameter(torch.tensor(1.0))

        def forward(self, x: Tensor) -> torch.distributions.Normal:
            return torch.distributions.Normal(self.slope * x, 1.0)

    with pytest.raises(InputError, match="distribution"):
        make_trainer(1).fit(LeastSquares(Noisy()), datamodule=InMemory())


@pytest.mark.parametrize("objective", [None, SquaredError()], ids=["none", "squared error"])
def test_squared_error_is_what_is_minimised_where_nothing_is_said(objective: Objective | None) -> None:
    assert isinstance(LeastSquares(formula(), objective).objective, SquaredError)


def test_held_out_rows_within_the_band_are_counted(make_trainer: MakeTrainer) -> None:
    task, data, trainer = LeastSquares(formula()), InMemory(validation_fraction=0.4, seed=1), make_trainer(200)
    trainer.fit(task, datamodule=data)
    (tested,) = trainer.test(task, datamodule=data, verbose=False)
    x, y = (column.numpy() for column in (data.train.inputs[0], data.train.target))
    (b1, b2), covariance = curve_fit(saturation, x, y, [3, 0.7], xtol=1e-15, ftol=1e-15, gtol=1e-15)
    new, seen = (column.numpy() for column in (data.validation.inputs[0], data.validation.target))
    slopes = np.stack([1 - np.exp(-b2 * new), b1 * new * np.exp(-b2 * new)], axis=1)
    variance = ((y - saturation(x, b1, b2)) ** 2).sum() / (len(x) - 2)
    wide = 2.178812829663418 * np.sqrt(np.einsum("ni,ij,nj->n", slopes, covariance, slopes) + variance)  # t, 12 d.o.f.
    assert len(x) == 14
    inside = np.abs(seen - saturation(new, b1, b2)) <= wide
    assert tested["test/band_coverage"] == pytest.approx(inside.mean(), abs=1e-6)
