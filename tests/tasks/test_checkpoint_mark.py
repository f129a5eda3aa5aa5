"""Which checkpoints and which data a task takes."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam

from paramfit import (
    DistributionModel,
    FormulaModel,
    FunctionModel,
    GaussianModel,
    InputError,
    PolynomialModel,
    ThermometerDataModule,
)
from paramfit.data.normalization import FixedScale, Standardize
from paramfit.tasks import EstimationTask, LeastSquares, Regression, ThermometerRegression
from paramfit.tasks.checkpoint_mark import check_checkpoint
from paramfit.tasks.same_model import check_same_model, described
from tests.tasks.conftest import MakeTrainer


@pytest.fixture
def checkpoint(make_trainer: MakeTrainer) -> dict[str, Any]:
    """What a fit with SGD, learning rate 0.01 and blocks of 2 leaves behind."""
    trainer = make_trainer(1)
    data = ThermometerDataModule(normalization=FixedScale(0.1))
    trainer.fit(sgd(), datamodule=data)
    trainer.save_checkpoint("fit.ckpt")
    return torch.load("fit.ckpt", weights_only=True)


def sgd(updates: int = 2, **options: Any) -> ThermometerRegression:
    return ThermometerRegression(optimizer=partial(SGD, **{"lr": 0.01, **options}), updates_per_step=updates)


@pytest.mark.parametrize(
    ("task", "complaint"),
    [
        (sgd(lr=0.02), r"model\.optimizer\.lr.*0\.01.*0\.02"),
        (sgd(momentum=0.9), r"model\.optimizer\.momentum.*0\.9"),
        (sgd(updates=3), r"model\.updates_per_step.*2.*3"),
        (ThermometerRegression(optimizer=partial(Adam, lr=0.01), updates_per_step=2), "made with SGD.*Adam"),
    ],
    ids=["learning rate", "momentum", "block size", "optimizer"],
)
def test_updates_made_another_way_are_refused_on_resume_and_not_on_evaluation(
    task: ThermometerRegression, complaint: str, checkpoint: dict[str, Any]
) -> None:
    with pytest.raises(InputError, match=complaint):
        check_checkpoint(task, checkpoint, resuming=True)
    check_checkpoint(task, checkpoint, resuming=False)
    check_checkpoint(sgd(), checkpoint, resuming=True)


def test_another_model_is_refused_naming_both(checkpoint: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"another model: it has weight \(\), bias \(\), the configuration coeff"):
        check_checkpoint(Regression(PolynomialModel(2)), checkpoint, resuming=False)


@pytest.mark.parametrize("resuming", [True, False])
def test_the_same_names_with_other_bounds_are_refused(resuming: bool, checkpoint: dict[str, Any]) -> None:
    checkpoint["paramfit"]["model"]["parameters"]["weight"]["lower"] = 0.0
    task = sgd()
    with pytest.raises(InputError, match="weight was fitted with lower 0, this configuration has no bounds"):
        check_checkpoint(task, checkpoint, resuming=resuming)


def test_a_foreign_checkpoint_is_refused(checkpoint: dict[str, Any]) -> None:
    del checkpoint["paramfit"]
    with pytest.raises(InputError, match="not made by paramfit"):
        check_checkpoint(ThermometerRegression(), checkpoint, resuming=False)


def proportional(x: Tensor, factor: Tensor) -> Tensor:
    return factor * x


def formula() -> FormulaModel:
    return FormulaModel("factor * x", ["x"], {"factor": 1.0})


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


def decay(t: Tensor, rate: Tensor) -> Tensor:
    return torch.exp(-rate * t)


def growth(t: Tensor, rate: Tensor) -> Tensor:
    return torch.exp(rate * t)


def enzyme(km: dict[str, Any], text: str = "v * s / (km + s + i)", variables: tuple[str, ...] = ("s", "i")) -> Any:
    return FormulaModel(text, variables, {"v": 1.0, "km": km})


def of_function(function: Any, **rate: Any) -> nn.Module:
    return FunctionModel(function, ["t"], {"rate": {"start": 1.0, **rate}})


def gamma(kind: str = "Gamma", rate: Any = "exp(a)") -> nn.Module:
    return DistributionModel(f"torch.distributions.{kind}", {"concentration": 1.0, "rate": rate}, {"a": 0.0})


LOWER = {"start": 1.0, "lower": 0}
AS_IT_WAS = "this configuration has"
DIFFERENT = {
    "bound": (enzyme(LOWER), enzyme({**LOWER, "upper": 10}), f"km was fitted with lower 0, {AS_IT_WAS} lower 0 and"),
    "no bound": (enzyme({"start": 1.0}), enzyme(LOWER), f"km was fitted with no bounds, {AS_IT_WAS} lower 0"),
    "fixed": (enzyme(LOWER), enzyme({**LOWER, "fixed": True}), f"fitted with lower 0, {AS_IT_WAS} the fixed value 1"),
    "other value": (
        enzyme({"start": 1.0, "fixed": True}),
        enzyme({"start": 2.0, "fixed": True}),
        f"the fixed value 1, {AS_IT_WAS} the fixed value 2",
    ),
    "formula": (enzyme(LOWER), enzyme(LOWER, "v * s / (km + s**2 + i)"), r"the formula was v \* s / \(km \+ s \+ i\)"),
    "order": (enzyme(LOWER), enzyme(LOWER, variables=("i", "s")), f"variables was s, i in the fit, {AS_IT_WAS} i, s"),
    "function": (of_function(decay), of_function(growth), r"the function was .*\.decay in the fit"),
    "bound of a function's": (of_function(decay, lower=0), of_function(decay), "rate was fitted with lower 0"),
    "bound of a location": (
        GaussianModel(location={"start": 1.0, "lower": 0}),
        GaussianModel(),
        "location was fitted with lower 0",
    ),
    "distribution": (gamma(), gamma("InverseGamma"), r"the distribution was torch\.distributions\.gamma\.Gamma"),
    "argument": (gamma(), gamma(rate="exp(2*a)"), r"concentration = concentration, rate = exp\(a\) in the fit"),
    "class": (enzyme(LOWER), of_function(decay), r"the model was paramfit\.models\.formula\.FormulaModel"),
}


@pytest.mark.parametrize("case", DIFFERENT)
def test_a_model_that_decodes_the_numbers_otherwise_is_refused(case: str) -> None:
    before, now, words = DIFFERENT[case]
    with pytest.raises(InputError, match=words):
        check_same_model(described(before), now)
    check_same_model(described(before), before)
    check_same_model(described(now), now)


def test_starts_units_and_spaces_may_differ() -> None:
    before = enzyme({**LOWER, "unit": "mM"})
    check_same_model(described(before), enzyme({"start": 7.0, "lower": 0.0}, "v*s/(km+s+i)"))


def test_of_a_module_its_class_is_known_wherever_a_script_holds_it() -> None:
    assert described(nn.Linear(1, 1)) == {"class": "torch.nn.modules.linear.Linear"}
    check_same_model({"class": "__main__.Linear"}, nn.Linear(1, 1))
    with pytest.raises(InputError, match="the model was"):
        check_same_model({"class": "__main__.Curve"}, nn.Linear(1, 1))
