"""Least squares under a Trainer."""

from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from numpy.typing import NDArray
from scipy.optimize import curve_fit
from torch import Tensor, nn

from paramfit import AnalyticGradient, EstimationDataModule, InputError, LevenbergMarquardt, Observations, Standardize
from paramfit.callbacks import FitHistory, FitReport
from paramfit.data.thermometer import ThermometerDataModule
from paramfit.facts import Status
from paramfit.models import FormulaModel, GaussianModel, LinearModel, PolynomialModel
from paramfit.objectives import AbsoluteError, HuberError, NegativeLogLikelihood, SquaredError
from paramfit.tasks import HandWrittenDescent, LeastSquares, Regression
from tests.callbacks.conftest import events_of
from tests.own_module import OwnModule
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
    return curve_fit(saturation, *rows(), [3, 0.7], xtol=1e-15, ftol=1e-15, gtol=1e-15)[0]


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
def test_batches_of_any_size_reach_scipys_estimates(make, batching, make_trainer):
    task = LeastSquares(make())
    make_trainer(200).fit(task, datamodule=InMemory(**batching))
    assert task.stop.status is Status.CONVERGED
    assert natural(task.model) == pytest.approx(scipys(), rel=1e-8)


@pytest.mark.parametrize("batching", [{}, {"batch_size": 4, "shuffle": True}], ids=["whole", "batches"])
def test_a_linear_model_is_solved_in_one_update_of_one_epoch(batching, make_trainer):
    task, trainer = LeastSquares(PolynomialModel(degree=2)), make_trainer(100)
    trainer.fit(task, datamodule=InMemory(**batching))
    x, y = rows()
    expected = np.polyfit(x, y, 2)[::-1]
    assert [parameter.item() for parameter in task.model.parameters()] == pytest.approx(expected, rel=1e-9)
    assert (task.updates, trainer.current_epoch) == (1, 1)
    assert task.stop.status is Status.CONVERGED


def test_normalised_inputs_reach_the_same_curve(make_trainer):
    task, data = LeastSquares(LinearModel()), InMemory(normalization=Standardize())
    make_trainer(5).fit(task, datamodule=data)
    slope, level = np.polyfit(*rows(), 1)
    assert task.model(*data.every.inputs).detach().numpy() == pytest.approx(slope * rows()[0] + level, rel=1e-10)


def test_known_errors_weigh_the_rows(make_trainer):
    x, y = rows()
    sigma = np.linspace(0.01, 1, ROWS)
    observations = Observations((torch.from_numpy(x),), torch.from_numpy(y), torch.from_numpy(sigma))
    task = LeastSquares(formula())
    make_trainer(200).fit(task, datamodule=InMemory(observations, batch_size=6))
    expected = curve_fit(saturation, x, y, [3, 0.7], sigma, xtol=1e-15, ftol=1e-15, gtol=1e-15)[0]
    assert natural(task.model) == pytest.approx(expected, rel=1e-8)


def test_a_model_of_ones_own_with_parameters_of_any_shape_is_fitted(make_trainer):
    task = LeastSquares(Curve())
    make_trainer(200).fit(task, datamodule=InMemory(batch_size=4))
    expected, _ = curve_fit(
        lambda x, a, b, rate: a * (1 - np.exp(-rate * x)) + b, *rows(), [3, 0, 0.7], xtol=1e-15, ftol=1e-15, gtol=1e-15,
    )  # fmt: skip
    assert task.stop.status is Status.CONVERGED
    values = [*task.model.height.flatten().tolist(), task.model.rate.item()]
    assert values == pytest.approx(expected, rel=1e-6)  # scipy's own accuracy
    assert task.model.height.shape == (2, 1)


def test_every_update_of_a_projected_model_is_recorded(make_trainer, tmp_path):
    logger = TensorBoardLogger(tmp_path, name="", version="run", default_hp_metric=False)
    task = LeastSquares(formula())
    make_trainer(200, logger=logger, callbacks=[FitHistory()]).fit(task, datamodule=InMemory())
    events = events_of(tmp_path / "run")
    losses = [event.value for event in events.Scalars("train/loss")]
    assert [event.step for event in events.Scalars("train/loss")] == list(range(1, task.updates + 1))
    assert task.updates > 2
    assert all(after <= before for before, after in pairwise(losses))
    x, y = rows()
    assert losses[-1] == pytest.approx(((y - saturation(x, *scipys())) ** 2).mean(), rel=1e-6)
    for name, expected in zip(("b1", "b2"), scipys(), strict=True):
        assert events.Scalars(f"parameter/{name}")[-1].value == pytest.approx(expected, rel=1e-6)


def test_rows_held_out_take_no_part_and_are_measured(make_trainer):
    held_out = [3, 11, 20]
    task, data = LeastSquares(formula()), InMemory(validation_rows=held_out, batch_size=7)
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
        self.records: list[tuple[list[Tensor], list[Tensor]]] = []

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        parameters = list(pl_module.parameters())
        gradients = [parameter.grad.clone() for parameter in parameters if parameter.grad is not None]
        self.records.append(([parameter.detach().clone() for parameter in parameters], gradients))


def test_the_gradient_after_an_update_is_that_of_the_mean_loss(make_trainer):
    task, data, watcher = LeastSquares(bounded()), InMemory(), Gradients()
    make_trainer(4, callbacks=[watcher]).fit(task, datamodule=data)
    assert len(watcher.records) == 4
    for parameters, gradients in watcher.records:
        model = bounded()
        model.leave_bounds_to_solver()
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


@pytest.mark.parametrize(("kind", "batch"), [
    *((kind, batch) for kind in TASKS for batch in (1, 2)),
    *((kind, batch) for kind in STEPWISE for batch in (3, 4, 6)),
])  # fmt: skip
def test_a_signal_at_any_batch_then_resumed_gives_the_same_bits(kind, batch, tmp_path):
    whole, _ = run(TASKS[kind](), tmp_path)
    stopped, checkpoint = run(TASKS[kind](), tmp_path, SignalAt(batch))
    assert stopped.updates < whole.updates
    resumed, _ = run(TASKS[kind](), tmp_path, resume=checkpoint)
    assert_same(resumed, whole)


@pytest.mark.parametrize("kind", STEPWISE)
@pytest.mark.parametrize("epochs", [1, 2, 3])
def test_a_shorter_fit_prolonged_gives_the_same_bits(kind, epochs, tmp_path):
    whole, _ = run(TASKS[kind](), tmp_path)
    short, checkpoint = run(TASKS[kind](), tmp_path, max_epochs=epochs)
    assert short.stop is None
    resumed, _ = run(TASKS[kind](), tmp_path, resume=checkpoint)
    assert_same(resumed, whole)


def test_a_converged_fit_resumed_stays_where_it_is(tmp_path):
    whole, checkpoint = run(TASKS["bounded"](), tmp_path)
    resumed, _ = run(TASKS["bounded"](), tmp_path, resume=checkpoint)
    assert_same(resumed, whole)


def test_a_checkpoint_with_other_tolerances_is_not_resumed(tmp_path):
    _, checkpoint = run(TASKS["bounded"](), tmp_path, max_epochs=1)
    other = LeastSquares(bounded(), optimizer=partial(LevenbergMarquardt, damping=1.0))
    with pytest.raises(InputError, match=r"model\.optimizer\.damping"):
        run(other, tmp_path, resume=checkpoint)


# --- with the callbacks of the lessons ---


# A model whose derivative, as autograd sees it, points the wrong way: no step can keep its promise.
Jagged = partial(
    OwnModule, lambda self, x: (2 * self.level.detach() - self.level) * torch.ones_like(x), level=torch.tensor(1.0)
)


def test_a_fit_without_a_way_down_is_stalled(make_trainer, capsys):
    report = FitReport()
    task = LeastSquares(Jagged())
    make_trainer(1000, callbacks=[report]).fit(task, datamodule=InMemory())
    assert task.stop.status is Status.STALLED
    assert report.result.status == "stalled"
    assert task.model.level.item() == 1.0
    assert "stalled" in capsys.readouterr().out


# --- refused ---


@pytest.mark.parametrize(("make", "named"), [
    (lambda: LeastSquares(formula(), AbsoluteError()), "not AbsoluteError"),
    (lambda: LeastSquares(GaussianModel(), NegativeLogLikelihood()), "not NegativeLogLikelihood"),
    (lambda: LeastSquares(formula(), SquaredError(l2=0.1)), "penalty"),
    (lambda: LeastSquares(formula(), SquaredError(l1=0.1)), "penalty"),
    (lambda: LeastSquares(nn.Identity()), "no trainable parameter"),
], ids=["absolute error", "likelihood", "l2", "l1", "nothing to estimate"])  # fmt: skip
def test_what_least_squares_cannot_solve_is_refused(make, named):
    with pytest.raises(InputError, match=named):
        make()


@pytest.mark.parametrize("batch_size", [None, 2], ids=["whole", "batches"])
def test_a_start_that_is_not_finite_names_a_row(batch_size, make_trainer):
    x = torch.tensor([1.0, 2.0, 3.0, -4.0, 5.0], dtype=torch.float64)
    task = LeastSquares(FormulaModel("b1 + log(b2 * x)", ["x"], {"b1": 0.0, "b2": 1.0}))
    data = InMemory(Observations((x,), torch.ones(5, dtype=torch.float64)), batch_size=batch_size)
    with pytest.raises(InputError, match=r"not finite at the start .* in row \d \(input -4\)"):
        make_trainer(5).fit(task, datamodule=data)


@pytest.mark.parametrize("make", [
    lambda: Regression(LinearModel(dtype="float64"), optimizer=LevenbergMarquardt),
    lambda: HandWrittenDescent(LinearModel(dtype="float64"), AnalyticGradient(), optimizer=LevenbergMarquardt),
], ids=["Regression", "HandWrittenDescent"])  # fmt: skip
def test_the_solver_is_refused_where_updates_come_from_a_gradient(make, make_trainer):
    with pytest.raises(InputError, match="any torch optimizer but LevenbergMarquardt"):
        make_trainer(1).fit(make(), datamodule=ThermometerDataModule(dtype="float64"))


def test_held_out_rows_within_the_band_are_counted(make_trainer):
    task, data, trainer = LeastSquares(formula()), InMemory(validation_fraction=0.4, seed=1), make_trainer(200)
    trainer.fit(task, datamodule=data)
    (tested,) = trainer.test(task, datamodule=data, verbose=False)
    x, y = (column.numpy() for column in (data.train.inputs[0], data.train.target))
    (b1, b2), covariance = curve_fit(saturation, x, y, [3, 0.7], xtol=1e-15, ftol=1e-15, gtol=1e-15)
    new, visited = (column.numpy() for column in (data.validation.inputs[0], data.validation.target))
    slopes = np.stack([1 - np.exp(-b2 * new), b1 * new * np.exp(-b2 * new)], axis=1)
    variance = ((y - saturation(x, b1, b2)) ** 2).sum() / (len(x) - 2)
    wide = 2.178812829663418 * np.sqrt(np.einsum("ni,ij,nj->n", slopes, covariance, slopes) + variance)  # t, 12 d.o.f.
    assert len(x) == 14
    inside = np.abs(visited - saturation(new, b1, b2)) <= wide
    assert tested["test/band_coverage"] == pytest.approx(inside.mean(), abs=1e-6)
