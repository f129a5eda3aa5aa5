"""Formulas and functions under every task that takes a prediction."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.optim import LBFGS

from paramfit.data.gaussian import GaussianDataModule
from paramfit.data.normalization import FixedScale
from paramfit.data.thermometer import ThermometerDataModule
from paramfit.gradients import AnalyticGradient, AutogradGradient, GradientRule, NumericalGradient
from paramfit.models import FormulaModel, FunctionModel, LinearModel, ParametricModel
from paramfit.optimizers import GradientDescent
from paramfit.tasks import HandWrittenDescent, Regression
from tests.tasks.conftest import MakeTrainer


def line(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return weight * (0.1 * x) + bias


STARTS = {"weight": 1.0, "bias": 0.0}
LINES: dict[str, Callable[[], ParametricModel]] = {
    "formula": lambda: FormulaModel("weight * (0.1 * x) + bias", ["x"], STARTS),
    "function": lambda: FunctionModel(line, ["x"], STARTS),
}
EACH = pytest.mark.parametrize("make", LINES.values(), ids=LINES)
EXACT = partial(LBFGS, lr=1.0, max_iter=60, line_search_fn="strong_wolfe", tolerance_grad=1e-12, tolerance_change=0)


def thermometer() -> ThermometerDataModule:
    return ThermometerDataModule(dtype="float64")


def scaled() -> ThermometerDataModule:
    return ThermometerDataModule(normalization=FixedScale(0.1), dtype="float64")


@EACH
@pytest.mark.parametrize(
    "rule", [AnalyticGradient(), AutogradGradient(), NumericalGradient(0.1)], ids=["analytic", "autograd", "numerical"]
)
def test_descent_by_hand_goes_the_way_of_the_line(
    make: Callable[[], ParametricModel], rule: GradientRule, make_trainer: MakeTrainer
) -> None:
    mine, known = make(), LinearModel(dtype="float64")
    for model, data in ((mine, thermometer()), (known, scaled())):  # a formula holds its scale itself
        task = HandWrittenDescent(model, rule, optimizer=partial(GradientDescent, lr=1e-2))
        make_trainer(10).fit(task, datamodule=data)
    for name in STARTS:
        assert getattr(mine, name).item() == pytest.approx(getattr(known, name).item(), rel=1e-10)


@EACH
def test_regression_finds_numpys_line(make: Callable[[], ParametricModel], make_trainer: MakeTrainer) -> None:
    model, data = make(), thermometer()
    make_trainer(3).fit(Regression(model, optimizer=EXACT), datamodule=data)
    weight, bias = np.polyfit(0.1 * data.train.inputs[0].numpy(), data.train.target.numpy(), 1)
    assert model.weight.item() == pytest.approx(weight, rel=1e-7)
    assert model.bias.item() == pytest.approx(bias, rel=1e-7)


def test_regression_on_a_constant_without_inputs_finds_the_mean(make_trainer: MakeTrainer) -> None:
    model, data = FormulaModel("mu", [], {"mu": {"start": 1.0, "lower": -50}}), GaussianDataModule()
    make_trainer(3).fit(Regression(model, optimizer=EXACT), datamodule=data)
    assert model.natural("mu").item() == pytest.approx(data.train.target.mean().item(), rel=1e-7)


@EACH
def test_checkpoint_reloads_into_a_new_model(make: Callable[[], ParametricModel], make_trainer: MakeTrainer) -> None:
    model = make()
    trainer = make_trainer(2)
    trainer.fit(Regression(model), datamodule=thermometer())
    trainer.save_checkpoint("fitted.ckpt")
    saved = torch.load("fitted.ckpt", weights_only=True)["state_dict"]
    again = Regression(make())
    again.load_state_dict(saved)
    x = torch.linspace(0, 5, 4, dtype=torch.float64)
    assert not torch.equal(make()(x), model(x))
    assert torch.equal(again.model(x), model(x))
