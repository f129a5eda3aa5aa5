"""A user's own model under Regression."""

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.optim import LBFGS

from paramfit import EstimationDataModule, FixedScale, InputError, Observations, Regression, ThermometerDataModule


class Parabola(nn.Module):
    """Knows nothing of paramfit; its parameter is a vector."""

    def __init__(self) -> None:
        super().__init__()
        self.coefficients = nn.Parameter(torch.zeros(3, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return self.coefficients[0] + self.coefficients[1] * x + self.coefficients[2] * x.square()


class Plane(nn.Module):
    """Takes two input columns."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 1, dtype=torch.float64)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.layer(torch.stack([x, y], dim=-1)).squeeze(-1)


class ColumnOfPredictions(nn.Module):
    """The classic slip: ``(n, 1)`` where ``(n,)`` is meant."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x.unsqueeze(-1))


class Points(EstimationDataModule):
    def read(self) -> Observations:
        generator = np.random.default_rng(3)
        x, y, noise = generator.normal(size=(3, 30))
        return Observations((torch.from_numpy(x), torch.from_numpy(y)), torch.from_numpy(1 + 2 * x - 3 * y + noise))


def converging() -> Any:
    return partial(LBFGS, line_search_fn="strong_wolfe", tolerance_grad=1e-10, max_iter=50)


def test_a_users_module_with_a_vector_parameter_is_fitted(make_trainer):
    model = Parabola()
    data = ThermometerDataModule(normalization=FixedScale(0.01), dtype="float64")
    make_trainer(5).fit(Regression(model, optimizer=converging()), datamodule=data)
    expected = np.polyfit(data.train.inputs[0].numpy(), data.train.target.numpy(), 2)[::-1]
    assert model.coefficients.tolist() == pytest.approx(expected, rel=1e-5)


def test_a_users_module_of_two_inputs_is_fitted(make_trainer):
    model, data = Plane(), Points()
    make_trainer(3).fit(Regression(model, optimizer=converging()), datamodule=data)
    design = np.column_stack([*(column.numpy() for column in data.raw.inputs), np.ones(30)])
    expected = np.linalg.lstsq(design, data.raw.target.numpy(), rcond=None)[0]
    assert [*model.layer.weight.reshape(-1).tolist(), model.layer.bias.item()] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("command", ["fit", "validate", "test", "predict"])
@pytest.mark.parametrize("batch_size", [None, 4], ids=["full-batch", "mini-batches"])
def test_a_column_of_predictions_is_refused_naming_both_shapes(command, batch_size, make_trainer):
    data = ThermometerDataModule(batch_size=batch_size)
    n = 4 if batch_size and command == "fit" else 11
    with pytest.raises(InputError, match=rf"\({n}, 1\).*\({n},\)"):
        getattr(make_trainer(), command)(Regression(ColumnOfPredictions()), datamodule=data)


def test_a_loaded_task_takes_the_users_module(make_trainer):
    trainer, task = make_trainer(2), Regression(Parabola(), updates_per_step=2)
    trainer.fit(task, datamodule=ThermometerDataModule(normalization=FixedScale(0.01), dtype="float64"))
    trainer.save_checkpoint("parabola.ckpt")
    loaded = Regression.load_from_checkpoint("parabola.ckpt", model=Parabola(), weights_only=True)
    assert torch.equal(loaded.model.coefficients, task.model.coefficients)
    assert (loaded.updates, loaded.updates_per_step) == (4, 2)
