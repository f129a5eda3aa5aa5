"""Maximum likelihood by Newton that was stopped and resumed ends where it would have ended, bit for bit."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch import Callback
from torch import Tensor, nn
from torch.distributions import Laplace

from paramfit import DistributionModel, EstimationDataModule, MaximumLikelihood, Newton, Observations
from tests.tasks.interrupted import SignalAt, assert_same, fitted

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
    "gamma by its Hessian": (lambda: MaximumLikelihood(gamma(), optimizer=partial(Newton, expected=False)), waiting),
    "a module": (lambda: MaximumLikelihood(Heavy()), counts),
}


def run(
    kind: str, folder: Path, *extra: Callback, task: MaximumLikelihood | None = None, **settings: Any
) -> tuple[MaximumLikelihood, Path]:
    make_task, make_data = TASKS[kind]
    return fitted(make_task() if task is None else task, make_data(), folder, *extra, **settings)


@pytest.mark.parametrize("batch", [1, 2, BATCHES, BATCHES + 1, 2 * BATCHES + 3])
@pytest.mark.parametrize("kind", TASKS)
def test_a_signal_at_any_batch_then_resumed_gives_the_same_bits(kind, batch, tmp_path):
    whole, _ = run(kind, tmp_path)
    assert whole.stop.status.value == "converged"
    stopped, checkpoint = run(kind, tmp_path, SignalAt(batch))
    assert stopped.updates == batch // BATCHES
    resumed, _ = run(kind, tmp_path, resume=checkpoint)
    assert_same(resumed, whole)
