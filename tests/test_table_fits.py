"""A table and a formula through the command line: what a practitioner types, and what comes back."""

import csv
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import curve_fit

from paramfit.cli import main
from tests.command_line import estimates_of_run, one_error_line, part, run_of

STARTS = {"b1": 250, "b2": {"start": 5.0e-4, "lower": 0}}
CURVE = part("FormulaModel", formula="b1 * (1 - exp(-b2 * x))", variables=["x"], parameters=STARTS)
TABLE = part("TableDataModule", path="measurements.csv", inputs=["x"], target="y", sigma="y_error")
SATURATION = {"model": part("LeastSquares", model=CURVE), "data": TABLE}

NO_PLOTS = ("--plots.enabled", "false")


def saturation(x: NDArray[np.float64], b1: float, b2: float) -> NDArray[np.float64]:
    return b1 * (1 - np.exp(-b2 * x))


def measured(n: int = 24) -> NDArray[np.float64]:
    """Rows of x, y and the known error of y."""
    x = np.linspace(100, 3000, n)
    error = np.where(np.arange(n) % 2, 1.0, 2.0)
    return np.stack([x, saturation(x, 240, 5e-4) + error * np.random.default_rng(0).normal(size=n), error], axis=1)


def rows_as_text(rows: NDArray[np.float64]) -> str:
    return "x,y,y_error\n" + "".join(",".join(repr(float(cell)) for cell in row) + "\n" for row in rows)


@pytest.fixture(autouse=True)
def table_and_config() -> None:
    Path("measurements.csv").write_text(rows_as_text(measured()))
    Path("saturation.yaml").write_text(yaml.safe_dump(SATURATION))


def fit(*options: str) -> int:
    return main(["fit", "--config", "saturation.yaml", *NO_PLOTS, *options])


def the_run(version: int = 0) -> Path:
    return run_of("saturation", version)


def written(version: int = 0, name: str = "saturation") -> dict[str, Any]:
    return estimates_of_run(name, version)


def scipys(absolute: bool = True, sigma: bool = True) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    x, y, error = measured().T
    actual = curve_fit(
        saturation, x, y, [250, 5e-4], error if sigma else None, absolute, xtol=1e-14, ftol=1e-14, gtol=1e-14
    )
    return actual[0], actual[1]


def estimates_of(result: dict[str, Any], key: str = "estimate") -> list[float]:
    return [result["parameters"][name][key] for name in ("b1", "b2")]


def test_a_table_and_a_formula_need_no_trainer_section():
    assert main(["fit", "--config", "saturation.yaml"]) == 0
    result = written()
    values, covariance = scipys()
    assert result["status"] == "converged"
    assert result["n_observations"] == {"train": 24, "val": 0}
    assert estimates_of(result) == pytest.approx(values, rel=1e-7)
    assert estimates_of(result, "standard_error") == pytest.approx(np.sqrt(np.diag(covariance)), rel=1e-5)
    files = {str(path.relative_to(the_run())) for path in the_run().rglob("*.*") if path.is_file()}
    assert {"config.yaml", "checkpoints/best.ckpt", "checkpoints/last.ckpt", "figures/fit.png"} <= files


def test_a_saved_config_repeats_the_fit():
    assert fit() == 0
    assert main(["fit", "--config", str(the_run() / "config.yaml")]) == 0
    assert written(0) == written(1)


def test_the_result_holds_what_the_report_is_made_of():
    assert fit() == 0
    result = written()
    _, covariance = scipys()
    assert result["covariance"]["parameters"] == ["b1", "b2"]
    assert np.array(result["covariance"]["matrix"]) == pytest.approx(covariance, rel=1e-5)
    deviation = np.sqrt(np.diag(covariance))
    expected = covariance / np.outer(deviation, deviation)
    assert np.array(result["correlation"]["matrix"]) == pytest.approx(expected, rel=1e-6)
    x, y, error = measured().T
    chi_square = (((y - saturation(x, *scipys()[0])) / error) ** 2).sum()
    assert result["least_squares"]["chi_square"] == pytest.approx(chi_square, rel=1e-9)
    assert result["least_squares"]["sigma_is"] == "absolute"
    assert result["least_squares"]["degrees_of_freedom"] == 22
    assert result["warnings"] == []


@pytest.mark.parametrize("sigma", [True, False], ids=["relative", "none"])
def test_errors_that_are_not_absolute_are_scaled_by_the_residuals(sigma):
    assert fit(*(("--data.sigma_is", "relative") if sigma else ("--data.sigma", "null"))) == 0
    values, covariance = scipys(absolute=False, sigma=sigma)
    assert estimates_of(written()) == pytest.approx(values, rel=1e-7)
    assert estimates_of(written(), "standard_error") == pytest.approx(np.sqrt(np.diag(covariance)), rel=1e-5)
    assert written()["least_squares"]["chi_square"] is None


WAYS = {
    "batches": ("--data.batch_size", "7", "--data.shuffle", "true"),
    "another start": ("--model.model.parameters.b1", "300"),
    "another start and bounds": ("--model.model.parameters.b1", "{start: 300, lower: 0, upper: 1000, unit: mm}"),
    "no start where it is linear": ("--model.model.parameters", "{b1: null, b2: 5.0e-4}"),
    "several files": ("--data.path", "part_*.csv"),
    "dropped rows": ("--data.path", "holes.csv", "--data.missing", "drop"),
}


@pytest.mark.parametrize("way", WAYS)
def test_other_ways_lead_to_the_same_place(way):
    rows = measured()
    Path("part_1.csv").write_text(rows_as_text(rows[:10]))
    Path("part_2.csv").write_text(rows_as_text(rows[10:]))
    Path("holes.csv").write_text(rows_as_text(rows) + "50,NA,1\n60,,1\n")
    assert fit(*WAYS[way]) == 0
    assert written()["status"] == "converged"
    assert estimates_of(written()) == pytest.approx(scipys()[0], rel=1e-7)


@pytest.mark.parametrize("place", ["model.model", "model.init_args.model.init_args"])
def test_a_start_alone_on_the_command_line_leaves_the_bound_and_the_other_parameter(place):
    assert fit(f"--{place}.parameters.b2.start", "0.001") == 0
    saved = yaml.safe_load((the_run() / "config.yaml").read_text())["model"]["init_args"]["model"]["init_args"]
    assert saved["parameters"] == {"b1": 250, "b2": {"start": 0.001, "lower": 0}}
    assert estimates_of(written()) == pytest.approx(scipys()[0], rel=1e-7)


def test_another_formula_on_the_command_line_is_fitted():
    assert fit("--model.model.formula", "b1 * b2 * x / (1 + b2 * x)") == 0
    x, y, error = measured().T
    values, _ = curve_fit(
        lambda x, b1, b2: b1 * b2 * x / (1 + b2 * x), x, y, [250, 5e-4], error, True, xtol=1e-14, ftol=1e-14
    )
    assert estimates_of(written()) == pytest.approx(values, rel=1e-6)


def predictions(*options: str) -> None:
    assert main(["predict", "--config", "saturation.yaml", "--ckpt_path", "last", *options]) == 0


def predicted_by_hand() -> dict[str, NDArray[np.float64]]:
    """The curve and the normal 95 % bands of known errors, from scipy's covariance."""
    x, _, error = measured().T
    (b1, b2), covariance = scipys()
    slopes = np.stack([1 - np.exp(-b2 * x), b1 * x * np.exp(-b2 * x)], axis=1)
    standard_error = np.sqrt(np.einsum("ni,ij,nj->n", slopes, covariance, slopes))
    curve, q = saturation(x, b1, b2), 1.959963984540054
    wide = np.hypot(standard_error, error)
    return {
        "x": x, "prediction": curve, "standard_error": standard_error, "confidence_low": curve - q * standard_error,
        "confidence_high": curve + q * standard_error, "prediction_low": curve - q * wide,
        "prediction_high": curve + q * wide,
    }  # fmt: skip


def test_predict_writes_both_bands_as_csv():
    assert fit() == 0
    predictions()
    with (the_run() / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    for name, expected in predicted_by_hand().items():
        assert [float(row[name]) for row in rows] == pytest.approx(expected, rel=1e-5), name
    assert {row["part"] for row in rows} == {"train"}


def test_predictions_at_other_inputs_have_both_bands_where_the_errors_are_known(capsys):
    assert fit() == 0
    Path("new.csv").write_text("x,y_error\n500,1\n4000,3\n")
    predictions("--predictions.at", "new.csv")
    with (the_run() / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["x"]) for row in rows] == [500, 4000]
    for row, error in zip(rows, (1, 3), strict=True):
        half = (float(row["prediction_high"]) - float(row["prediction_low"])) / 2
        assert half == pytest.approx(1.959963984540054 * np.hypot(float(row["standard_error"]), error), rel=1e-9)
    assert "no column" not in capsys.readouterr().out


@pytest.mark.parametrize(("text", "named"), [
    ("x,y_error\n500,1\n4000,many\n", ["new.csv: line 3, column 'y_error'", "many"]),
    ("z,y_error\n500,1\n", ["new.csv: there is no column 'x'"]),
    (None, ["predictions.at: there is no file new.csv; ", "'measurements.csv'"]),
], ids=["text", "no input", "no file"])  # fmt: skip
def test_a_mistake_in_the_table_to_predict_at_is_told(text, named, capsys):
    assert fit() == 0
    if text is not None:
        Path("new.csv").write_text(text)
    capsys.readouterr()
    at = ["--ckpt_path", "last", "--predictions.at", "new.csv"]
    assert main(["predict", "--config", "saturation.yaml", *at]) == 2
    line = one_error_line(capsys)
    assert all(part in line for part in named), line
    assert not (the_run() / "predictions.csv").exists()


@pytest.mark.parametrize("command", ["validate", "predict"])
def test_a_solved_task_has_nothing_to_say_of_its_starts(command, capsys):
    assert main([command, "--config", "saturation.yaml"]) == 2
    assert f"ckpt_path: {command} needs a fit" in one_error_line(capsys)


def test_a_checkpoint_is_not_decoded_by_another_models_bounds_or_formula(capsys):
    bound = (["--model.model.parameters.b2.upper", "10"], "b2 was fitted with lower 0, this configuration has lower 0")
    formula = (["--model.model.formula", "b1 * (1 - exp(-b2 * x**2))"], "the formula was b1 * (1 - exp(-b2 * x)) in")
    assert fit("--report.enabled", "false") == 0
    capsys.readouterr()
    for command, (options, each) in (("fit", bound), ("validate", formula), ("predict", bound)):
        assert main([command, "--config", "saturation.yaml", "--ckpt_path", "last", *options]) == 2
        line = one_error_line(capsys)
        assert each in line
        assert "give --config RUN/config.yaml" in line
    assert not the_run(1).exists()


def test_test_gives_the_coverage_of_the_band_on_held_out_rows(capsys):
    rows = measured(80)
    Path("measurements.csv").write_text(rows_as_text(rows))
    assert fit("--data.validation_fraction", "0.25") == 0
    predictions("--data.validation_fraction", "0.25")
    with (the_run() / "predictions.csv").open() as file:
        held_out = [row for row in csv.DictReader(file) if row["part"] == "val"]
    inside = [float(row["prediction_low"]) <= float(row["y"]) <= float(row["prediction_high"]) for row in held_out]
    assert len(held_out) == 20
    capsys.readouterr()
    options = ["--ckpt_path", "last", "--data.validation_fraction", "0.25"]
    assert main(["test", "--config", "saturation.yaml", *options]) == 0
    shown = re.search(r"test/band_coverage\W+([\d.]+)", capsys.readouterr().out)
    assert float(shown[1]) == pytest.approx(sum(inside) / 20, abs=1e-6)


def test_a_fixed_parameter_keeps_its_start_and_has_no_error():
    assert fit("--model.model.parameters.b1", "{start: 240, fixed: true}") == 0
    x, y, error = measured().T
    (b2,), ((variance,),) = curve_fit(lambda x, b2: saturation(x, 240, b2), x, y, [5e-4], error, True)
    actual = written()["parameters"]
    assert (actual["b1"]["estimate"], actual["b1"]["standard_error"]) == (240, None)
    assert actual["b2"]["estimate"] == pytest.approx(b2, rel=1e-6)
    assert actual["b2"]["standard_error"] == pytest.approx(variance**0.5, rel=1e-4)


FUNCTION = """
import torch


def saturation(x, b1, b2):
    return b1 * (1 - torch.exp(-b2 * x))
"""


def test_a_function_from_a_file_in_the_working_directory_is_fitted():
    Path("curves_of_mine.py").write_text(FUNCTION)
    sys.path.append(str(Path.cwd()))  # what the console script does once; this process has done it elsewhere
    mine = part("FunctionModel", function="curves_of_mine.saturation", parameters={"b1": 250, "b2": 5.0e-4})
    config = {"model": part("LeastSquares", model=mine), "data": TABLE}
    Path("saturation.yaml").write_text(yaml.safe_dump(config))
    assert fit() == 0
    assert estimates_of(written()) == pytest.approx(scipys()[0], rel=1e-7)


LINE = part("FormulaModel", formula="slope * x + level", variables=["x"], parameters={"slope": 1.0, "level": 0.0})


BY_HAND = part("GradientDescent", lr=0.3)


@pytest.mark.parametrize(("task", "options"), [
    ("Regression", {"optimizer": part("torch.optim.Adam", lr=0.1)}),
    ("HandWrittenDescent", {"gradient": part("AnalyticGradient"), "optimizer": BY_HAND}),
    ("HandWrittenDescent", {"gradient": part("AutogradGradient"), "optimizer": BY_HAND}),
    ("HandWrittenDescent", {"gradient": part("NumericalGradient"), "optimizer": BY_HAND}),
], ids=["Adam", "analytic", "autograd", "numerical"])  # fmt: skip
def test_a_formula_works_in_the_tasks_of_the_lessons(task, options):
    x = np.linspace(-1, 1, 12)
    y = 3 * x - 2 + 0.1 * np.cos(40 * x)
    Path("line.csv").write_text("x,y\n" + "".join(f"{float(a)!r},{float(b)!r}\n" for a, b in zip(x, y, strict=True)))
    config = {
        "model": part(task, model=LINE, updates_per_step=100, **options),
        "data": part("TableDataModule", path="line.csv", inputs=["x"], target="y"),
        "trainer": {"max_epochs": 20},
        "plots": {"enabled": False},
    }
    Path("line.yaml").write_text(yaml.safe_dump(config))
    assert main(["fit", "--config", "line.yaml"]) == 0
    actual = written(name="line")["parameters"]
    slope, level = np.polyfit(x, y, 1)
    assert actual["slope"]["estimate"] == pytest.approx(slope, rel=1e-4)
    assert actual["level"]["estimate"] == pytest.approx(level, rel=1e-4)


GOOD = rows_as_text(measured())

# One of each kind; what else can be wrong is tested where it is refused.
# What is wrong: the table (None: the good one), the options, and what the line has to name.
MISTAKES: dict[str, tuple[str | None, list[str], list[str]]] = {
    "missing file": (None, ["--data.path", "measurement.csv"], ["measurement.csv", "did you mean 'measurements.csv'?"]),
    "inputs in another order": (None,
        [*("--data.inputs", "[y_error, x]", "--data.sigma", "null", "--model.model.variables", "[x, y_error]"),
        *("--model.model.formula", "b1 * (1 - exp(-b2 * x)) * y_error")],
        ["data.inputs: the columns are y_error, x, but the model's variables are x, y_error"]),
    "misspelt input": (None, ["--data.inputs", "[xx]"], ["measurements.csv", "'xx'", "did you mean 'x'?"]),
    "text cell": (GOOD + "5,many,1\n", [], ["measurements.csv", "line 26", "'y'", "many"]),
    "empty cell": (GOOD + "5,,1\n", [], ["measurements.csv", "line 26", "'y'", "missing: drop"]),
    "fewer rows than parameters": ("x,y,y_error\n1,2,1\n", [], ["1 observation cannot determine 2 parameters"]),
    "row outside": (None, ["--data.validation_rows", "[24]"], ["data.validation_rows: row 24"]),
    "another number of inputs": (None, ["--data.inputs", "[x, y_error]", "--data.sigma", "null"], ["2 input columns"]),
    "unknown symbol": (None, ["--model.model.formula", "b1 * (1 - exp(-b22 * x))"], ["'b22'", "b2"]),
    "start outside its bounds": (None, ["--model.model.parameters.b2", "{start: -1, lower: 0}"],
        ["b2.start: ", "outside its bounds"]),
    "not finite at the start": (None, ["--model.model.formula", "b1 + log(b2 * (x - 500))"], ["row 0", "not finite"]),
    "likelihood": (None, ["--model.objective", "NegativeLogLikelihood"], ["objective", "NegativeLogLikelihood"]),
    "descent": (None, ["--model.optimizer", "torch.optim.Adam"], ["LeastSquares takes LevenbergMarquardt"]),
    "clipping": (None, ["--trainer.gradient_clip_val", "1"], ["trainer.gradient_clip_val"]),
    "unread format": (None, ["--data.path", "saturation.yaml"], ["saturation.yaml", ".parquet"]),
}  # fmt: skip


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_ends_in_one_line_and_leaves_nothing(case, capsys):
    text, options, named = MISTAKES[case]
    if text is not None:
        Path("measurements.csv").write_text(text)
    assert fit(*options) == 2
    line = one_error_line(capsys)
    assert all(part in line for part in named), line
    assert not Path("lightning_logs").exists()


FUZZ = settings(
    max_examples=30, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
PIECES = ["b1", "b2", "x", "exp", "log", "(", ")", "+", "-", "*", "/", "**", "^", "2", "1e9", ",", ".", "_", "'", " "]
FORMULAS = st.lists(st.sampled_from(PIECES), min_size=1, max_size=9).map(lambda tail: "b1*b2*x+" + "".join(tail))


def ending(capsys: pytest.CaptureFixture[str], *options: str) -> int:
    """Exit code 0, 2 with one line, or 3; never a traceback."""
    capsys.readouterr()
    code = fit("--trainer.max_epochs", "20", "--trainer.logger", "false", *options)
    assert code in (0, 2, 3)
    if code == 2:
        one_error_line(capsys)
    return code


@pytest.mark.slow
@FUZZ
@given(formula=FORMULAS | st.text(max_size=30))
def test_any_text_as_a_formula_ends_in_a_fit_or_in_one_line(formula, capsys):
    ending(capsys, f"--model.model.formula={formula}")


CELLS = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True).map(repr),
    st.sampled_from(["1", "-2.5", "", "NA", "inf", '"', "1e999", "0x1", "1_0", "١", "\x00", "\r"]),
    st.text(max_size=4),
)
TABLES = st.lists(st.lists(CELLS, min_size=1, max_size=4).map(",".join), max_size=8).map(
    lambda lines: ("x,y,y_error\n" + "\n".join(lines)).encode("utf-8", "replace")
)


@pytest.mark.slow
@FUZZ
@given(content=TABLES | st.binary(max_size=60) | st.binary(max_size=20).map(lambda tail: GOOD.encode() + tail))
def test_any_bytes_as_a_table_end_in_a_fit_or_in_one_line(content, capsys):
    Path("measurements.csv").write_bytes(content)
    ending(capsys)


def test_a_robust_fit_is_predicted_and_tested():
    # Both run in inference mode, in which autograd sees nothing.
    assert fit("--model.objective", "HuberError", "--model.objective.scale", "2") == 0
    run = "lightning_logs/saturation/version_0"
    for command in ("predict", "test"):
        assert main([command, "--config", f"{run}/config.yaml", "--ckpt_path", "last"]) == 0
    assert "confidence_low" in Path(f"{run}/predictions.csv").read_text().splitlines()[0]
