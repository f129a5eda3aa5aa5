"""A distribution as a model and its arguments as formulas, against torch's own distributions and autograd."""

import copy
import pickle
from typing import Any

import pytest
import scipy.stats
import torch
from torch import Tensor
from torch.distributions import Binomial, Gamma, Normal, Pareto, Poisson, RelaxedBernoulli, Uniform
from torch.func import functional_call, hessian, jacfwd

from paramfit import DistributionModel, InputError, fit
from paramfit.models.argument_formula import ArgumentFormula, formula_variables

X = torch.tensor([-1.0, 0.0, 0.5, 2.0], dtype=torch.float64)


def gamma(**parameters: Any) -> DistributionModel:
    return DistributionModel("torch.distributions.Gamma", {"concentration": 2.0, "rate": 0.5, **parameters})


def heteroscedastic() -> DistributionModel:
    return DistributionModel(
        "torch.distributions.Normal",
        {"loc": "a + b*x", "scale": "exp(c + d*x)"},
        coefficients={"a": 1.0, "b": {"start": 0.5, "lower": 0}, "c": -1.0, "d": 0.25},
    )


def test_arguments_are_the_starts_within_the_bounds_of_the_distribution():
    model = gamma()
    distribution = model()
    assert isinstance(distribution, Gamma)
    assert distribution.concentration.item() == pytest.approx(2.0, rel=1e-15)
    assert distribution.rate.item() == pytest.approx(0.5, rel=1e-15)
    assert model.specifications["rate"].lower == 0
    assert model.rate.item() == pytest.approx(torch.tensor(0.5).log().item(), rel=1e-7)


def test_narrower_bounds_are_kept():
    model = gamma(rate={"start": 2.0, "lower": 1.0, "upper": 3.0, "unit": "1/s"})
    spec = model.specifications["rate"]
    assert (spec.lower, spec.upper, spec.unit) == (1.0, 3.0, "1/s")


def test_formulas_give_a_regression():
    distribution = heteroscedastic()(X)
    assert isinstance(distribution, Normal)
    torch.testing.assert_close(distribution.loc, 1 + 0.5 * X)
    torch.testing.assert_close(distribution.scale, torch.exp(-1 + 0.25 * X))


@pytest.mark.parametrize("model", [gamma(), heteroscedastic()], ids=["sample", "regression"])
def test_derivatives_of_the_arguments_are_those_of_autograd(model):
    inputs = (X,) if model.variables else ()
    trainable = {name: value.detach() for name, value in model.named_parameters()}
    columns = model.argument_jacobian(*inputs)
    for argument in model.names:

        def value(parameters: dict[str, Tensor], argument: str = argument) -> Tensor:
            return model.arguments_at(parameters, *inputs)[argument]

        expected = jacfwd(value)(trainable)
        for name, slope in expected.items():
            actual = torch.as_tensor(columns[argument].get(name, 0.0), dtype=torch.float64)
            torch.testing.assert_close(actual.expand(slope.shape), slope)


FREE = {"a": 0.5, "b": 1.0, "c": 0.2, "k": {"start": 2.0, "fixed": True}, "u": {"start": 1.0, "lower": 0.0}}


@pytest.mark.parametrize(
    "loc", ["a + b*x", "(a + b)*(1 + x)", "a + b*x*k", "k*k + a", "a*b + x", "exp(c*x)", "a + u*x", "(a + b)**2 - a*a"]
)
def test_arguments_bend_where_their_hessian_is_not_0(loc):
    arguments = {"loc": loc, "scale": "2 + a**2"}
    model = DistributionModel(
        "torch.distributions.Normal", arguments, {name: FREE[name] for name in FREE if name in loc or name == "a"}
    )
    theta = {name: value.detach() for name, value in model.named_parameters() if value.requires_grad}

    def curves(argument: str) -> bool:
        def value(parameters: dict[str, Tensor]) -> Tensor:
            return model.arguments_at(parameters, *((X,) if model.variables else ()), wanted=[argument])[argument]

        second = hessian(value)(theta)
        return any(bool(part.any()) for by in second.values() for part in by.values())

    assert model.bent_arguments() == {argument for argument in arguments if curves(argument)}


def test_leading_dimensions_broadcast():
    model = heteroscedastic()
    values = {name: value.detach().expand(3, 2).clone() for name, value in model.named_parameters()}
    batched = functional_call(model, values, (X,))
    assert batched.log_prob(X).shape == (3, 2, 4)
    torch.testing.assert_close(batched.log_prob(X)[1, 0], model(X).log_prob(X))


def test_integers_are_fixed():
    model = DistributionModel("torch.distributions.Binomial", {"total_count": 7, "probs": 0.5})
    assert [name for name, value in model.named_parameters() if value.requires_grad] == ["probs"]
    assert model().mean.item() == pytest.approx(3.5)


def test_starts_come_from_the_moments():
    model = gamma(concentration=None, rate=None)
    sample = Gamma(3.0, 2.0).sample((4000,)).double()
    model.begin_at(sample)
    shape, _, scale = scipy.stats.gamma.fit(sample.numpy(), floc=0)
    assert model().concentration.item() == pytest.approx(shape, rel=0.1)
    assert model().rate.item() == pytest.approx(1 / scale, rel=0.1)
    assert model.specifications["rate"].start == pytest.approx(model().rate.item(), rel=1e-12)


def test_copies_and_pickles_are_of_their_own():
    model = heteroscedastic()
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):  # our own bytes
        with torch.no_grad():
            twin.a.add_(1.0)
        torch.testing.assert_close(twin(X).loc, model(X).loc + 1)


def test_class_is_taken_as_well_as_its_path():
    assert isinstance(DistributionModel(Poisson, {"rate": 2.0})(), Poisson)


@pytest.mark.parametrize(("distribution", "parameters", "coefficients", "message"), [
    ("torch.distributions.Gama", {"rate": 1.0}, None, "did you mean 'Gamma'"),
    ("torch.distributions.Gamma", {"rate": 1.0}, None, "Gamma needs concentration"),
    ("torch.distributions.Bernoulli", {"probs": 0.5, "logits": 0.0}, None, "either probs or logits"),
    ("torch.distributions.Binomial", {"total_count": None, "probs": 0.5}, None, "is an integer"),
    ("torch.distributions.Poisson", {"rate": "exp(a)"}, {"a": 0, "b": 0}, "coefficients.b: no formula"),
    ("torch.distributions.Poisson", {"rate": "exp(a)"}, {"a": None}, "coefficients.a.start"),
    ("torch.distributions.Poisson", {"rate": "exp(a*x + z)"}, {"a": 0}, "x, z that are no coefficients"),
    ("torch.distributions.Gamma", {"concentration": 1.0, "rate": -1.0}, None, "outside its bounds"),
    ("torch.distributions.Uniform", {"low": 0.0, "high": 1.0}, None, "Uniform"),
])  # fmt: skip
def test_what_cannot_be_is_refused(distribution, parameters, coefficients, message):
    with pytest.raises(InputError, match=message):
        DistributionModel(distribution, parameters, coefficients)


@pytest.mark.parametrize(("kind", "parameters", "message"), [
    (Uniform, {"low": {"start": 0, "fixed": True}, "high": "a + b*x"}, "parameters.high: the support of Uniform"),
    (Pareto, {"scale": "exp(a + b*x)", "alpha": 3.0}, "parameters.scale: the support of Pareto ends at it"),
    (Binomial, {"total_count": "exp(a + b*x)", "probs": 0.3}, "parameters.total_count: it is an integer"),
    (Binomial, {"total_count": "a + b*0*x", "probs": 0.3}, "parameters.total_count: it is an integer"),
    (RelaxedBernoulli, {"temperature": "exp(a + b*x)", "probs": 0.3}, "parameters.temperature: .* no constraint"),
], ids=["uniform", "pareto", "binomial", "binomial, a constant", "no constraint"])  # fmt: skip
def test_formula_does_not_estimate_what_a_parameter_may_not(kind, parameters, message):
    with pytest.raises(InputError, match=message) as refusal:
        DistributionModel(kind, parameters, {"a": 1.0, "b": 0.0})
    assert "\n" not in str(refusal.value)


def test_integer_and_end_of_the_support_may_be_formulas_that_estimate_nothing():
    trials = DistributionModel(Binomial, {"total_count": "2*n", "probs": 0.5})
    assert trials(torch.tensor([3.0, 4.0])).total_count.tolist() == [6, 8]
    theirs = DistributionModel(Pareto, {"scale": "k*x", "alpha": None}, {"k": {"start": 2.0, "fixed": True}})
    assert theirs(torch.tensor([1.0, 5.0])).scale.tolist() == [2, 10]


def test_number_of_inputs_is_checked():
    with pytest.raises(InputError, match="1 variables"):
        heteroscedastic()(X, X)


def test_value_and_derivatives():
    formula = ArgumentFormula("rate", "exp(a + b*x)", ["x"], ["a", "b", "unused"])
    x = torch.tensor([0.0, 1.0, 2.0], dtype=torch.float64)
    natural = {"a": torch.tensor(0.5, dtype=torch.float64), "b": torch.tensor(-1.0, dtype=torch.float64)}
    assert formula.coefficients == ("a", "b")
    torch.testing.assert_close(formula.value((x,), natural), torch.exp(0.5 - x))
    slopes = formula.jacobian((x,), natural)
    torch.testing.assert_close(slopes["a"], torch.exp(0.5 - x))
    torch.testing.assert_close(slopes["b"], x * torch.exp(0.5 - x))


def test_constant_formula_is_one_number():
    assert ArgumentFormula("scale", "exp(c)", [], ["c"]).value((), {"c": torch.tensor(0.0)}).shape == ()
    assert ArgumentFormula("scale", "2", [], []).value((), {}).item() == 2.0


def test_the_one_name_that_is_no_coefficient_is_the_input():
    assert list(formula_variables({"rate": "exp(a + b*dose) + pi"}, ["a", "b"], None)) == ["dose"]
    assert list(formula_variables({"rate": "exp(a)"}, ["a"], None)) == []


@pytest.mark.parametrize(
    ("given", "message"), [(None, "u, v that are no coefficients"), (["u", "w"], "no formula depends on w")]
)
def test_several_inputs_are_named_by_the_user(given, message):
    formulas = {"loc": "a*u", "scale": "exp(a*v)"}
    assert list(formula_variables(formulas, ["a"], ["v", "u"])) == ["v", "u"]
    with pytest.raises(InputError, match=message):
        formula_variables(formulas, ["a"], given)


def test_formula_that_cannot_be_read_names_its_argument():
    with pytest.raises(InputError, match=r"parameters\.scale"):
        ArgumentFormula("scale", "exp(", [], [])


@pytest.mark.parametrize("inputs", [None, "e", ["e"]])
def test_column_called_as_a_constant_is_the_column(inputs):
    e = torch.linspace(0.1, 2.0, 12, dtype=torch.float64)
    data = {"e": e, "y": 0.5 + 2 * e + 0.01 * torch.sin(9 * e)}
    model = DistributionModel("torch.distributions.Normal", {"loc": "a + b*e", "scale": 0.1}, {"a": 0, "b": 0})
    assert fit(model, data, inputs=inputs, target="y").parameters["b"].estimate == pytest.approx(2, abs=0.01)
