"""Maximum likelihood by Newton that was stopped and resumed ends where it would have ended, bit for bit."""

import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from torch import Tensor, nn
from torch.distributions import Laplace

from paramfit.callbacks import AtomicCheckpointIO, DivergenceDetection, FitCheckpoint, GracefulStop
from paramfit.data import EstimationDataModule
from paramfit.errors import InputError
from paramfit.models import DistributionModel
from paramfit.observations import Observations
from paramfit.optimizers import Newton
from paramfit.tasks import MaximumLikelihood

BATCHES = 4  # 50 rows in batches of 16
X = np.linspace(-1, 2, 50)


class Table(EstimationDataModule):
    """Rows in memory."""

    def __init__(self, target: np.ndarray, *inputs: np.ndarray) -> None:
        super().__init__(batch_size=16, shuffle=True, seed=3)
        self.target, self.inputs = target, inputs

    def read(self) -> Observations:
        return Observations(tuple(map(torch.from_numpy, self.inputs)), torch.from_numpy(self.target))


class Heavy(nn.Module):
    """A user's own likelihood, of whose curvature nothing is known but what autograd finds."""

    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(3.0, dtype=torch.float64))

    def forward(self, x: Tensor) -> Laplace:
        return Laplace(0.5 * x, self.log_scale.exp())


def poisson() -> DistributionModel:
    return DistributionModel(
        "torch.distributions.Poisson", {"rate": "exp(a + b*x)"}, coefficients={"a": 4.0, "b": -2.0}
    )


def gamma() -> DistributionModel:
    return DistributionModel("torch.distributions.Gamma", {"concentration": 30.0, "rate": 0.1})


def counts() -> Table:
    return Table(np.random.default_rng(1).poisson(np.exp(0.5 + 0.8 * X)).astype(float), X)


def waiting() -> Table:
    return Table(np.random.default_rng(0).gamma(2.5, 0.5, 50))


Part = tuple[Callable[[], MaximumLikelihood], Callable[[], Table]]
TASKS: dict[str, Part] = {
    "Poisson regression": (lambda: MaximumLikelihood(poisson()), counts),
    "gamma": (lambda: MaximumLikelihood(gamma()), waiting),
    "gamma by its Hessian": (
        lambda: MaximumLikelihood(gamma(), optimizer=partial(Newton, expected=False)),
        waiting,
    ),
    "a module": (lambda: MaximumLikelihood(Heavy()), counts),
}


class SignalAt(Callback):
    """Send the process a signal while training batch number ``batch`` (from 1) of the whole fit is under way."""

    def __init__(self, batch: int) -> None:
        self.batch, self.seen = batch, 0

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        self.seen += 1
        if self.seen == self.batch:
            os.kill(os.getpid(), signal.SIGTERM)


def run(
    kind: str, folder: Path, *extra: Callback, resume: Path | None = None, task: MaximumLikelihood | None = None,
    **settings: Any,
) -> tuple[MaximumLikelihood, Path]:  # fmt: skip
    make_task, make_data = TASKS[kind]
    task = make_task() if task is None else task
    trainer = Trainer(
        accelerator="cpu",
        logger=TensorBoardLogger(folder, name="", default_hp_metric=False),
        callbacks=[GracefulStop(), DivergenceDetection(), *extra, FitCheckpoint()],
        plugins=[AtomicCheckpointIO()],
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        **{"max_epochs": 200, **settings},
    )
    trainer.fit(task, make_data(), ckpt_path=resume)
    assert trainer.log_dir is not None
    return task, Path(trainer.log_dir) / "checkpoints" / "last.ckpt"


def assert_same(one: MaximumLikelihood, other: MaximumLikelihood) -> None:
    assert one.updates == other.updates
    assert one.stop == other.stop
    for mine, theirs in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(mine, theirs)


@pytest.mark.parametrize("batch", [1, 2, BATCHES, BATCHES + 1, 2 * BATCHES + 3])
@pytest.mark.parametrize("kind", TASKS)
def test_a_signal_at_any_batch_then_resumed_gives_the_same_bits(kind: str, batch: int, tmp_path: Path) -> None:
    whole, _ = run(kind, tmp_path)
    assert whole.stop is not None
    assert whole.stop.status.value == "converged"
    stopped, checkpoint = run(kind, tmp_path, SignalAt(batch))
    assert stopped.updates == batch // BATCHES
    resumed, _ = run(kind, tmp_path, resume=checkpoint)
    assert_same(resumed, whole)


@pytest.mark.parametrize("kind", TASKS)
def test_a_shorter_fit_prolonged_gives_the_same_bits(kind: str, tmp_path: Path) -> None:
    whole, _ = run(kind, tmp_path)
    short, checkpoint = run(kind, tmp_path, max_epochs=3)
    assert short.stop is None
    resumed, _ = run(kind, tmp_path, resume=checkpoint)
    assert_same(resumed, whole)


def test_a_converged_fit_resumed_stays_where_it_is(tmp_path: Path) -> None:
    whole, checkpoint = run("gamma", tmp_path)
    resumed, _ = run("gamma", tmp_path, resume=checkpoint)
    assert_same(resumed, whole)


def test_a_checkpoint_with_another_tolerance_is_not_resumed(tmp_path: Path) -> None:
    _, checkpoint = run("gamma", tmp_path, max_epochs=1)
    other = MaximumLikelihood(gamma(), optimizer=partial(Newton, tolerance=1e-3))
    with pytest.raises(InputError, match=r"model\.optimizer\.tolerance"):
        run("gamma", tmp_path, resume=checkpoint, task=other)
