"""A Python function as a model: where it is imported from, and whether torch follows it."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from jsonargparse import ArgumentParser
from torch import Tensor, nn
from torch.func import functional_call

from paramfit import FormulaModel, FunctionModel, InputError
from paramfit.models.function import check_followed
from paramfit.models.import_path import imported

X = torch.linspace(0.5, 4.0, 8, dtype=torch.float64)


def decay(t: Tensor, height: Tensor, rate: Tensor) -> Tensor:
    return height * torch.exp(-rate * t)


def scaled(x: Tensor, y: Tensor, *, a: Tensor, b: float = 3.0) -> Tensor:
    return a * x + b * y


TWINS: dict[str, dict[str, Any]] = {
    "free": {"height": 2.0, "rate": 0.4},
    "bounded": {"height": {"start": 2.0, "upper": 3}, "rate": {"start": 0.4, "lower": 0}},
    "fixed": {"rate": {"start": 0.4, "fixed": True}, "height": {"start": 2.0, "lower": 1, "upper": 3}},
}


@pytest.mark.parametrize("parameters", TWINS.values(), ids=TWINS)
def test_function_and_formula_agree_in_value_and_jacobian(parameters):
    function = FunctionModel(decay, ["t"], parameters)
    formula = FormulaModel("height * exp(-rate * t)", ["t"], parameters)
    torch.testing.assert_close(function(X), formula(X), rtol=1e-15, atol=0)
    columns, expected = function.jacobian(X), formula.jacobian(X)
    assert list(columns) == list(expected) == [name for name, _ in function.named_parameters()]
    for name, column in expected.items():
        torch.testing.assert_close(columns[name], column, rtol=1e-13, atol=1e-16)


def test_jacobian_works_without_gradient_recording():
    with torch.no_grad():
        columns = FunctionModel(decay, ["t"], TWINS["free"]).jacobian(X)
    torch.testing.assert_close(columns["rate"], -2.0 * X * torch.exp(-0.4 * X), rtol=1e-13, atol=0)


def test_variables_are_the_arguments_that_are_no_parameters():
    assert FunctionModel(decay, parameters=TWINS["free"]).variables == ("t",)
    assert FunctionModel(scaled, parameters={"a": 1.0}).variables == ("x", "y")


def test_argument_keeps_its_default_unless_it_is_named():
    kept, named = FunctionModel(scaled, None, {"a": 1.0}), FunctionModel(scaled, None, {"a": 1.0, "b": 5.0})
    assert torch.equal(kept(X, X).detach(), 4 * X)
    assert torch.equal(named(X, X).detach(), 6 * X)


def test_variables_are_given_in_the_order_in_which_they_are_named():
    assert torch.equal(FunctionModel(scaled, ["y", "x"], {"a": 0.0})(X, torch.zeros_like(X)).detach(), 3 * X)


def test_leading_dimensions_broadcast():
    grid = {"height": torch.rand(2, 1), "rate": torch.rand(1, 3)}
    assert functional_call(FunctionModel(decay, ["t"], TWINS["free"]), grid, (X,)).shape == (2, 3, 8)


def test_it_has_no_linear_parameters():
    model = FunctionModel(decay, ["t"], TWINS["free"])
    assert model.linear_parameters() == ()
    assert not model.linear_in_parameters


@pytest.fixture
def on_path(own_directory: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, where modules are found."""
    monkeypatch.syspath_prepend(str(own_directory))
    return own_directory


def test_function_is_found_by_its_path_from_a_configuration(on_path):
    (on_path / "own_decay.py").write_text("import torch\ndef curve(t, rate):\n    return torch.exp(-rate * t)\n")
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--model", type=nn.Module)
    given = {"function": "own_decay.curve", "variables": ["t"], "parameters": {"rate": {"start": 1.0, "lower": 0}}}
    model = {"class_path": "paramfit.FunctionModel", "init_args": given}
    made = parser.instantiate_classes(parser.parse_object({"model": model})).model
    torch.testing.assert_close(made(X).detach(), torch.exp(-X), rtol=1e-14, atol=0)


@pytest.mark.parametrize(("path", "message"), [
    ("curve", "function: 'curve' is not a path such as decay.curve"),
    ("no_such_module_here.curve", "function: the module no_such_module_here cannot be imported (ModuleNotFoundError"),
    ("own_broken.curve", "function: the module own_broken cannot be imported (ZeroDivisionError: division by zero)"),
    ("own_curves.curv", "function: own_curves has no 'curv'; did you mean 'curve'?"),
    ("own_curves.number", "function: own_curves.number is of type int, which cannot be called"),
])  # fmt: skip
def test_path_that_leads_nowhere_is_refused(on_path, path, message):
    (on_path / "own_broken.py").write_text("1 / 0\n")
    (on_path / "own_curves.py").write_text("number = 1\ndef curve(t, rate):\n    return t * rate\n")
    with pytest.raises(InputError) as refusal:
        FunctionModel(path, None, {"rate": 1.0})
    assert str(refusal.value).startswith(message)


@pytest.mark.parametrize(("function", "variables", "parameters", "message"), [
    (decay, ["t"], {"height": 1, "rtae": 1}, "parameters: decay has no argument rtae; did you mean 'rate'?"),
    (decay, ["q"], {"height": 1, "rate": 1}, "variables: decay has no argument q; it takes t, height, rate"),
    (decay, ["t"], {"height": 1}, "parameters: decay needs rate, which has no default"),
    (decay, ["t", "rate"], {"height": 1, "rate": 1}, "parameters.rate: it is a variable as well"),
    (decay, ["t"], {"height": None, "rate": 1}, "parameters.height.start: a function's parameter needs one"),
    (decay, None, {}, "parameters: there is none"),
    (lambda *x, a: a, None, {"a": 1}, "function: the arguments of <lambda> are told apart by name, but '*x'"),
    (lambda x, **a: x, None, {"a": 1}, "function: the arguments of <lambda> are told apart by name, but '**a'"),
    (math.hypot, None, {"a": 1}, "function: "),
])  # fmt: skip
def test_arguments_that_do_not_fit_are_refused(function, variables, parameters, message):
    with pytest.raises(InputError) as refusal:
        FunctionModel(function, variables, parameters)
    assert str(refusal.value).startswith(message)


@pytest.mark.parametrize(
    "function",
    [lambda x, a: torch.from_numpy(np.exp(x.numpy() * a.detach().numpy())), lambda x, a: x * a.detach()],
    ids=["numpy", "detached"],
)
def test_function_that_torch_cannot_follow_is_named(function):
    with pytest.raises(InputError, match=r"torch\.func cannot differentiate <lambda> by a"):
        FunctionModel(function, None, {"a": 1.0}).jacobian(X)


def test_function_may_look_at_a_parameter_and_make_numbers_of_inputs():
    def broken(x: Tensor, a: Tensor) -> Tensor:
        return a * x / float(x.max()) if a > 0.5 else a - x

    torch.testing.assert_close(FunctionModel(broken, None, {"a": 1.0}).jacobian(X)["a"], X / 4)


def test_function_must_return_a_tensor():
    with pytest.raises(InputError, match="<lambda> returned ndarray, not a tensor"):
        FunctionModel(lambda x, a: x.numpy(), None, {"a": 1.0})(X)


def test_wrong_number_of_inputs_is_refused():
    with pytest.raises(InputError, match=r"decay has 1 variables \(t\), but the data have 2 input columns"):
        FunctionModel(decay, ["t"], TWINS["free"])(X, X)


def test_finds_what_is_there():
    assert imported("function", "math.sqrt", "decay.curve") is math.sqrt


@pytest.mark.parametrize(("path", "message"), [
    ("sqrt", "function: 'sqrt' is not a path such as decay.curve"),
    ("no_such_module.sqrt", "cannot be imported .ModuleNotFoundError"),
    ("math.sqr", "math has no 'sqr'; did you mean 'sqrt'"),
    ("paramfit.LogLogistics", "paramfit has no 'LogLogistics'; did you mean 'LogLogistic'"),
])  # fmt: skip
def test_says_what_is_missing(path, message):
    with pytest.raises(InputError, match=message):
        imported("function", path, "decay.curve")


RAMP = {"x": torch.linspace(1.0, 2.0, 4)}


@pytest.mark.parametrize("leave", [float, Tensor.item, Tensor.tolist, lambda a: complex(a).real])
def test_a_number_that_depends_on_a_parameter_may_not_leave(leave):
    with pytest.raises(InputError, match="curve makes a plain number"):
        check_followed(lambda x, a: x * leave(2 * a), "curve", RAMP, {"a": 1.0})  # type: ignore[operator]


def test_inputs_may_and_other_mistakes_are_left_to_the_use():
    check_followed(lambda x, a: a * x.numpy().max(), "curve", RAMP, {"a": 1.0})
    check_followed(lambda x, a: x[7] * a, "curve", RAMP, {"a": 1.0})
