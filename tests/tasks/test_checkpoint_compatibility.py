"""Which checkpoints and which data a task takes."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam

from paramfit.data.normalization import FixedScale, Normalization, Standardize
from paramfit.data.thermometer import ThermometerDataModule
from paramfit.errors import InputError
from paramfit.models import FormulaModel, FunctionModel, LinearModel, PolynomialModel
from paramfit.tasks import EstimationTask, LeastSquares, Regression, ThermometerRegression
from paramfit.tasks.checkpoint_compatibility import check_checkpoint, check_units
from tests.tasks.conftest import MakeTrainer


@pytest.fixture
def checkpoint(make_trainer: MakeTrainer) -> dict[str, Any]:
    """What a fit with SGD, learning rate 0.01 and blocks of 2 leaves behind."""
    trainer = make_trainer(1)
    data = ThermometerDataModule(normalization=FixedScale(0.1))
    trainer.fit(ThermometerRegression(optimizer=partial(SGD, lr=0.01), updates_per_step=2), datamodule=data)
    trainer.save_checkpoint("fit.ckpt")
    found: dict[str, Any] = torch.load("fit.ckpt", weights_only=True)
    return found


@pytest.mark.parametrize(
    ("make_task", "complaint"),
    [
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
    ],
)
def test_updates_made_another_way_are_refused_on_resume_and_not_on_evaluation(
    make_task: Callable[[], EstimationTask], complaint: str, checkpoint: dict[str, Any]
) -> None:
    with pytest.raises(InputError, match=complaint):
        check_checkpoint(make_task(), checkpoint, resuming=True)
    check_checkpoint(make_task(), checkpoint, resuming=False)


def test_the_same_task_is_taken(checkpoint: dict[str, Any]) -> None:
    task = ThermometerRegression(optimizer=partial(SGD, lr=0.01), updates_per_step=2)

    check_checkpoint(task, checkpoint, resuming=True)


def test_another_model_is_refused_naming_both(checkpoint: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"another model: it has weight \(\), bias \(\), the configuration coeff"):
        check_checkpoint(Regression(PolynomialModel(2)), checkpoint, resuming=False)


@pytest.mark.parametrize("resuming", [True, False])
def test_the_same_names_with_other_bounds_are_refused(resuming: bool, checkpoint: dict[str, Any]) -> None:
    checkpoint["paramfit"]["model"]["parameters"]["weight"]["lower"] = 0.0
    task = ThermometerRegression(optimizer=partial(SGD, lr=0.01), updates_per_step=2)

    with pytest.raises(InputError, match="weight was fitted with lower 0, this configuration has no bounds"):
        check_checkpoint(task, checkpoint, resuming=resuming)


def test_a_checkpoint_of_an_older_version_is_refused_in_one_line(checkpoint: dict[str, Any]) -> None:
    del checkpoint["paramfit"]["format"]

    with pytest.raises(InputError, match="written by another version of paramfit and cannot be read; fit again"):
        check_checkpoint(ThermometerRegression(), checkpoint, resuming=False)


def test_a_foreign_checkpoint_is_refused(checkpoint: dict[str, Any]) -> None:
    del checkpoint["paramfit"]

    with pytest.raises(InputError, match="not made by paramfit"):
        check_checkpoint(ThermometerRegression(), checkpoint, resuming=False)


def proportional(x: Tensor, factor: Tensor) -> Tensor:
    return factor * x


class OfTheirOwn(nn.Linear):
    """A module of which nobody knows what its input means."""


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
def test_a_fit_in_other_units_than_the_formulas_is_refused(
    task: type[EstimationTask], make: Callable[[], nn.Module], kind: str, make_trainer: MakeTrainer
) -> None:
    model: Any = make()
    before = model.factor.item()
    refusal = rf"^data\.normalization: the {kind} is meant in the data's own units.*leave it out"
    data = ThermometerDataModule(normalization=Standardize(), dtype="float64")
    with pytest.raises(InputError, match=refusal):
        make_trainer(3).fit(task(model=model), datamodule=data)  # type: ignore[call-arg]  # of the two tasks
    assert model.factor.item() == before


def test_the_refusal_tells_what_would_have_been_fitted_on() -> None:
    with pytest.raises(InputError, match=r"\(input - 0\) \* 0\.1"):
        check_units(formula(), read(FixedScale(0.1)))


def test_a_normalization_that_changes_nothing_is_no_matter() -> None:
    check_units(formula(), read(FixedScale(1.0)))


@pytest.mark.parametrize(
    "model", [LinearModel(), PolynomialModel(2), OfTheirOwn(1, 1)], ids=["line", "polynomial", "module"]
)
def test_other_models_take_normalised_inputs(model: nn.Module) -> None:
    check_units(model, read(Standardize()))
