"""Which checkpoints, which data and which model a task takes."""

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam

from paramfit import InputError, ThermometerDataModule
from paramfit.data.normalization import FixedScale, Normalization, Standardize
from paramfit.models import DistributionModel, FormulaModel, FunctionModel, GaussianModel, PolynomialModel
from paramfit.tasks import LeastSquares, Regression, ThermometerRegression
from paramfit.tasks.checkpoint_compatibility import check_checkpoint, check_identity, described
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
def test_a_model_that_decodes_the_numbers_otherwise_is_refused(case):
    before, now, words = DIFFERENT[case]
    with pytest.raises(InputError, match=words):
        check_identity(described(before), now)
    check_identity(described(before), before)
    check_identity(described(now), now)


def test_starts_units_and_spaces_may_differ():
    before = enzyme({**LOWER, "unit": "mM"})
    check_identity(described(before), enzyme({"start": 7.0, "lower": 0.0}, "v*s/(km+s+i)"))


def test_of_a_module_its_class_is_known_wherever_a_script_holds_it():
    assert described(nn.Linear(1, 1)) == {"class": "torch.nn.modules.linear.Linear"}
    check_identity({"class": "__main__.Linear"}, nn.Linear(1, 1))
    with pytest.raises(InputError, match="the model was"):
        check_identity({"class": "__main__.Curve"}, nn.Linear(1, 1))
