"""What curves, validation, checkpoints and guards cost beside a bare loop.

In one process the fits and the loops alternate, at least five rounds; the table gives ratios of medians. ``whole`` is
the time of a complete fit of ``N`` updates over that of the loop, starting included; ``slope`` the cost of one more
update, from a fit five times as long. On the thermometer curves, validation, checkpoints, early stopping, divergence
guard and progress bar are all on in the fit, and nothing is in the loop.

    python benchmarks/overhead.py            # all rows, five rounds
    python benchmarks/overhead.py --rounds 9 --only hand
"""

import argparse
import contextlib
import io
import logging
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import lightning.pytorch as pl
import torch
from lightning.pytorch.loggers import TensorBoardLogger
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.optim import SGD
from torch.utils.data import DataLoader, TensorDataset

from paramfit.callbacks import (
    AtomicCheckpointIO,
    DivergenceDetection,
    FitCheckpoint,
    FitEarlyStopping,
    FitHistory,
    FitProgress,
    GracefulStop,
)
from paramfit.cli.lightning_output import NoProfiler
from paramfit.data.base import EstimationDataModule
from paramfit.data.gaussian import GaussianDataModule
from paramfit.data.normalization import FixedScale
from paramfit.data.thermometer import ThermometerDataModule
from paramfit.gradients import AnalyticGradient, AutogradGradient
from paramfit.models import GaussianModel, LinearModel
from paramfit.objectives import NegativeLogLikelihood
from paramfit.optimizers import GradientDescent
from paramfit.tasks import EstimationTask, GaussianLocation, HandWrittenDescent, ThermometerRegression

Timed = Callable[[int], None]

_VALIDATED = 0.2


class Row(NamedTuple):
    """One comparison: a fit, the loop beside it, how many updates, and the bounds it must keep."""

    key: str
    name: str
    fit: Timed
    loop: Timed
    updates: int
    whole_bound: float | None
    slope_bound: float | None


def thermometer() -> tuple[Tensor, Tensor]:
    """The training part that the fits see, normalised."""
    data = _thermometer_data()
    data.setup()
    return data.train.inputs[0], data.train.target


def _thermometer_data() -> EstimationDataModule:
    return ThermometerDataModule(normalization=FixedScale(0.1), validation_fraction=_VALIDATED)


def analytic_loop(updates: int) -> None:
    """Descent by the chain rule, as a textbook writes it."""
    t_u, t_c = thermometer()
    params = torch.tensor([1.0, 0.0])
    for _ in range(updates):
        w, b = params
        t_p = w * t_u + b
        _ = ((t_p - t_c) ** 2).mean()
        d = 2 * (t_p - t_c) / t_p.size(0)
        gradient = torch.stack([(d * t_u).sum(), (d * 1.0).sum()])
        params = params - 1e-2 * gradient


def autograd_loop(updates: int) -> None:
    """Descent by autograd and SGD, as a textbook writes it."""
    t_u, t_c = thermometer()
    params = torch.tensor([1.0, 0.0], requires_grad=True)
    optimizer = SGD([params], lr=1e-2)
    for _ in range(updates):
        t_p = params[0] * t_u + params[1]
        loss = ((t_p - t_c) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()


def _sample() -> Tensor:
    data = GaussianDataModule()
    data.setup()
    return data.train.target


def gaussian_autograd_loop(updates: int) -> None:
    """Location by autograd and SGD on torch's own log-density."""
    sample = _sample()
    location = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
    scale = torch.tensor(1.0, dtype=torch.float64)
    optimizer = SGD([location], lr=1e-7)
    for _ in range(updates):
        loss = -torch.distributions.Normal(location, scale).log_prob(sample).sum()  # type: ignore[no-untyped-call]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def gaussian_analytic_loop(updates: int) -> None:
    """Location by the score written out, with the loss from torch's own log-density."""
    sample = _sample()
    location = torch.tensor(1.0, dtype=torch.float64)
    scale = torch.tensor(1.0, dtype=torch.float64)
    for _ in range(updates):
        _ = -torch.distributions.Normal(location, scale).log_prob(sample).sum()  # type: ignore[no-untyped-call]
        gradient = ((location - sample) / scale**2).sum()
        location = location - 1e-7 * gradient


def _fit(
    make_task: Callable[[], EstimationTask],
    make_data: Callable[[], EstimationDataModule],
    updates: int,
    history: int,
) -> None:
    task = make_task()
    epochs = updates // task.updates_per_step
    with tempfile.TemporaryDirectory() as folder, Path(os.devnull).open("w") as nowhere:
        trainer = pl.Trainer(
            accelerator="cpu",
            max_epochs=epochs,
            check_val_every_n_epoch=max(1, epochs // 10),
            num_sanity_val_steps=0,
            enable_model_summary=False,
            logger=TensorBoardLogger(folder, default_hp_metric=False, max_queue=1000),
            plugins=[AtomicCheckpointIO()],
            profiler=NoProfiler(),
            callbacks=[
                GracefulStop(),
                FitHistory(every=history),
                DivergenceDetection(),
                FitEarlyStopping(patience=1_000_000),
                FitProgress(Console(file=nowhere, force_terminal=True)),
                FitCheckpoint(),
            ],
        )
        trainer.fit(task, make_data())
    assert task.updates == updates


def _gaussian_data() -> EstimationDataModule:
    return GaussianDataModule(validation_fraction=0.0)


def _gaussian_fit(make_task: Callable[[], EstimationTask], updates: int) -> None:
    task = make_task()
    with tempfile.TemporaryDirectory() as folder, Path(os.devnull).open("w") as nowhere:
        trainer = pl.Trainer(
            accelerator="cpu",
            max_epochs=updates // task.updates_per_step,
            enable_model_summary=False,
            logger=TensorBoardLogger(folder, default_hp_metric=False, max_queue=1000),
            plugins=[AtomicCheckpointIO()],
            profiler=NoProfiler(),
            callbacks=[
                GracefulStop(),
                FitHistory(),
                DivergenceDetection(),
                FitProgress(Console(file=nowhere, force_terminal=True)),
                FitCheckpoint(),
            ],
        )
        trainer.fit(task, _gaussian_data())


class NaiveThermometer(pl.LightningModule):
    """The module a first tutorial ends with."""

    def __init__(self) -> None:
        super().__init__()
        self.model = torch.nn.Linear(1, 1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        """Mean squared error, logged."""
        del batch_idx
        loss = torch.nn.functional.mse_loss(self.model(batch[0]), batch[1])
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        """Mean squared error, logged."""
        del batch_idx
        self.log("val_loss", torch.nn.functional.mse_loss(self.model(batch[0]), batch[1]))

    def configure_optimizers(self) -> SGD:
        """Plain SGD."""
        return SGD(self.parameters(), lr=1e-2)


def naive_fit(updates: int) -> None:
    """Trainer defaults: one batch an epoch, a bar for each epoch, validation and a checkpoint every epoch."""
    data = _thermometer_data()
    data.setup()
    train, validation = (
        DataLoader(TensorDataset(part.inputs[0].unsqueeze(1), part.target.unsqueeze(1)), batch_size=part.n)
        for part in (data.train, data.validation)
    )
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        trainer = pl.Trainer(accelerator="cpu", max_epochs=updates, default_root_dir=folder)
        trainer.fit(NaiveThermometer(), train, validation)


def by_hand(rule: type[AnalyticGradient] | type[AutogradGradient], block: int) -> EstimationTask:
    """Hand-written descent on the thermometer."""
    return HandWrittenDescent(
        LinearModel(), rule(), optimizer=partial(GradientDescent, lr=1e-2), updates_per_step=block
    )


def gaussian_by_hand(rule: type[AnalyticGradient] | type[AutogradGradient]) -> EstimationTask:
    """Hand-written descent on the Gaussian sample."""
    return HandWrittenDescent(
        GaussianModel(),
        rule(),
        NegativeLogLikelihood(),
        optimizer=partial(GradientDescent, lr=1e-7),
        updates_per_step=100,
    )


def rows() -> list[Row]:
    """All comparisons."""
    automatic = ThermometerRegression
    data = _thermometer_data
    hand = partial(by_hand, AnalyticGradient, 100)
    hand_autograd = partial(by_hand, AutogradGradient, 100)
    return [
        Row(
            "hand", "hand-written, analytic, blocks of 100, history every 50",
            lambda n: _fit(hand, data, n, 50), analytic_loop, 5000, 3.0, 1.5,
        ),
        Row(
            "hand-every", "hand-written, analytic, blocks of 100, every update recorded",
            lambda n: _fit(hand, data, n, 1), analytic_loop, 5000, None, 4.0,
        ),
        Row(
            "hand-autograd", "hand-written, autograd, blocks of 100, history every 50",
            lambda n: _fit(hand_autograd, data, n, 50), autograd_loop, 5000, 3.0, 1.5,
        ),
        Row(
            "sgd", "automatic, SGD, one update an epoch",
            lambda n: _fit(automatic, data, n, 50), autograd_loop, 5000, None, 4.5,
        ),
        Row(
            "sgd-blocks", "automatic, SGD, blocks of 100",
            lambda n: _fit(partial(automatic, updates_per_step=100), data, n, 50), autograd_loop, 5000, None, 2.0,
        ),
        Row(
            "gaussian-hand-autograd", "Gaussian, hand-written, autograd",
            lambda n: _gaussian_fit(partial(gaussian_by_hand, AutogradGradient), n), gaussian_autograd_loop,
            10_000, 1.1, None,
        ),
        Row(
            "gaussian-hand", "Gaussian, hand-written, analytic",
            lambda n: _gaussian_fit(partial(gaussian_by_hand, AnalyticGradient), n), gaussian_analytic_loop,
            10_000, 1.6, None,
        ),
        Row(
            "gaussian-blocks", "Gaussian, automatic, blocks of 100",
            lambda n: _gaussian_fit(partial(GaussianLocation, updates_per_step=100), n), gaussian_autograd_loop,
            10_000, 1.8, None,
        ),
        Row("naive", "naive LightningModule, Trainer defaults", naive_fit, autograd_loop, 300, None, None),
    ]  # fmt: skip


def seconds(work: Timed, updates: int) -> float:
    """How long the work takes."""
    start = time.perf_counter()
    work(updates)
    return time.perf_counter() - start


def compare(row: Row, rounds: int) -> tuple[float, float | None, float, float]:
    """Whole ratio, slope ratio, and what an update costs in the loop and in the fit, in microseconds."""
    lengths = [row.updates] if row.key.startswith("gaussian") else [row.updates, 5 * row.updates]
    taken: dict[tuple[str, int], list[float]] = {}
    row.fit(min(row.updates, 200))
    for _ in range(rounds):
        for updates in lengths:
            for name, work in (("loop", row.loop), ("fit", row.fit)):
                taken.setdefault((name, updates), []).append(seconds(work, updates))
    median = {key: statistics.median(values) for key, values in taken.items()}
    short, long = lengths[0], lengths[-1]
    whole = median["fit", short] / median["loop", short]
    if long == short:
        return whole, None, median["loop", short] / short * 1e6, median["fit", short] / short * 1e6
    loop = (median["loop", long] - median["loop", short]) / (long - short)
    fit = (median["fit", long] - median["fit", short]) / (long - short)
    return whole, fit / loop, loop * 1e6, fit * 1e6


def first_update(rounds: int) -> float:
    """Time of ``paramfit fit`` to its first update, over that of importing LightningCLI alone."""
    config = Path(__file__).parent.parent / "configs" / "thermometer" / "normalized.yaml"
    program = (
        "import os, sys; from paramfit.optimizers import BlockOptimizer as B; s = B.step;"
        "B.step = lambda self, closure: (s(self, closure), os._exit(0));"
        f"from paramfit.cli import main; main(['fit', '--config', {str(config)!r}])"
    )
    imports = "import os; from lightning.pytorch.cli import LightningCLI; os._exit(0)"
    taken: dict[str, list[float]] = {imports: [], program: []}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds + 1):
            for code, values in taken.items():
                start = time.perf_counter()
                subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, cwd=folder)
                if number:
                    values.append(time.perf_counter() - start)
    return statistics.median(taken[program]) / statistics.median(taken[imports])


def verdict(value: float | None, bound: float | None) -> str:
    """A ratio with its bound."""
    if value is None:
        return "-"
    if bound is None:
        return f"{value:.2f}"
    return f"{value:.2f} (≤ {bound:g}{'' if value <= bound else ', MISSED'})"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default=None, help="one row's key")
    chosen = parser.parse_args()
    warnings.filterwarnings("ignore")
    for name in ("lightning.pytorch", "lightning.pytorch.utilities.rank_zero"):
        logging.getLogger(name).setLevel(logging.ERROR)
    table = Table(
        title=f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}"
    )
    for column in ("comparison", "whole", "slope", "loop, µs an update", "fit, µs an update"):
        table.add_column(column, justify="left" if column == "comparison" else "right")
    for row in rows():
        if chosen.only in (None, row.key):
            whole, slope, loop, fit = compare(row, chosen.rounds)
            table.add_row(
                row.name, verdict(whole, row.whole_bound), verdict(slope, row.slope_bound), f"{loop:.0f}", f"{fit:.0f}"
            )
            print(f"{row.key}: whole {whole:.2f}, slope {slope if slope is None else round(slope, 2)}", flush=True)
    if chosen.only in (None, "start"):
        table.add_row(
            "first update over importing LightningCLI", verdict(first_update(chosen.rounds), 1.2), "-", "-", "-"
        )
    Console(width=130).print(table)


if __name__ == "__main__":
    main()
