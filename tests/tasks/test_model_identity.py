"""A checkpoint's numbers are unconstrained: they mean something beside their bounds and formula alone."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from paramfit import DistributionModel, FormulaModel, FunctionModel, GaussianModel, InputError
from paramfit.tasks.checkpoint_compatibility import check_identity, described


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
