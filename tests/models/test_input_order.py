"""Input columns that have the variables' names."""

import pytest
from torch import nn

from paramfit.errors import InputError
from paramfit.models import DistributionModel, FormulaModel, FunctionModel, check_input_order

MODELS = {
    "formula": FormulaModel("a * c / t", ["c", "t"], {"a": 1.0}),
    "function": FunctionModel(lambda c, t, a: a * c / t, ["c", "t"], {"a": 1.0}),
    "distribution": DistributionModel("torch.distributions.Poisson", {"rate": "exp(a*c/t)"}, {"a": 0.0}, ["c", "t"]),
}


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_the_same_names_in_another_order_are_refused(model: nn.Module) -> None:
    with pytest.raises(InputError, match=r"^inputs: the columns are t, c, but the model's variables are c, t"):
        check_input_order(model, ["t", "c"])


@pytest.mark.parametrize("inputs", [["c", "t"], ["conc", "temp"], ["t", "x"], ["t"]])
@pytest.mark.parametrize("model", [*MODELS.values(), nn.Linear(2, 1)], ids=[*MODELS, "module"])
def test_other_names_are_matched_by_position(model: nn.Module, inputs: list[str]) -> None:
    check_input_order(model, inputs)
