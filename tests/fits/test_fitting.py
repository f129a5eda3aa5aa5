"""A fit in one call, beside SciPy and lmfit."""

import inspect
import math
from typing import Any

import lmfit
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import scipy.optimize
import torch
from lightning.pytorch import Trainer
from torch import nn

from paramfit import FitResult, InputError, LeastSquares, LevenbergMarquardt, Observations, TableDataModule, fit
from paramfit.models import FormulaModel, LinearModel
from paramfit.objectives import AbsoluteError, HuberError, NegativeLogLikelihood, SquaredError
from tests.own_module import OwnModule
from tests.quiet import QUIET
from tests.thermometer import BIAS, CELSIUS, READINGS, STANDARD_ERRORS, WEIGHT

Array = np.ndarray[tuple[int], np.dtype[np.float64]]


def decay(x: Array, a: float, k: float, c: float) -> Array:
    return a * np.exp(-k * x) + c


X = np.linspace(0.0, 5.0, 30)
SIGMA = 0.02 + 0.02 * np.arange(30)
Y = decay(X, 3.0, 0.8, 0.5) + SIGMA * np.random.default_rng(6).normal(size=30)


def model(**starts: Any) -> FormulaModel:
    return FormulaModel("a * exp(-k * x) + c", ["x"], {"a": 2, "k": 1, "c": 0, **starts})


def estimates(result: FitResult) -> list[float]:
    return [estimate.estimate for estimate in result.parameters.values()]


def errors(result: FitResult) -> list[float | None]:
    return [estimate.standard_error for estimate in result.parameters.values()]


def curve_fit(sigma: Array | None = None, *, absolute: bool = False) -> tuple[Array, Any]:
    actual: tuple[Array, Any] = scipy.optimize.curve_fit(
        decay, X, Y, p0=(3, 0.8, 0.5), sigma=sigma, absolute_sigma=absolute, xtol=1e-15, ftol=1e-15, gtol=1e-15,
        jac=lambda x, a, k, c: np.stack([np.exp(-k * x), -a * x * np.exp(-k * x), np.ones_like(x)], axis=1),
    )  # fmt: skip
    return actual


SHAPES: dict[str, Any] = {
    "arrays": ((X, Y), {}),
    "lists": ([X.tolist(), Y.tolist()], {}),
    "tensors": ((torch.from_numpy(X), torch.from_numpy(Y)), {}),
    "observations": (Observations((torch.from_numpy(X),), torch.from_numpy(Y)), {}),
    "mapping": ({"y": Y, "x": X}, {"target": "y"}),
    "pandas": (pd.DataFrame({"note": ["a"] * 30, "y": Y, "x": X}), {"target": "y"}),
    "pyarrow": (pa.table({"y": Y, "x": X}), {"target": "y"}),
    "only other": ({"y": Y, "x": X}, {}),
    "other name": ({"time": X, "y": Y}, {"inputs": "time", "target": "y"}),
}


@pytest.mark.parametrize(("data", "names"), SHAPES.values(), ids=SHAPES)
def test_estimates_are_scipys_from_data_in_any_form(data, names):
    result = fit(model(), data, **names)
    expected, covariance = curve_fit()
    assert result.status == "converged"
    assert estimates(result) == pytest.approx(expected, rel=1e-7)
    assert errors(result) == pytest.approx(np.sqrt(np.diag(covariance)), rel=1e-6)


@pytest.mark.parametrize("sigma_is", ["absolute", "relative"])
@pytest.mark.parametrize("given", ["column", "array", "tensor", "observations"])
def test_known_errors_are_as_in_scipy(given, sigma_is):
    columns = {"x": X, "y": Y, "error": SIGMA}
    inside = Observations((torch.from_numpy(X),), torch.from_numpy(Y), torch.from_numpy(SIGMA))
    result = {
        "column": lambda: fit(model(), pd.DataFrame(columns), target="y", sigma="error", sigma_is=sigma_is),
        "array": lambda: fit(model(), (X, Y), sigma=SIGMA, sigma_is=sigma_is),
        "tensor": lambda: fit(model(), (X, Y), sigma=torch.from_numpy(SIGMA), sigma_is=sigma_is),
        "observations": lambda: fit(model(), inside, sigma_is=sigma_is),
    }[given]()
    expected, covariance = curve_fit(SIGMA, absolute=sigma_is == "absolute")
    assert estimates(result) == pytest.approx(expected, rel=1e-7)
    assert result.covariance["parameters"] == ["a", "k", "c"]
    np.testing.assert_allclose(result.covariance["matrix"], covariance, rtol=1e-5)
    assert result.least_squares["sigma_is"] == sigma_is


def test_one_number_is_the_sigma_of_every_row():
    _, covariance = curve_fit(np.full(30, 0.3), absolute=True)
    assert errors(fit(model(), (X, Y), sigma=0.3)) == pytest.approx(np.sqrt(np.diag(covariance)), rel=1e-6)


def test_thermometer_has_its_published_numbers():
    result = fit(LinearModel(), (READINGS, CELSIUS))
    assert estimates(result) == pytest.approx([WEIGHT, BIAS], rel=1e-13)
    assert errors(result) == pytest.approx(list(STANDARD_ERRORS.values()), rel=1e-6)


def test_several_inputs_go_to_the_variables_of_their_names():
    frame = pd.DataFrame({"v": X**2, "u": np.cos(X), "y": 2 * np.cos(X) - 0.5 * X**2 + 3})
    plane = FormulaModel("a * u + b * v + c", ["u", "v"], {"a": None, "b": None, "c": None})
    assert estimates(fit(plane, frame, target="y")) == pytest.approx([2.0, -0.5, 3.0], rel=1e-12)


def test_a_misspelt_argument_is_named_before_the_data_are_read():
    with pytest.raises(InputError, match=r"^targt: fit has no such option; did you mean 'target'\?$"):
        fit(LinearModel(), {"x": [0.0, 1.0, 2.0], "y": [1.0, 2.0, 3.0], "z": [0.0, 0.0, 1.0]}, targt="y")


class Plane(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = (nn.Parameter(torch.tensor(0.0)) for _ in range(2))

    def forward(self, u: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        return self.a * u + self.b * v


def test_remaining_columns_go_to_the_arguments_of_their_names():
    columns = {"v": X**2, "u": np.cos(X), "y": 2 * np.cos(X) - 0.5 * X**2}
    assert estimates(fit(Plane(), columns, target="y")) == pytest.approx([2.0, -0.5], rel=1e-12)
    renamed = {"v": columns["v"], "w": columns["u"], "y": columns["y"]}
    with pytest.raises(InputError, match=r"has another place for 'v' than the columns; name the inputs"):
        fit(Plane(), renamed, target="y")
    assert estimates(fit(Plane(), renamed, target="y", inputs=["w", "v"])) == pytest.approx([2.0, -0.5], rel=1e-12)


def test_model_is_left_as_it_was():
    mine = LinearModel(2.5, -1.0)
    mine.train()
    result = fit(mine, (READINGS, CELSIUS))
    assert [(p.item(), p.dtype, p.grad) for p in mine.parameters()] == [
        (2.5, torch.float32, None),
        (-1.0, torch.float32, None),
    ]
    assert mine.training
    assert [p.item() for p in result.curve.model.parameters()] == pytest.approx([WEIGHT, BIAS], rel=1e-12)


def test_fixed_parameter_keeps_all_its_digits():
    tenth = LinearModel(bias={"start": 0.1, "fixed": True})  # float32, which has no 0.1
    result = fit(tenth, (READINGS, CELSIUS))
    x, y = np.array(READINGS), np.array(CELSIUS)
    assert result.parameters["bias"].estimate == 0.1
    assert result.parameters["weight"].estimate == pytest.approx(x @ (y - 0.1) / (x @ x), rel=1e-13)


def test_loss_has_all_digits():
    result = fit(model(), (X, Y))
    assert result.loss["train"] == pytest.approx(np.square(Y - decay(X, *estimates(result))).mean(), rel=1e-12)


def test_predictions_and_bands_are_lmfits():
    theirs = lmfit.Model(decay).fit(Y, x=X, a=2, k=1, c=0, fit_kws={"xtol": 1e-15, "ftol": 1e-15})
    grid = np.linspace(0.5, 8.0, 7)
    bands = fit(model(), (X, Y)).predict(grid)
    # lmfit's uncertainty is Student's quantile times the error; 0.95 is the coverage it is asked for.
    np.testing.assert_allclose(bands.prediction.numpy(), theirs.eval(x=grid), rtol=1e-6)
    half = theirs.eval_uncertainty(x=grid, sigma=0.95)
    np.testing.assert_allclose((bands.confidence[1] - bands.prediction).numpy(), half, rtol=1e-4)
    np.testing.assert_allclose((bands.prediction_band[1] - bands.prediction).numpy(), theirs.dely_predicted, rtol=1e-4)


def test_prediction_band_takes_the_sigma_of_the_new_observation():
    result = fit(model(), (X, Y), sigma=SIGMA)
    assert result.predict([1.0]).prediction_band is None
    bands = result.predict([1.0, 1.0], sigma=[0.1, 0.4])
    half = (bands.prediction_band[1] - bands.prediction).numpy()
    error = bands.standard_error.numpy()
    np.testing.assert_allclose(half, 1.959963984540054 * np.hypot(error, [0.1, 0.4]), rtol=1e-10)


@pytest.mark.parametrize("objective", [SquaredError(), HuberError(0.1)], ids=lambda made: type(made).__name__)
@pytest.mark.parametrize("sigma_is", [None, "absolute", "relative"], ids=str)
def test_result_is_that_of_the_task(objective, sigma_is):
    pd.DataFrame({"x": X, "y": Y, "error": SIGMA}).to_csv("table.csv", index=False)
    known_sigma: dict[str, Any] = {} if sigma_is is None else {"sigma": "error", "sigma_is": sigma_is}
    data = TableDataModule(path="table.csv", inputs=["x"], target="y", **known_sigma)
    task = LeastSquares(model(), objective)
    trainer = Trainer(**QUIET, max_epochs=200)
    trainer.fit(task, data)
    frame = pd.read_csv("table.csv")
    ours = fit(model(), frame, target="y", objective=objective, **known_sigma)
    assert ours.task == type(task).__name__
    assert estimates(ours) == pytest.approx([p.item() for p in task.model.parameters()], rel=1e-12)
    assert ours.updates == trainer.global_step
    curve = task.fitted_curve(data)
    np.testing.assert_allclose(ours.curve.covariance.numpy(), curve.covariance.numpy(), rtol=1e-9)


def test_options_reach_the_solver():
    assert fit(model(k=6), (X, Y), orthogonality=1e6).updates < fit(model(k=6), (X, Y)).updates
    with pytest.raises(InputError, match="damping"):
        fit(model(), (X, Y), damping=-1.0)


def test_module_without_jacobian_is_fitted():
    class Saturation(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.b = nn.Parameter(torch.tensor([1.0, 1.0]))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.b[0] * (1 - torch.exp(-self.b[1] * x))

    y = 4 * (1 - np.exp(-0.6 * X)) + 0.1 * np.sin(11 * X)
    expected, covariance = scipy.optimize.curve_fit(
        lambda x, a, k: a * (1 - np.exp(-k * x)), X, y, xtol=1e-14, ftol=1e-14
    )
    result = fit(Saturation(), (X, y))
    assert list(result.parameters) == ["b[0]", "b[1]"]
    assert estimates(result) == pytest.approx(expected, rel=1e-6)
    assert errors(result) == pytest.approx(np.sqrt(np.diag(covariance)), rel=1e-4)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "sigma_is": ({"sigma_is": "known"}, "sigma_is: expected absolute or relative, but got 'known'"),
    "no iterations": ({"max_iterations": 0}, "max_iterations: expected at least 1, but got 0"),
    "misspelt column": ({"data": {"x": X, "yield": Y}, "target": "yeild"}, "yield"),
    "no target": ({"data": {"x": X, "y": Y, "z": Y}}, "target: say which of the columns"),
    "scipy's option": (
        {"max_nfev": 3},
        r"max_nfev: fit has no such option; did you mean 'max_iterations'\?",
    ),
    "unequal lengths": ({"data": (X, Y[:-1])}, "30 values, but the target '.*' has 29"),
    "NaN": ({"data": (X, np.where(np.arange(30) == 4, math.nan, Y))}, "row 4"),
    "sigma 0": ({"sigma": np.where(np.arange(30) == 7, 0.0, SIGMA)}, "sigma is 0 in row 7"),
    "negative sigma": ({"sigma": -0.5}, "sigma is -0.5 in row 0"),
    "sigma by name without names": ({"sigma": "error"}, "have no names"),
    "too few rows": ({"data": (X[:2], Y[:2])}, "2 observations cannot determine 3 parameters"),
    "likelihood": ({"objective": NegativeLogLikelihood()}, "needs a model whose forward returns a torch"),
    "absolute error": ({"objective": AbsoluteError()}, "not AbsoluteError"),
    "penalty": ({"objective": SquaredError(l2=0.1)}, "penalty"),
    "start not finite": (
        {"model": FormulaModel("a / x", ["x"], {"a": 1})},
        r"not finite at the start .* in row 0 \(input 0\)",
    ),
    "two inputs": ({"data": (X, X, Y)}, "1 variables.*2 input columns"),
}


@pytest.mark.parametrize(("changed", "words"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_fitted_is_refused_in_one_line(changed, words):
    given = {"model": model(), "data": (X, Y), **changed}
    with pytest.raises(InputError, match=words) as refusal:
        fit(given.pop("model"), given.pop("data"), **given)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "option", [name for name in inspect.signature(LevenbergMarquardt).parameters if name != "params"]
)
def test_every_option_of_the_solver_is_taken(option):
    with pytest.raises(InputError, match=f"^{option}: expected a number above 0, but got -1"):
        fit(model(), (X, Y), **{option: -1.0})


def test_zeros_are_fitted_by_zeros_without_a_sign():
    result = fit(FormulaModel("a + b * x", ["x"], {"a": None, "b": None}), (X, np.zeros(30)))
    for estimate in result.parameters.values():
        numbers = (estimate.estimate, estimate.standard_error, *estimate.interval_95)
        assert list(map(str, numbers)) == ["0.0"] * 4


@pytest.mark.parametrize("place", [15.0, -5.0, 20.0, 25.0, -8.0])
@pytest.mark.parametrize("formula", ["a*exp(-((x-m)/s)**2)", "a*exp(-(x-m)**2/(2*s**2))", "a*exp(-s*(x-m)**2)"])
@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_peak_that_is_not_seen_from_the_start_is_found_or_not_called_converged(place, formula, noise):
    x = np.linspace(0.1, 10, 40)
    y = np.exp(-((x - 5) ** 2)) + noise * np.random.default_rng(1).normal(size=40)
    result = fit(FormulaModel(formula, ["x"], {"a": None, "m": place, "s": 1}), (x, y))
    if abs(result.parameters["m"].estimate - 5) < 0.1:
        assert result.status == "converged"
    elif result.status == "converged":  # on a point that noise has raised: a minimum, if a poor one
        assert 0 < result.parameters["m"].estimate < 10.2
        assert any("fits worse than a constant" in warning for warning in result.warnings)
    else:
        assert "give other starts" in result.reason or "no step lowers the loss" in result.reason


def test_parameter_too_many_does_not_make_a_fit_fail():
    x = np.linspace(0, 4, 30)
    model = FormulaModel("a*exp(-(b + c)*x)", ["x"], {"a": 1.0, "b": 0.5, "c": 0.1})
    result = fit(model, (x, 2 * np.exp(-1.3 * x) + 0.01 * np.random.default_rng(1).normal(size=30)))
    assert result.status == "converged"
    assert result.parameters["b"].estimate + result.parameters["c"].estimate == pytest.approx(1.3, abs=0.05)


@pytest.mark.parametrize(("given", "words"), [
    ("a*exp(-k*x)", "got a str; give FormulaModel"),
    (lambda x, a, k: a * torch.exp(-k * x), "got a function; give FunctionModel"),
    (LinearModel, r"got a \w+; give one, LinearModel\(\.\.\.\)"),
    (3, "got a int; give a torch.nn.Module"),
], ids=["formula", "function", "class", "number"])  # fmt: skip
def test_what_is_no_model_is_refused_with_what_to_give(given, words):
    with pytest.raises(InputError, match=words):
        fit(given, ([1.0, 2.0, 3.0], [1.0, 2.0, 2.5]))


@pytest.mark.parametrize("shape", [(30, 1), (), (1,)], ids=str)
def test_prediction_of_another_shape_is_refused(shape):
    class Shaped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.level = nn.Parameter(torch.ones((), dtype=torch.float64))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.level * torch.ones(shape, dtype=torch.float64)

    with pytest.raises(InputError, match="shapes do not match: the model's prediction has"):
        fit(Shaped(), (X, Y))


@pytest.mark.parametrize("data", [
    pytest.param({"u": X, "y": 2 * X + 3 * X**2, "v": X**2}, id="mapping"),
    pytest.param({"u": X, "s": 1 + X, "y": 2 * X + 3 * X**2, "v": X**2}, id="with sigma"),
])  # fmt: skip
def test_columns_that_are_left_are_the_inputs(data):
    model = OwnModule(lambda own, u, v: own.a * u + own.b * v, a=1.0, b=1.0)
    result = fit(model, data, target="y", sigma="s" if "s" in data else None)
    assert [result.parameters[name].estimate for name in "ab"] == pytest.approx([2.0, 3.0])


@pytest.mark.parametrize(("data", "target", "words"), [
    ({"u": X, "y": X, "v": X}, "y", r"inputs: OwnModule.forward takes another number of inputs .* \('u', 'v'\); name"),
    ({"u": X, "y": X, "v": X}, "yy", r"data: there is no column 'yy'; did you mean 'y'"),
])  # fmt: skip
def test_columns_that_are_left_and_no_inputs_are_refused(data, target, words, monkeypatch):
    monkeypatch.setattr(OwnModule, "forward", lambda own, u: own.a * u)
    with pytest.raises(InputError, match=words):
        fit(OwnModule(lambda own, u: own.a * u, a=1.0), data, target=target)
