"""The formula as a model: value, Jacobian, linear parameters, and what a model has to bear."""

import copy
import pickle
import time
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.func import functional_call, hessian, jacfwd, vmap

from paramfit import FormulaModel, InputError, fit
from paramfit.formulas.expression import parse_expression
from paramfit.formulas.graph import Graph

X = torch.linspace(0.5, 4.0, 8, dtype=torch.float64)

# Formulas of many kinds: text, variables, parameters.
FORMULAS: dict[str, tuple[str, list[str], dict[str, Any]]] = {
    "saturation": ("b1 * (1 - exp(-b2 * x))", ["x"], {"b1": 2.0, "b2": 0.4}),
    "bounded": ("b1 * (1 - exp(-b2 * x))", ["x"], {"b1": 2.0, "b2": {"start": 0.4, "lower": 0}}),
    "both bounds": (
        "a / (1 + exp(-k * (x - m)))",
        ["x"],
        {"a": {"start": 3.0, "lower": 1, "upper": 9}, "k": 2, "m": 1},
    ),
    "below a bound": ("a * x**k", ["x"], {"a": 3.0, "k": {"start": 1.5, "upper": 2}}),
    "fixed": ("c + a * exp(-k * x)", ["x"], {"c": 1.0, "a": 2.0, "k": {"start": 0.5, "fixed": True}}),
    "rational": ("(a + b*x + c*x^2) / (1 + d*x)", ["x"], {"a": 1.0, "b": 2.0, "c": -0.3, "d": 0.7}),
    "line": ("a + b * x", ["x"], {"a": 1.0, "b": 2.0}),
    "two variables": ("a * x * exp(-b * y) + c", ["x", "y"], {"a": 1.0, "b": 0.3, "c": 2.0}),
    "product": ("a * b * x + sin(b)", ["x"], {"a": 1.5, "b": 0.3}),
    "offset": ("exp(-k * x) + a * x + b / k", ["x"], {"a": 1.5, "b": 0.3, "k": {"start": 0.5, "lower": 0}}),
    "numbers": ("1e-3 * a * (x - 2) + b^2 / 3", ["x"], {"a": 1.5, "b": 0.3}),
}
CASES = pytest.mark.parametrize("case", FORMULAS)


def made(case: str) -> tuple[FormulaModel, tuple[Tensor, ...]]:
    text, variables, parameters = FORMULAS[case]
    return FormulaModel(text, variables, parameters), (X, X.flip(0).square())[: len(variables)]


def as_columns(columns: dict[Any, Tensor | float]) -> dict[Any, Tensor]:
    return {name: torch.as_tensor(column, dtype=X.dtype).detach().expand(X.shape) for name, column in columns.items()}


def autograd_jacobian(model: FormulaModel, inputs: tuple[Tensor, ...]) -> dict[str, Tensor]:
    parameters = {name: parameter.detach() for name, parameter in model.named_parameters()}
    return jacfwd(lambda values: functional_call(model, values, inputs))(parameters)


def test_value_is_the_same_formula_in_torch():
    model, (x, y) = made("two variables")
    torch.testing.assert_close(model(x, y).detach(), 1.0 * x * torch.exp(-0.3 * y) + 2.0, rtol=1e-15, atol=0)


@CASES
def test_jacobian_by_the_parameters_themselves_is_torch_funcs(case):
    model, inputs = made(case)
    torch.testing.assert_close(
        as_columns(model.jacobian(*inputs)), autograd_jacobian(model, inputs), rtol=1e-13, atol=1e-15
    )


@CASES
def test_jacobian_keeps_the_order_in_which_the_parameters_were_given(case):
    model, inputs = made(case)
    assert list(model.jacobian(*inputs)) == list(FORMULAS[case][2]) == [name for name, _ in model.named_parameters()]


@CASES
def test_separated_parts_add_up_to_the_prediction(case):
    model, inputs = made(case)
    apart = model.separated(*inputs)
    linear = {name: model.natural(name) for name in model.linear_parameters()}
    assert set(apart.basis) == set(linear)
    total = apart.offset + sum(coefficient * apart.basis[name] for name, coefficient in linear.items())
    torch.testing.assert_close(total + torch.zeros_like(X), model(*inputs), rtol=1e-13, atol=1e-15)


@CASES
def test_slopes_of_the_separated_parts_are_torch_funcs(case):
    model, inputs = made(case)
    linear = model.linear_parameters()
    others = {
        name: parameter.detach()
        for name, parameter in model.named_parameters()
        if name not in linear and parameter.requires_grad
    }
    zero, one = torch.zeros((), dtype=X.dtype), torch.ones((), dtype=X.dtype)

    def at(values: dict[str, Tensor], which: str | None) -> Tensor:
        coefficients = {name: one if name == which else zero for name in linear}
        actual: Tensor = functional_call(model, {**values, **coefficients}, inputs)
        return actual

    def basis(values: dict[str, Tensor], which: str) -> Tensor:
        return at(values, which) - at(values, None)

    apart = model.separated(*inputs)
    expected: dict[Any, Tensor] = {}
    if others:  # of none, torch.func takes no derivative
        for name, slope in jacfwd(lambda values: at(values, None))(others).items():
            expected[None, name] = slope
        for which in linear:
            for name, slope in jacfwd(lambda values, which=which: basis(values, which))(others).items():
                expected[which, name] = slope
    actual = as_columns({**{(None, name): s for name, s in apart.offset_slopes.items()}, **apart.basis_slopes})
    for place, slope in expected.items():
        torch.testing.assert_close(actual.get(place, torch.zeros_like(X)), slope, rtol=1e-12, atol=1e-14)
    assert set(actual) <= set(expected)


@pytest.mark.parametrize(("text", "parameters", "linear"), [
    ("b1 * (1 - exp(-b2 * x))", {"b1": 1, "b2": 1}, ("b1",)),
    ("b1 * b2 * x", {"b1": 1, "b2": 1}, ("b1",)),
    ("b1 * b2 * x", {"b1": 1, "b2": None}, ("b2",)),
    ("b1 * b2 + b2 * b3 + b3 * b4 * x", {"b1": 1, "b2": 1, "b3": 1, "b4": 1}, ("b1", "b3")),
    ("a * (b + c + d * x)", {"a": 1, "b": 1, "c": 1, "d": 1}, ("b", "c", "d")),
    ("a * (b + c + d * x)", {"a": None, "b": 1, "c": 1, "d": 1}, ("a",)),
    ("a * b * x + c", {"a": {"start": 1, "lower": 0}, "b": 1, "c": 1}, ("b", "c")),
    ("a * b * x + c", {"a": {"start": 2, "fixed": True}, "b": 1, "c": 1}, ("b", "c")),
    ("a * (x + a) - a^2 + b", {"a": 1, "b": 1}, ("a", "b")),
    ("(a + b * x)^2 - (b * x)^2 - a^2", {"a": 1, "b": 1}, ("a",)),
    ("abs(a) * x", {"a": 1}, ()),
    ("max(a * x, 1) + b", {"a": 1, "b": 1}, ("b",)),
    ("x^a + b^1 * x", {"a": 1, "b": 1}, ("b",)),
    ("a / b * x", {"a": 1, "b": 1}, ("a",)),
    ("sin(a * x + b) * c", {"a": 1, "b": 1, "c": 1}, ("c",)),
    ("log(exp(a) * x)", {"a": 1}, ("a",)),  # a + log x
])  # fmt: skip
def test_largest_set_of_linear_parameters_is_found(text, parameters, linear):
    assert FormulaModel(text, ["x"], parameters).linear_parameters() == linear


@pytest.mark.parametrize(("text", "parameters", "wholly"), [
    ("a + b * x", {"a": 1, "b": 1}, True),
    ("a + b * x", {"a": 1, "b": {"start": 1, "fixed": True}}, True),
    ("a + b * x", {"a": 1, "b": {"start": 1, "lower": 0}}, False),
    ("a * b * x", {"a": 1, "b": 1}, False),
    ("a * exp(b * x)", {"a": 1, "b": 1}, False),
    ("a * exp(b * x)", {"a": {"start": 1, "fixed": True}, "b": {"start": 1, "fixed": True}}, False),
])  # fmt: skip
def test_wholly_linear_formula_says_so(text, parameters, wholly):
    assert FormulaModel(text, ["x"], parameters).linear_in_parameters is wholly


@settings(max_examples=50, deadline=None)
@given(shape=st.lists(st.lists(st.booleans(), min_size=4, max_size=4), min_size=1, max_size=5))
def test_linear_set_of_a_sum_of_products_is_the_largest_independent_one(shape):
    names = ["a", "b", "c", "d"]
    products = [[name for name, each in zip(names, row, strict=True) if each] for row in shape]
    used = [name for name in names if any(name in product for product in products)]
    if not used:
        return
    text = " + ".join(f"x^{power} * " + "*".join(product or ["1"]) for power, product in enumerate(products, 1))
    linear = FormulaModel(text, ["x"], dict.fromkeys(used, 1.0)).linear_parameters()

    def apart(some: set[str]) -> bool:
        return all(len(some & set(product)) <= 1 for product in products)

    every = [{name for bit, name in enumerate(used) if number >> bit & 1} for number in range(1 << len(used))]
    assert apart(set(linear))
    assert len(linear) == max(len(some) for some in every if apart(some))


def test_leading_dimensions_broadcast_and_the_observations_follow():
    model, (x,) = made("saturation")
    grid = {"b1": torch.rand(2, 1, dtype=X.dtype), "b2": torch.rand(1, 3, dtype=X.dtype)}
    prediction = functional_call(model, grid, (x,))
    assert prediction.shape == (2, 3, 8)
    alone = functional_call(model, {"b1": grid["b1"][1, 0], "b2": grid["b2"][0, 2]}, (x,))
    torch.testing.assert_close(prediction[1, 2], alone, rtol=1e-15, atol=0)


def test_vmap_and_hessian_work_through_forward():
    model, (x,) = made("saturation")

    def of(pair: Tensor) -> Tensor:
        return functional_call(model, {"b1": pair[0], "b2": pair[1]}, (x,))

    pairs = torch.tensor([[2.0, 0.4], [1.0, 3.0]], dtype=X.dtype)
    torch.testing.assert_close(vmap(of)(pairs), torch.stack([of(pair) for pair in pairs]))
    second = hessian(of)(pairs[0])
    decay = torch.exp(-0.4 * x)
    expected = torch.stack([torch.zeros_like(x), x * decay, x * decay, -2 * x * x * decay], 1).view(8, 2, 2)
    torch.testing.assert_close(second, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    "how", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))], ids=["copy", "pickle"]
)
@CASES
def test_copy_predicts_and_differentiates_alike_and_is_apart(how, case):
    model, inputs = made(case)
    model.separated(*inputs)
    twin = how(model)
    assert torch.equal(twin(*inputs), model(*inputs))
    assert torch.equal(
        as_columns(twin.jacobian(*inputs))[twin.names[0]], as_columns(model.jacobian(*inputs))[model.names[0]]
    )
    before = model(*inputs).detach().clone()
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.add_(0.5)
    assert not torch.equal(twin(*inputs), before)
    assert torch.equal(model(*inputs), before)


def test_other_precision_is_kept():
    model = FormulaModel("a * exp(-x / 3) + max(x, 2)", ["x"], {"a": 1.0}, dtype="float32")
    assert model(X.float()).dtype == torch.float32
    assert model.to(torch.float64)(X).dtype == torch.float64


def test_parameters_named_as_internal_parts_do_not_clash():
    model = FormulaModel("x0 * exp(-x * x1) + x1 * exp(-x * x1)", ["x"], {"x0": 2.0, "x1": 0.5})
    expected = torch.exp(-0.5 * X)
    columns = as_columns(model.jacobian(X))
    torch.testing.assert_close(columns["x0"], expected, rtol=1e-14, atol=0)
    torch.testing.assert_close(columns["x1"], expected * (1 - 2.5 * X), rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize(("text", "variables", "parameters", "message"), [
    ("a * x", ["x"], {"a": 1, "b": 2}, "parameters.b: the formula does not depend on it"),
    ("(a + x) + (x - a)", ["x"], {"a": 1}, "parameters.a: the formula does not depend on it"),
    ("a * x", ["x", "y"], {"a": 1}, "variables: the formula does not depend on y"),
    ("exp(a * x)", ["x"], {"a": None}, "parameters.a.start: the formula needs one, since it is not linear in it"),
    ("a * b * x", ["x"], {"a": None, "b": None}, "parameters.b.start: the formula needs one, since it multiplies a"),
    ("a * x", ["x"], {"a": {"lower": 0}}, "parameters.a.start: a bounded parameter needs one"),
    ("a * x", ["x", "a"], {"a": 1}, "parameters.a: it is a variable as well"),
    ("a * x", ["x", "x"], {"a": 1}, "variables: x is there twice"),
    ("a * x", ["x"], {"__a": 1}, "parameters: '__a' begins with an underscore"),
    ("a * x", "x", {"a": 1}, "variables: expected a list of names, but got 'x'; write [x]"),
    ("a * x", ["x"], {"\u00b5": 1, "\u03bc": 2}, "parameters: \u03bc is there twice"),
    ("a * x", ["x"], {"training": 1}, "parameters.training: every model has something of this name"),
    ("a * x", ["x"], {"formula": 1}, "parameters.formula: every model has something of this name"),
    (5, ["x"], {"a": 1}, "formula: expected text, but got int"),
])  # fmt: skip
def test_what_is_wrong_has_a_message_of_its_own(text, variables, parameters, message):
    with pytest.raises(InputError) as refusal:
        FormulaModel(text, variables, parameters)
    assert str(refusal.value).startswith(message)


def test_wrong_number_of_inputs_is_refused():
    model, (x,) = made("saturation")
    with pytest.raises(InputError, match=r"1 variables \(x\), but the data have 2 input columns"):
        model(x, x)


def test_letters_that_python_takes_for_the_same_are_one_name():
    model = FormulaModel("\u00b5 * x", ["x"], {"\u03bc": 2.0})  # the micro sign and the Greek letter
    assert model(torch.ones(1, dtype=X.dtype)).item() == 2.0


NAMES = [
    "e",
    "pi",
    "E",
    "I",
    "S",
    "N",
    "O",
    "Q",
    "C",
    "beta",
    "gamma",
    "zeta",
    "Lambda",
    "Symbol",
    "Function",
    "true",
    "exp",
    "max",
    "lambda",
    "None",
    "True",
    "if",
    "not",
]


@pytest.mark.parametrize("name", NAMES)
def test_name_that_a_library_knows_is_a_name_like_any_other(name):
    column = FormulaModel(f"a * exp({name}) + {name}", [name], {"a": 2.0})
    torch.testing.assert_close(column(X), 2 * torch.exp(X) + X)
    parameter = FormulaModel(f"{name} * exp(x) + 1", ["x"], {name: 3.0})
    torch.testing.assert_close(parameter(X), 3 * torch.exp(X) + 1)
    torch.testing.assert_close(as_columns(parameter.jacobian(X))[name], torch.exp(X))


LARGE = {
    "product of sines": ("*".join(f"sin(p{i}*x)" for i in range(100)), 100),
    "maximum": (f"x + max({', '.join(f'p{i}' for i in range(200))})", 200),
    "product of sums": ("*".join(f"(p{i}+p100*x+p101)" for i in range(100)), 102),
    "quotient": (f"x/{'/'.join(f'(1+p{i})' for i in range(190))}", 190),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("case", LARGE)
def test_large_formula_is_built_and_differentiated_in_proportion_to_its_length(case):
    text, count = LARGE[case]
    starts = {f"p{i}": 0.4 + 0.002 * i for i in range(count)}
    graph = Graph(["x", *starts])
    value = graph.read(parse_expression(text, ["x", *starts]))
    operations = len(graph.nodes)
    graph.gradient(value, [graph.leaves[name] for name in starts])
    assert len(graph.nodes) < 5 * operations
    model = FormulaModel(text, ["x"], starts)
    with torch.no_grad():
        columns = as_columns(pickle.loads(pickle.dumps(model)).jacobian(X))
        model.separated(X)
    parameters = {name: parameter.detach() for name, parameter in model.named_parameters()}
    tangents = {name: torch.full_like(value, 1 / count) for name, value in parameters.items()}
    total = sum(columns.values()) / count
    step = 1e-6
    moved = [
        functional_call(model, {k: v + sign * step * tangents[k] for k, v in parameters.items()}, (X,))
        for sign in (1, -1)
    ]
    torch.testing.assert_close(total, (moved[0] - moved[1]) / (2 * step), rtol=1e-5, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("case", ["maximum", "quotient"])
def test_large_formula_is_fitted_and_reported_in_seconds(case):
    text, count = LARGE[case]
    x = np.linspace(0.1, 2, 250)
    started = time.perf_counter()
    model = FormulaModel(text, ["x"], {f"p{i}": 0.4 + 0.002 * i for i in range(count)})
    assert time.perf_counter() - started < 5
    with torch.no_grad():
        y = model(torch.from_numpy(x)).numpy() * (1 + 0.01 * np.sin(50 * x))
    result = fit(model, {"x": x, "y": y}, target="y", max_iterations=5)
    report = str(result.report())
    assert time.perf_counter() - started < 20
    # One combination of the parameters matters: every other direction has its caution, which names a few of them.
    assert len(report) < 1000 * count
