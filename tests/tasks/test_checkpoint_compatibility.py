"""Which checkpoints and which data a task takes."""

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.optim import SGD, Adam

from paramfit import FormulaModel, FunctionModel, InputError, PolynomialModel, ThermometerDataModule
from paramfit.data.normalization import FixedScale, Normalization, Standardize
from paramfit.tasks import LeastSquares, Regression, ThermometerRegression
from paramfit.tasks.checkpoint_compatibility import check_checkpoint
from tests.tasks.conftest import MakeTrainer


@pytest.fixture
def checkpoint(make_trainer: MakeTrainer) -> dict[str, Any]:
    """What a fit with SGD, learning rate 0.01 and blocks of 2 leaves behind."""
    trainer = make_trainer(1)
    data = ThermometerDataModule(normalization=FixedScale(0.1))
    trainer.fit(ThermometerRegression(optimizer=partial(SGD, lr=0.01), updates_per_step=2), datamodule=data)
    trainer.save_checkpoint("fit.ckpt")
    return torch.load("fit.ckpt", weights_only=True)


@pytest.mark.parametrize(("make_task", "complaint"), [
    pytest.param(
        partial(ThermometerRegression, optimizer=partial(SGD, lr=0.02), updates_per_step=2),
        r"model\.optimizer\.lr.*0\.01.*0\.02",
        id="learning-rate",
    ),
    pytest.param(
        partial(ThermometerRegression, optimizer=partial(SGD, lr=0.01, momentum=0.9), updates_per_step=2),
        r"model\.optimizer\.momentum.*0\.9",
        id="momentum",
    ),
    pytest.param(
        partial(ThermometerRegression, optimizer=partial(SGD, lr=0.01), updates_per_step=3),
        r"model\.updates_per_step.*2.*3",
        id="block-size",
    ),
    pytest.param(
        partial(ThermometerRegression, optimizer=partial(Adam, lr=0.01), updates_per_step=2),
        r"made with SGD.*Adam",
        id="optimizer",
    ),
])  # fmt: skip
def test_updates_made_another_way_are_refused_on_resume_and_not_on_evaluation(make_task, complaint, checkpoint):
    with pytest.raises(InputError, match=complaint):
        check_checkpoint(make_task(), checkpoint, resuming=True)
    check_checkpoint(make_task(), checkpoint, resuming=False)


def test_another_model_is_refused_naming_both(checkpoint):
    with pytest.raises(InputError, match=r"another model: it has weight \(\), bias \(\), the configuration coeff"):
        check_checkpoint(Regression(PolynomialModel(2)), checkpoint, resuming=False)


@pytest.mark.parametrize("resuming", [True, False])
def test_the_same_names_with_other_bounds_are_refused(resuming, checkpoint):
    checkpoint["paramfit"]["model"]["parameters"]["weight"]["lower"] = 0.0
    task = ThermometerRegression(optimizer=partial(SGD, lr=0.01), updates_per_step=2)
    with pytest.raises(InputError, match="weight was fitted with lower 0, this configuration has no bounds"):
        check_checkpoint(task, checkpoint, resuming=resuming)


def test_a_checkpoint_of_an_older_version_is_refused_in_one_line(checkpoint):
    del checkpoint["paramfit"]["format"]
    with pytest.raises(InputError, match="written by another version of paramfit and cannot be read; fit again"):
        check_checkpoint(ThermometerRegression(), checkpoint, resuming=False)


def test_a_foreign_checkpoint_is_refused(checkpoint):
    del checkpoint["paramfit"]
    with pytest.raises(InputError, match="not made by paramfit"):
        check_checkpoint(ThermometerRegression(), checkpoint, resuming=False)


def proportional(x: Tensor, factor: Tensor) -> Tensor:
    return factor * x


def formula() -> FormulaModel:
    return FormulaModel("factor * x", ["x"], {"factor": 1.0})


def read(normalization: Normalization) -> ThermometerDataModule:
    data = ThermometerDataModule(normalization=normalization)
    data.setup()
    return data


@pytest.mark.parametrize("task", [LeastSquares, Regression])
@pytest.mark.parametrize(
    ("make", "kind"),
    [(formula, "formula"), (lambda: FunctionModel(proportional, parameters={"factor": 1.0}), "function")],
    ids=["formula", "function"],
)
def test_a_fit_in_other_units_than_the_formulas_is_refused(task, make, kind, make_trainer):
    model: Any = make()
    before = model.factor.item()
    refusal = rf"^data\.normalization: the {kind} is meant in the data's own units.*leave it out"
    data = ThermometerDataModule(normalization=Standardize(), dtype="float64")
    with pytest.raises(InputError, match=refusal):
        make_trainer(3).fit(task(model=model), datamodule=data)  # type: ignore[call-arg]  # of the two tasks
    assert model.factor.item() == before
