"""A fit in one call, beside SciPy and lmfit."""

import inspect
import io
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
from rich.console import Console
from torch import nn

from paramfit.data.table import TableDataModule
from paramfit.errors import InputError
from paramfit.fits.fitting import fit
from paramfit.fits.result import FitResult
from paramfit.models import FormulaModel, LinearModel
from paramfit.objectives import AbsoluteError, HuberError, NegativeLogLikelihood, Objective, SquaredError
from paramfit.observations import Observations
from paramfit.solvers.levenberg_marquardt import LevenbergMarquardt
from paramfit.tasks import LeastSquares
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
    return [found.estimate for found in result.parameters.values()]


def errors(result: FitResult) -> list[float | None]:
    return [found.standard_error for found in result.parameters.values()]


def curve_fit(sigma: Array | None = None, *, absolute: bool = False) -> tuple[Array, Any]:
    found: tuple[Array, Any] = scipy.optimize.curve_fit(
        decay, X, Y, p0=(3, 0.8, 0.5), sigma=sigma, absolute_sigma=absolute, xtol=1e-15, ftol=1e-15, gtol=1e-15,
        jac=lambda x, a, k, c: np.stack([np.exp(-k * x), -a * x * np.exp(-k * x), np.ones_like(x)], axis=1),
    )  # fmt: skip
    return found


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
def test_estimates_are_scipys_from_data_in_any_form(data: Any, names: dict[str, str]) -> None:
    result = fit(model(), data, **names)
    expected, covariance = curve_fit()
    assert result.status == "converged"
    assert estimates(result) == pytest.approx(expected, rel=1e-7)
    assert errors(result) == pytest.approx(np.sqrt(np.diag(covariance)), rel=1e-6)


@pytest.mark.parametrize("sigma_is", ["absolute", "relative"])
@pytest.mark.parametrize("given", ["column", "array", "tensor", "observations"])
def test_known_errors_are_as_in_scipy(given: str, sigma_is: str) -> None:
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
    assert result.covariance is not None
    assert result.covariance["parameters"] == ["a", "k", "c"]
    np.testing.assert_allclose(result.covariance["matrix"], covariance, rtol=1e-5)
    assert result.least_squares is not None
    assert result.least_squares["sigma_is"] == sigma_is


def test_one_number_is_the_sigma_of_every_row() -> None:
    _, covariance = curve_fit(np.full(30, 0.3), absolute=True)
    assert errors(fit(model(), (X, Y), sigma=0.3)) == pytest.approx(np.sqrt(np.diag(covariance)), rel=1e-6)


@pytest.mark.parametrize("sigma_is", ["absolute", "relative"])
def test_common_factor_of_sigma_changes_absolute_errors_only(sigma_is: str) -> None:
    one, three = (fit(model(), (X, Y), sigma=factor * SIGMA, sigma_is=sigma_is) for factor in (1, 3))
    assert estimates(three) == pytest.approx(estimates(one), rel=1e-9)
    factor = 3 if sigma_is == "absolute" else 1
    assert errors(three) == pytest.approx([factor * error for error in errors(one) if error is not None], rel=1e-8)


def test_thermometer_has_its_published_numbers() -> None:
    result = fit(LinearModel(), (READINGS, CELSIUS))
    assert estimates(result) == pytest.approx([WEIGHT, BIAS], rel=1e-13)
    assert errors(result) == pytest.approx(list(STANDARD_ERRORS.values()), rel=1e-6)


def test_several_inputs_go_to_the_variables_of_their_names() -> None:
    frame = pd.DataFrame({"v": X**2, "u": np.cos(X), "y": 2 * np.cos(X) - 0.5 * X**2 + 3})
    plane = FormulaModel("a * u + b * v + c", ["u", "v"], {"a": None, "b": None, "c": None})
    assert estimates(fit(plane, frame, target="y")) == pytest.approx([2.0, -0.5, 3.0], rel=1e-12)


def test_model_is_left_as_it_was() -> None:
    mine = LinearModel(2.5, -1.0)
    mine.train()
    result = fit(mine, (READINGS, CELSIUS))
    assert [(p.item(), p.dtype, p.grad) for p in mine.parameters()] == [
        (2.5, torch.float32, None),
        (-1.0, torch.float32, None),
    ]
    assert mine.training
    assert result.curve is not None
    assert [p.item() for p in result.curve.model.parameters()] == pytest.approx([WEIGHT, BIAS], rel=1e-12)


def test_fixed_parameter_keeps_all_its_digits() -> None:
    tenth = LinearModel(bias={"start": 0.1, "fixed": True})  # float32, which has no 0.1
    result = fit(tenth, (READINGS, CELSIUS))
    x, y = np.array(READINGS), np.array(CELSIUS)
    assert result.parameters["bias"].estimate == 0.1
    assert result.parameters["weight"].estimate == pytest.approx(x @ (y - 0.1) / (x @ x), rel=1e-13)


def test_loss_is_the_mean_squared_residual() -> None:
    result = fit(model(), (X, Y))
    expected = np.square(Y - decay(X, *curve_fit()[0])).mean()
    assert result.loss["train"] == pytest.approx(expected, rel=1e-6)
    assert result.n_observations == {"train": 30, "val": 0}


def test_loss_has_all_digits() -> None:
    result = fit(model(), (X, Y))
    assert result.loss["train"] == pytest.approx(np.square(Y - decay(X, *estimates(result))).mean(), rel=1e-12)


def test_predictions_and_bands_are_lmfits() -> None:
    theirs = lmfit.Model(decay).fit(Y, x=X, a=2, k=1, c=0, fit_kws={"xtol": 1e-15, "ftol": 1e-15})
    grid = np.linspace(0.5, 8.0, 7)
    bands = fit(model(), (X, Y)).predict(grid)
    # lmfit's uncertainty is Student's quantile times the error; 0.95 is the coverage it is asked for.
    np.testing.assert_allclose(bands.prediction.numpy(), theirs.eval(x=grid), rtol=1e-6)
    half = theirs.eval_uncertainty(x=grid, sigma=0.95)
    np.testing.assert_allclose((bands.confidence[1] - bands.prediction).numpy(), half, rtol=1e-4)
    assert bands.prediction_band is not None
    np.testing.assert_allclose((bands.prediction_band[1] - bands.prediction).numpy(), theirs.dely_predicted, rtol=1e-4)


def test_prediction_band_takes_the_sigma_of_the_new_observation() -> None:
    result = fit(model(), (X, Y), sigma=SIGMA)
    assert result.predict([1.0]).prediction_band is None
    bands = result.predict([1.0, 1.0], sigma=[0.1, 0.4])
    assert bands.prediction_band is not None
    half = (bands.prediction_band[1] - bands.prediction).numpy()
    error = bands.standard_error.numpy()
    np.testing.assert_allclose(half, 1.959963984540054 * np.hypot(error, [0.1, 0.4]), rtol=1e-10)


def test_wrong_number_of_inputs_is_refused_when_predicting() -> None:
    with pytest.raises(InputError, match="inputs"):
        fit(model(), (X, Y)).predict([1.0], [2.0])


def test_notebook_and_terminal_show_the_same_report() -> None:
    result = fit(model(k={"start": 1, "unit": "1/s"}), (X, Y))
    out = io.StringIO()
    Console(file=out, width=100).print(result)
    html = result._repr_html_()
    for told in ("converged", "1/s", "95 % interval", "27 degrees of freedom"):
        assert told in out.getvalue()
        assert told in html
    assert html.startswith("<pre>")
    assert html.endswith("</pre>")


@pytest.mark.parametrize("objective", [SquaredError(), HuberError(0.1)], ids=lambda made: type(made).__name__)
@pytest.mark.parametrize("sigma_is", [None, "absolute", "relative"], ids=str)
def test_result_is_that_of_the_task(objective: Objective, sigma_is: str | None) -> None:
    pd.DataFrame({"x": X, "y": Y, "error": SIGMA}).to_csv("table.csv", index=False)
    known: dict[str, Any] = {} if sigma_is is None else {"sigma": "error", "sigma_is": sigma_is}
    data = TableDataModule(path="table.csv", inputs=["x"], target="y", **known)
    task = LeastSquares(model(), objective)
    trainer = Trainer(
        max_epochs=200, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(task, data)
    frame = pd.read_csv("table.csv")
    ours = fit(model(), frame, target="y", objective=objective, **known)
    assert ours.task == type(task).__name__
    assert estimates(ours) == pytest.approx([p.item() for p in task.model.parameters()], rel=1e-12)
    assert ours.updates == trainer.global_step
    curve = task.fitted_curve(data)
    assert curve is not None
    assert ours.curve is not None
    np.testing.assert_allclose(ours.curve.covariance.numpy(), curve.covariance.numpy(), rtol=1e-9)


def test_limit_of_iterations_is_told() -> None:
    result = fit(model(k=6), (X, Y), max_iterations=2)
    assert (result.status, result.updates) == ("limit_reached", 2)
    assert "not converged in 2 iterations" in result.reason


def test_options_reach_the_solver() -> None:
    assert fit(model(k=6), (X, Y), orthogonality=1e6).updates < fit(model(k=6), (X, Y)).updates
    with pytest.raises(InputError, match="damping"):
        fit(model(), (X, Y), damping=-1.0)


def test_module_without_jacobian_is_fitted() -> None:
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
        "max_nfev: .* damping, orthogonality, step_tolerance, cost_tolerance, and there is max_iterations",
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


@pytest.mark.parametrize(("changed", "told"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_fitted_is_refused_in_one_line(changed: dict[str, Any], told: str) -> None:
    given = {"model": model(), "data": (X, Y), **changed}
    with pytest.raises(InputError, match=told) as refusal:
        fit(given.pop("model"), given.pop("data"), **given)
    assert "\n" not in str(refusal.value)


def test_misspelt_option_is_refused() -> None:
    with pytest.raises(InputError, match="dampnig"):
        fit(model(), (X, Y), dampnig=1.0)


@pytest.mark.parametrize(
    "option", [name for name in inspect.signature(LevenbergMarquardt).parameters if name != "params"]
)
def test_every_option_of_the_solver_is_taken(option: str) -> None:
    with pytest.raises(InputError, match=f"^{option}: expected a number above 0, but got -1"):
        fit(model(), (X, Y), **{option: -1.0})


def test_zeros_are_fitted_by_zeros_without_a_sign() -> None:
    result = fit(FormulaModel("a + b * x", ["x"], {"a": None, "b": None}), (X, np.zeros(30)))
    for found in result.parameters.values():
        assert found.interval_95 is not None
        numbers = (found.estimate, found.standard_error, *found.interval_95)
        assert list(map(str, numbers)) == ["0.0"] * 4


def test_parameter_without_influence_is_named_instead_of_given_an_error() -> None:
    x = np.linspace(1, 5, 30)
    y = 2 * np.exp(-0.7 * x) + 0.01 * np.cos(9 * x)
    free = FormulaModel("b1*exp(-b2*x) + exp(-b3*x)", ["x"], {"b1": None, "b2": 0.7, "b3": 60})
    result = fit(free, (x, y))
    reduced = fit(FormulaModel("b1*exp(-b2*x)", ["x"], {"b1": None, "b2": 0.7}), (x, y))
    assert result.parameters["b3"].standard_error is None
    assert result.notes["standard_error"] == "b3 does not change the prediction at the estimate"
    assert result.reason.startswith("b3 is where no prediction depends on it")
    assert errors(result)[:2] == pytest.approx(errors(reduced), rel=1e-6)


def test_data_are_not_changed() -> None:
    x, y, sigma = X.copy(), Y.copy(), SIGMA.copy()
    fit(model(), (x, y), sigma=sigma)
    assert np.array_equal(x, X)
    assert np.array_equal(y, Y)
    assert np.array_equal(sigma, SIGMA)


def test_every_argument_is_documented() -> None:
    documented = inspect.getdoc(fit) or ""
    assert all(f"{name}: " in documented for name in inspect.signature(fit).parameters)


def test_robust_fit_has_a_prediction_band_only_where_sigma_is_known_absolutely() -> None:
    # How far off the next observation may be is not to be read from residuals with outliers in them.
    relative = fit(model(), (X, Y), sigma=SIGMA, sigma_is="relative", objective=HuberError(2.0))
    absolute = fit(model(), (X, Y), sigma=SIGMA, objective=HuberError(2.0))
    plain = fit(model(), (X, Y), objective=HuberError(2.0))
    assert relative.predict([1.0], sigma=[0.1]).prediction_band is None
    assert plain.predict([1.0]).prediction_band is None
    assert absolute.predict([1.0], sigma=[0.1]).prediction_band is not None


@pytest.mark.parametrize("place", [15.0, -5.0, 20.0, 25.0, -8.0])
@pytest.mark.parametrize("formula", ["a*exp(-((x-m)/s)**2)", "a*exp(-(x-m)**2/(2*s**2))", "a*exp(-s*(x-m)**2)"])
@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_peak_that_is_not_seen_from_the_start_is_found_or_not_called_converged(
    place: float, formula: str, noise: float
) -> None:
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


def test_parameter_too_many_does_not_make_a_fit_fail() -> None:
    x = np.linspace(0, 4, 30)
    model = FormulaModel("a*exp(-(b + c)*x)", ["x"], {"a": 1.0, "b": 0.5, "c": 0.1})
    result = fit(model, (x, 2 * np.exp(-1.3 * x) + 0.01 * np.random.default_rng(1).normal(size=30)))
    assert result.status == "converged"
    assert result.parameters["b"].estimate + result.parameters["c"].estimate == pytest.approx(1.3, abs=0.05)


def test_names_in_another_order_than_the_variables_are_refused() -> None:
    model = FormulaModel("a*x + b*z", ["x", "z"], {"a": None, "b": None})
    table = {"x": [1.0, 2.0, 3.0], "z": [1.0, 0.0, 1.0], "y": [2.0, 2.0, 4.0]}
    with pytest.raises(InputError, match=r"the columns are z, x.*variables are x, z"):
        fit(model, table, inputs=["z", "x"])


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("a*exp(-k*x)", "got a str; give FormulaModel"),
        (lambda x, a, k: a * torch.exp(-k * x), "got a function; give FunctionModel"),
        (LinearModel, r"got a \w+; give one, LinearModel\(\.\.\.\)"),
        (3, "got a int; give a torch.nn.Module"),
    ],
    ids=["formula", "function", "class", "number"],
)
def test_what_is_no_model_is_refused_with_what_to_give(given: Any, told: str) -> None:
    with pytest.raises(InputError, match=told):
        fit(given, ([1.0, 2.0, 3.0], [1.0, 2.0, 2.5]))
