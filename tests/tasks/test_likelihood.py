"""A user's own distribution under MaximumLikelihood."""

from functools import partial

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor, nn
from torch.distributions import Distribution, Gamma, Normal, Poisson
from torch.optim import LBFGS

from paramfit.data import EstimationDataModule, GaussianDataModule, ThermometerDataModule
from paramfit.errors import InputError
from paramfit.models import LinearModel
from paramfit.observations import Observations
from paramfit.tasks import MaximumLikelihood
from tests.tasks.conftest import MakeTrainer

converging = partial(LBFGS, line_search_fn="strong_wolfe", max_iter=50, tolerance_grad=1e-9)


class LocationAndScale(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.location = nn.Parameter(torch.tensor(0.0))
        self.log_scale = nn.Parameter(torch.tensor(0.0))

    def forward(self) -> Normal:
        return Normal(self.location, self.log_scale.exp())


class Counts(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.log_rate = nn.Parameter(torch.tensor(0.0))

    def forward(self) -> Poisson:
        return Poisson(self.log_rate.exp())


class Waiting(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.log_shape = nn.Parameter(torch.tensor(0.0))
        self.log_rate = nn.Parameter(torch.tensor(0.0))

    def forward(self) -> Gamma:
        return Gamma(self.log_shape.exp(), self.log_rate.exp())


class Drawn(EstimationDataModule):
    def __init__(self, values: np.ndarray) -> None:
        super().__init__()
        self.values = values

    def read(self) -> Observations:
        return Observations((), torch.from_numpy(self.values).double())


def fitted(model: nn.Module, data: EstimationDataModule, make_trainer: MakeTrainer) -> Distribution:
    make_trainer(3).fit(MaximumLikelihood(model, optimizer=converging), datamodule=data)
    found: Distribution = model()
    return found


def test_location_and_scale_are_the_samples_own(make_trainer: MakeTrainer) -> None:
    data = GaussianDataModule(n_obs=200, true_location=3.0, scale=2.0)

    found = fitted(LocationAndScale(), data, make_trainer)

    assert found.mean.item() == pytest.approx(np.mean(data.raw.target.numpy()), rel=1e-7)
    assert found.stddev.item() == pytest.approx(np.std(data.raw.target.numpy()), rel=1e-7)


def test_rate_of_counts_is_their_mean(make_trainer: MakeTrainer) -> None:
    counts = np.random.default_rng(0).poisson(4.2, size=100)

    assert fitted(Counts(), Drawn(counts), make_trainer).mean.item() == pytest.approx(counts.mean(), rel=1e-5)


def test_gamma_agrees_with_scipy(make_trainer: MakeTrainer) -> None:
    waiting = np.random.default_rng(0).gamma(2.5, 0.5, size=100)

    found = fitted(Waiting(), Drawn(waiting), make_trainer)

    shape, _, scale = stats.gamma.fit(waiting, floc=0)
    assert isinstance(found, Gamma)
    assert found.concentration.item() == pytest.approx(shape, rel=1e-5)
    assert found.rate.item() == pytest.approx(1 / scale, rel=1e-5)


def test_parameters_are_brought_to_float64() -> None:
    task = MaximumLikelihood(LocationAndScale())

    assert {parameter.dtype for parameter in task.model.parameters()} == {torch.float64}


def test_a_loaded_task_takes_the_users_module(make_trainer: MakeTrainer) -> None:
    task, trainer = MaximumLikelihood(LocationAndScale(), updates_per_step=3), make_trainer(2)
    trainer.fit(task, datamodule=GaussianDataModule(n_obs=20))
    trainer.save_checkpoint("location.ckpt")

    loaded = MaximumLikelihood.load_from_checkpoint("location.ckpt", model=LocationAndScale(), weights_only=True)

    assert all(map(torch.equal, loaded.model.parameters(), task.model.parameters()))
    assert loaded.updates == 6


def test_a_model_that_returns_no_distribution_is_refused(make_trainer: MakeTrainer) -> None:
    class Line(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.line = LinearModel()

        def forward(self, x: Tensor) -> Tensor:
            found: Tensor = self.line(x)
            return found

    with pytest.raises(InputError, match=r"Distribution, but got Tensor"):
        make_trainer().fit(MaximumLikelihood(Line()), datamodule=ThermometerDataModule())
