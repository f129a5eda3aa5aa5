"""Python source with the estimates inside, run where nothing of paramfit is."""

import ast
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import paramfit
from paramfit.formulas.elementary import FUNCTIONS
from paramfit.results.record import NormalizedInput
from tests.own_module import OwnModule

X = np.linspace(0.3, 2.8, 24)
NOISE = np.random.default_rng(0).normal(size=24)

CURVES = {
    "saturation": ("b1 * (1 - exp(-b2 * x))", {"b1": None, "b2": 0.7}),
    "one after the other": ("x - 2 - (b - x) - -x + 3*b", {"b": 1.0}),
    "quotients": ("x / (2 / (b*x)) / 3 / (x / 5) + 1/b", {"b": 1.0}),
    "powers": ("2^-x * b + (-x)^2 * b^2^0.5 + (x^2)^1.5 - -x^2", {"b": 1.0}),
    "signs": ("-b * x * -2 + (-(x + b)) / -(x - 9)", {"b": 1.0}),
    "bounded": ("a * x^p + 1e-5*x", {"a": None, "p": {"start": 1.2, "lower": 0, "upper": 3}}),
    "words of Python": ("lambda * np + predict * x + np_ * x^2", {"lambda": None, "predict": None, "np_": None}),
    "constants": ("b * cos(2*pi*x/3) + e*x + 10^20 * x * 1e-20", {"b": None}),
    "long": (" + ".join(["b*x", *["x"] * 400]), {"b": None}),
}


def run(source: str) -> dict[str, Any]:
    """The names that a module makes, in a namespace of its own; it may import NumPy and scipy.special alone."""
    imported = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Import | ast.ImportFrom)]
    assert {ast.unparse(node).split()[1] for node in imported} <= {"numpy", "scipy.special"}
    names: dict[str, Any] = {}
    exec(compile(source, "exported", "exec"), names)
    return names


@pytest.mark.parametrize("name", CURVES)
def test_source_predicts_what_the_fit_predicts(name):
    formula, parameters = CURVES[name]
    variables = ["x", "np"] if "np *" in formula or "* np" in formula else ["x"]
    columns = (X, np.sqrt(X))[: len(variables)]
    result = paramfit.fit(paramfit.FormulaModel(formula, variables, parameters), (*columns, 5 * X + NOISE))
    expected = result.curve.at(tuple(map(torch.tensor, columns))).prediction.numpy()
    np.testing.assert_allclose(run(result.export("numpy"))["predict"](*columns), expected, rtol=1e-12)


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_every_function_is_that_of_torch(name):
    (count,) = FUNCTIONS[name].nargs
    inside = ("1 + x" if name in {"acosh", "arccosh"} else "x / 3") + ", 0.5" * (count - 1)
    result = paramfit.fit(paramfit.FormulaModel(f"b * {name}({inside})", ["x"], {"b": None}), (X, NOISE))
    source = result.export("numpy")
    assert ("scipy" in source) == (name in {"erf", "erfc", "loggamma", "gammaln", "lgamma"})
    np.testing.assert_allclose(run(source)["predict"](X), result.predict(X).prediction.numpy(), rtol=1e-12)


@pytest.mark.parametrize("value", [-800.0, -40.0, -1e-3, 0.0, 40.0, 800.0])
def test_sigmoid_keeps_its_digits_in_both_tails(value):
    result = paramfit.fit(paramfit.FormulaModel("b + sigmoid(x)", ["x"], {"b": {"start": 0}}), (X, NOISE))
    shown = run(result.export("numpy"))["predict"](value, b=0.0)
    assert shown == pytest.approx(torch.tensor(value, dtype=torch.float64).sigmoid().item(), rel=1e-12)


def test_whole_numbers_are_taken_for_inputs():
    result = paramfit.fit(paramfit.FormulaModel("b * x^-1", ["x"], {"b": None}), (X, NOISE))
    predict = run(result.export("numpy"))["predict"]
    assert predict(2) == pytest.approx(result.parameters["b"].estimate / 2)
    assert predict([1, 2]).shape == (2,)


@pytest.mark.parametrize("model", [paramfit.LinearModel(), paramfit.PolynomialModel(3)], ids=["line", "cubic"])
def test_lines_and_polynomials_undo_what_was_done_to_their_input(model):
    shift, scale = 1.3, 0.7
    fitted = paramfit.fit(model, ((X - shift) * scale, 5 * X + NOISE))
    result = replace(fitted, normalized_input=NormalizedInput(shift, scale))
    np.testing.assert_allclose(
        run(result.export("numpy"))["predict"](X), result.predict(X).prediction.numpy(), rtol=1e-12
    )


def test_arguments_of_a_distribution_are_those_of_the_model():
    coefficients = {"a": 0.1, "b": 0.2}
    gamma = paramfit.DistributionModel(
        "torch.distributions.Gamma", {"concentration": 2.0, "rate": "exp(a + b*x)"}, coefficients=coefficients
    )
    result = paramfit.fit(gamma, (X, np.random.default_rng(1).gamma(2, np.exp(-0.3 * X))))
    arguments = run(result.export("numpy"))["arguments"](X)
    expected = result.origin.model.arguments(torch.tensor(X))
    assert arguments.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(arguments[name], value.detach().numpy(), rtol=1e-12)
    mean = arguments["concentration"] / arguments["rate"]
    np.testing.assert_allclose(mean, result.predict(X).prediction.numpy(), rtol=1e-12)


def test_known_scale_of_a_gaussian_is_in_it():
    result = paramfit.fit(paramfit.GaussianModel(scale=2.0), (NOISE,))
    assert run(result.export("numpy"))["arguments"]() == {
        "loc": pytest.approx(result.predict().prediction.item(), rel=1e-12), "scale": 2.0,
    }  # fmt: skip


def test_a_loaded_result_gives_the_same(tmp_path):
    formula, parameters = CURVES["bounded"]
    result = paramfit.fit(paramfit.FormulaModel(formula, ["x"], parameters), (X, 5 * X + NOISE))
    assert paramfit.load(result.save(tmp_path)).export("numpy") == result.export("numpy")


def test_values_errors_and_units_stand_beside_the_parameters():
    unit = "m/s\n    import os  # \x1b[31m"
    model = paramfit.FormulaModel("k * x + c", ["x"], {"k": {"unit": unit}, "c": {"start": 2, "fixed": True}})
    source = paramfit.fit(model, (X, 5 * X + NOISE)).export("numpy")
    assert r" m/s\n    import os  # \x1b[31m" in source
    assert "c=2.0,  # fixed" in source
    assert not any(isinstance(node, ast.Import) and "os" in ast.unparse(node) for node in ast.walk(ast.parse(source)))


def test_python_code_cannot_be_written():
    result = paramfit.fit(OwnModule(lambda own, x: own.k * x, k=1.0), (X, NOISE))
    for to in ("numpy", "latex"):
        with pytest.raises(paramfit.InputError, match=rf"{to}: only a model that formulas say .* give pt2 for the"):
            result.export(to)


@pytest.mark.parametrize("name", ["x): import os\ndef f(", "_x", "a.b"])
def test_a_hostile_file_writes_no_code(name, tmp_path):
    file = paramfit.fit(paramfit.FormulaModel("b * x", ["x"], {"b": None}), (X, NOISE)).save(tmp_path)
    text = file.read_text()
    file.write_text(text.replace('"variables": [\n   "x"\n  ]', f'"variables": {json.dumps([name])}'))
    assert file.read_text() != text
    with pytest.raises(paramfit.InputError, match=r"is no name of a variable or a parameter"):
        paramfit.load(file).export("numpy")


def test_what_has_diverged_is_not_written():
    result = paramfit.fit(paramfit.FormulaModel("b * x", ["x"], {"b": None}), (X, NOISE))
    lost = replace(result, parameters={"b": replace(result.parameters["b"], estimate=float("nan"))})
    with pytest.raises(paramfit.InputError, match=r"numpy: parameters.b is nan at the end of this fit"):
        lost.export("numpy")
