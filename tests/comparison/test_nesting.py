"""Models within models, by algebra and by fitting one to the other's predictions."""

import math
from typing import Any

import pytest
import torch
from torch import nn

from paramfit.comparison.nesting import Nesting, find_nesting, undetermined_among
from paramfit.comparison.nesting_by_fit import containment
from paramfit.comparison.symbolic_model import SymbolicModel
from paramfit.models import FormulaModel
from paramfit.results.provenance import ModelDescription, ParameterDescription

FREE = ParameterDescription()


def formula(text: str, parameters: str | dict[str, Any], variables: str = "x") -> SymbolicModel:
    given = parameters if isinstance(parameters, dict) else dict.fromkeys(parameters.split(), FREE)
    return SymbolicModel(ModelDescription("", text, variables=tuple(variables), parameters=given), list(variables))


def distribution(kind: str, free: str = "", variables: str = "", **formulas: str) -> SymbolicModel:
    names = free.split() or list(formulas)
    described = ModelDescription(
        "",
        distribution=f"torch.distributions.{kind}",
        formulas=formulas,
        variables=tuple(variables),
        parameters=dict.fromkeys(names, FREE),
    )
    return SymbolicModel(described, list(variables))


def nested(smaller: SymbolicModel, larger: SymbolicModel) -> Nesting | None:
    return find_nesting(smaller, larger, dict.fromkeys(smaller.free, 0.7))


REGULAR = [
    (formula("a*exp(-b*x)", "a b"), formula("a*exp(-b*x) + c", "a b c"), "c = 0"),
    (formula("a*exp(-x/t)", "a t"), formula("a*exp(-b*x) + c", "a b c"), "b = 1/t, c = 0"),
    (formula("h*x", "h"), formula("a*x^k", "a k"), "a = h, k = 1"),
    (formula("a*x^2", "a"), formula("a*x^k + c", "a k c"), "k = 2, c = 0"),
    (formula("a*x^k", {"a": FREE, "k": ParameterDescription(1.5)}), formula("a*x^k", "a k"), "k = 1.5"),
    (formula("a*(x + z)", "a", "xz"), formula("a*x + b*z", "a b", "xz"), "b = a"),
    (formula("a + b*x", "a b"), formula("a + b*x + c*z", "a b c", "xz"), "c = 0"),
    (distribution("Poisson", "a", rate="exp(a)"), distribution("Poisson", "a b", "x", rate="exp(a + b*x)"), "b = 0"),
    (distribution("Poisson", rate="rate"), distribution("Poisson", "a b", "x", rate="exp(a + b*x)"),
        "a = log(rate), b = 0"),
    (distribution("Bernoulli", probs="probs"), distribution("Bernoulli", "a b", "x", logits="a + b*x"),
        "a = logit(probs), b = 0"),
    (distribution("Exponential", rate="rate"), distribution("Gamma", concentration="concentration", rate="rate"),
        "concentration = 1"),
    (distribution("Exponential", rate="rate"), distribution("Weibull", scale="scale", concentration="concentration"),
        "scale = 1/rate, concentration = 1"),
]  # fmt: skip


@pytest.mark.parametrize(("smaller", "larger", "how"), REGULAR, ids=[how for *_, how in REGULAR])
def test_what_makes_the_larger_model_the_smaller_is_found(smaller, larger, how):
    assert nested(smaller, larger) == Nesting(how)


@pytest.mark.parametrize(
    ("smaller", "larger"),
    [
        (formula("a*exp(-b*x)", "a b"), formula("a + b*x + c*x^2", "a b c")),
        (formula("a + b*z", "a b", "z"), formula("a + b*x + c*x^2", "a b c")),
        (formula("a*abs(x)", "a"), formula("a*x + c", "a c")),
        (distribution("Exponential", rate="rate"), distribution("Normal", loc="loc", scale="scale")),
        (formula("a", "a", ""), distribution("Normal", loc="loc", scale="scale")),
    ],
    ids=["other functions", "other input", "equal for positive inputs only", "other support", "curve and distribution"],
)
def test_what_is_not_nested_is_not_found(smaller, larger):
    assert nested(smaller, larger) is None


def test_parameters_that_the_smaller_model_leaves_open_are_named():
    assert nested(formula("c", "c", ""), formula("a*exp(-b*x) + c", "a b c")) == Nesting("a = 0", (), ("b",))


@pytest.mark.parametrize(("bounds", "actual"), [
    ({"lower": 0.0, "upper": None}, Nesting("c = 0", ("c",))),
    ({"lower": None, "upper": 0.0}, Nesting("c = 0", ("c",))),
    ({"lower": -1.0, "upper": 1.0}, Nesting("c = 0")),
    ({"lower": 0.5, "upper": None}, None),
], ids=["lower", "upper", "inside", "outside"])  # fmt: skip
def test_bounds_of_the_larger_model_are_kept(bounds, actual):
    larger = formula("a*exp(-b*x) + c", {"a": FREE, "b": FREE, "c": ParameterDescription(**bounds)})
    assert nested(formula("a*exp(-b*x)", "a b"), larger) == actual


def test_estimate_beyond_the_larger_models_bound_is_not_contained():
    larger = formula("a*exp(-b*x) + c", {"a": FREE, "b": ParameterDescription(lower=1.0), "c": FREE})
    assert nested(formula("a*exp(-b*x)", "a b"), larger) is None


def test_class_of_a_file_is_not_imported():
    formulas = {"loc": "loc", "scale": "1"}
    described = ModelDescription("", distribution="os.system", formulas=formulas, parameters={"loc": FREE})
    foreign = SymbolicModel(described, [])
    assert foreign.kind is None
    assert nested(foreign, distribution("Normal", loc="loc", scale="scale")) is None


def test_singular_jacobian_tells_which_parameters_it_cannot_tell_apart():
    first, second = torch.tensor([1.0, 2.0, 4.0]).double(), torch.tensor([1e-9, 0.0, 2e-9]).double()
    together = torch.stack([first, second, first * 3, second * 0], dim=1)
    assert undetermined_among("abcd", together) == ("a", "c", "d")
    assert undetermined_among("ab", together[:, :2]) == ()
    assert undetermined_among("ab", together[:1, :2]) == ("a", "b")
    assert undetermined_among("a", torch.full((2, 1), torch.nan)) == ("a",)


X = torch.linspace(0.1, 4, 25, dtype=torch.float64)
HALVING = FormulaModel("h*2^(-x/t)", ["x"], {"h": 3, "t": 0.8})
DECAY = ("a*exp(-b*x) + c", ["x"], {"a": 2, "b": 1, "c": 0.1})


def test_larger_model_is_found_at_the_smaller_ones_estimates():
    nesting = containment(HALVING, FormulaModel(*DECAY), (X,), (X,))
    assert nesting.values == pytest.approx({"a": 3, "b": math.log(2) / 0.8, "c": 0}, abs=1e-8)
    assert nesting.undetermined == ()


def test_inputs_may_be_scaled_for_one_of_them():
    nesting = containment(HALVING, FormulaModel(*DECAY), (X,), (2 * X,))
    assert nesting.values["b"] == pytest.approx(math.log(2) / 1.6, rel=1e-8)


def test_model_that_only_comes_close_does_not_contain():
    class Series(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.c = nn.Parameter(torch.zeros(8, dtype=torch.float64))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.stack([x**power for power in range(8)]).T @ self.c

    assert containment(HALVING, Series(), (X,), (X,)) is None


def test_what_is_left_open_is_told():
    larger = FormulaModel("(a + b)*x + d", ["x"], {"a": 2, "b": 1, "d": 0.1})
    assert containment(FormulaModel("c*x", ["x"], {"c": 1.5}), larger, (X,), (X,)).undetermined == ("a", "b")


def test_fewer_rows_than_parameters_tell_nothing():
    assert containment(HALVING, FormulaModel(*DECAY), (X[:2],), (X[:2],)) is None
