"""A table and a formula through the command line: what a practitioner types, and what comes back."""

import csv
import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import curve_fit

from paramfit.cli import main

SATURATION: dict[str, Any] = {
    "model": {
        "class_path": "LeastSquares",
        "init_args": {
            "model": {
                "class_path": "FormulaModel",
                "init_args": {
                    "formula": "b1 * (1 - exp(-b2 * x))",
                    "variables": ["x"],
                    "parameters": {"b1": 250, "b2": {"start": 5.0e-4, "lower": 0}},
                },
            }
        },
    },
    "data": {
        "class_path": "TableDataModule",
        "init_args": {"path": "measurements.csv", "inputs": ["x"], "target": "y", "sigma": "y_error"},
    },
}

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


def the_run(version: int = 0, name: str = "saturation") -> Path:
    return Path("lightning_logs") / name / f"version_{version}"


def written(version: int = 0, name: str = "saturation") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((the_run(version, name) / "estimates.json").read_text())
    return found


def scipys(absolute: bool = True, sigma: bool = True) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    x, y, error = measured().T
    found = curve_fit(
        saturation, x, y, [250, 5e-4], error if sigma else None, absolute, xtol=1e-14, ftol=1e-14, gtol=1e-14
    )
    return found[0], found[1]


def estimates_of(result: dict[str, Any], key: str = "estimate") -> list[float]:
    return [result["parameters"][name][key] for name in ("b1", "b2")]


def test_a_table_and_a_formula_need_no_trainer_section() -> None:
    assert main(["fit", "--config", "saturation.yaml"]) == 0
    result = written()
    values, covariance = scipys()
    assert result["status"] == "converged"
    assert result["n_observations"] == {"train": 24, "val": 0}
    assert estimates_of(result) == pytest.approx(values, rel=1e-7)
    assert estimates_of(result, "standard_error") == pytest.approx(np.sqrt(np.diag(covariance)), rel=1e-5)
    files = {str(path.relative_to(the_run())) for path in the_run().rglob("*.*") if path.is_file()}
    assert {"config.yaml", "checkpoints/best.ckpt", "checkpoints/last.ckpt", "figures/fit.png"} <= files


def test_a_fit_without_a_trainer_section_says_nothing_about_epochs(capsys: pytest.CaptureFixture[str]) -> None:
    assert fit() == 0
    printed = capsys.readouterr()
    assert "epoch" not in printed.out + printed.err


def test_a_saved_config_repeats_the_fit() -> None:
    assert fit() == 0
    assert main(["fit", "--config", str(the_run() / "config.yaml")]) == 0
    assert written(0) == written(1)


def test_the_result_holds_what_the_report_is_made_of() -> None:
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


def test_relative_errors_are_scaled_by_the_residuals() -> None:
    assert fit("--data.sigma_is", "relative") == 0
    values, covariance = scipys(absolute=False)
    assert estimates_of(written()) == pytest.approx(values, rel=1e-7)
    assert estimates_of(written(), "standard_error") == pytest.approx(np.sqrt(np.diag(covariance)), rel=1e-5)
    assert written()["least_squares"]["chi_square"] is None


def test_without_sigma_every_row_counts_alike() -> None:
    assert fit("--data.sigma", "null") == 0
    values, covariance = scipys(absolute=False, sigma=False)
    assert estimates_of(written()) == pytest.approx(values, rel=1e-7)
    assert estimates_of(written(), "standard_error") == pytest.approx(np.sqrt(np.diag(covariance)), rel=1e-5)


@pytest.mark.parametrize("start", ["300", "{start: 300, lower: 0, upper: 1000, unit: mm}"], ids=["number", "mapping"])
def test_another_start_on_the_command_line_leads_to_the_same_place(start: str) -> None:
    assert fit("--model.model.parameters.b1", start) == 0
    assert estimates_of(written()) == pytest.approx(scipys()[0], rel=1e-7)


@pytest.mark.parametrize("place", ["model.model", "model.init_args.model.init_args"])
def test_a_start_alone_on_the_command_line_leaves_the_bound_and_the_other_parameter(place: str) -> None:
    assert fit(f"--{place}.parameters.b2.start", "0.001") == 0
    saved = yaml.safe_load((the_run() / "config.yaml").read_text())["model"]["init_args"]["model"]["init_args"]
    assert saved["parameters"] == {"b1": 250, "b2": {"start": 0.001, "lower": 0}}
    assert estimates_of(written()) == pytest.approx(scipys()[0], rel=1e-7)


def test_another_formula_on_the_command_line_is_fitted() -> None:
    assert fit("--model.model.formula", "b1 * b2 * x / (1 + b2 * x)") == 0
    x, y, error = measured().T
    values, _ = curve_fit(
        lambda x, b1, b2: b1 * b2 * x / (1 + b2 * x), x, y, [250, 5e-4], error, True, xtol=1e-14, ftol=1e-14
    )
    assert estimates_of(written()) == pytest.approx(values, rel=1e-6)


def test_a_robust_objective_on_the_command_line_resists_an_outlier() -> None:
    rows = measured()
    rows[11, 1] += 200
    Path("measurements.csv").write_text(rows_as_text(rows))
    assert fit() == 0
    assert fit("--model.objective", "HuberError", "--model.objective.scale", "2") == 0
    truth, errors = scipys()[0], np.sqrt(np.diag(scipys()[1]))
    plain, robust = (np.array(estimates_of(written(version))) for version in (0, 1))
    assert (np.abs(plain - truth) / errors).max() > 3
    assert (np.abs(robust - truth) / errors).max() < 1


def test_parquet_gives_what_csv_gives() -> None:
    import pyarrow as pa

    x, y, error = measured().T
    pq.write_table(pa.table({"y_error": error, "x": x, "y": y}), "measurements.parquet")
    assert fit() == 0
    assert fit("--data.path", "measurements.parquet") == 0
    assert written(0)["parameters"] == written(1)["parameters"]


def test_several_files_are_one_table() -> None:
    rows = measured()
    Path("part_1.csv").write_text(rows_as_text(rows[:10]))
    Path("part_2.csv").write_text(rows_as_text(rows[10:]))
    assert fit("--data.path", "part_*.csv") == 0
    assert estimates_of(written()) == pytest.approx(scipys()[0], rel=1e-7)


def test_dropped_rows_are_counted_and_do_not_count(capsys: pytest.CaptureFixture[str]) -> None:
    text = rows_as_text(measured())
    Path("measurements.csv").write_text(text + "50,NA,1\n60,,1\n")
    assert fit("--data.missing", "drop") == 0
    assert "2 of 26 rows dropped" in capsys.readouterr().out
    assert estimates_of(written()) == pytest.approx(scipys()[0], rel=1e-7)


def test_batches_reach_the_same_estimates() -> None:
    assert fit("--data.batch_size", "7", "--data.shuffle", "true") == 0
    assert written()["status"] == "converged"
    assert estimates_of(written()) == pytest.approx(scipys()[0], rel=1e-7)


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
        "x": x,
        "prediction": curve,
        "standard_error": standard_error,
        "confidence_low": curve - q * standard_error,
        "confidence_high": curve + q * standard_error,
        "prediction_low": curve - q * wide,
        "prediction_high": curve + q * wide,
    }


def test_predict_writes_both_bands_as_csv() -> None:
    assert fit() == 0
    predictions()
    with (the_run() / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    for name, expected in predicted_by_hand().items():
        assert [float(row[name]) for row in rows] == pytest.approx(expected, rel=1e-5), name
    assert {row["part"] for row in rows} == {"train"}


def test_predict_writes_both_bands_as_parquet() -> None:
    assert fit() == 0
    predictions("--predictions.format", "parquet")
    table = pq.read_table(the_run() / "predictions.parquet").to_pydict()
    for name, expected in predicted_by_hand().items():
        assert table[name] == pytest.approx(expected, rel=1e-5), name


X_ALONE = "x\n500\n4000\n"


def test_predictions_at_other_inputs_have_both_bands_where_the_errors_are_known(
    capsys: pytest.CaptureFixture[str],
) -> None:
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


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_predictions_at_inputs_without_errors_say_which_band_is_missing(
    kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit() == 0
    Path("new.csv").write_text(X_ALONE)
    pq.write_table(pa.table({"x": [500.0, 4000.0]}), "new.parquet")
    predictions("--predictions.at", f"new.{kind}")
    header = (the_run() / "predictions.csv").read_text().splitlines()[0]
    assert header == "row,x,prediction,standard_error,confidence_low,confidence_high"
    assert f"new.{kind} has no column 'y_error'" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("x,y_error\n500,1\n4000,many\n", ["new.csv: line 3, column 'y_error'", "many"]),
        ("x,y_error\n500,1\n4000,0\n", ["new.csv: line 3, column 'y_error'", "above 0"]),
        ("x,y_error\n500,1\n4000,\n", ["new.csv: line 3, column 'y_error'", "missing"]),
        ("x,y_error,y_error\n500,1,1\n", ["2 columns", "'y_error'"]),
        ("z,y_error\n500,1\n", ["new.csv: there is no column 'x'"]),
        ("z\n500\n", ["new.csv: there is no column 'x'"]),
        ('x\n500\n""\n', ["new.csv: line 3, column 'x'", "missing", "take it out of the table"]),
        (None, ["predictions.at: there is no file new.csv; ", "'measurements.csv'"]),
    ],
    ids=["text", "0", "empty", "twice", "no input", "neither", "empty input", "no file"],
)
def test_a_mistake_in_the_table_to_predict_at_is_told(
    text: str | None, named: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit() == 0
    if text is not None:
        Path("new.csv").write_text(text)
    capsys.readouterr()
    at = ["--ckpt_path", "last", "--predictions.at", "new.csv"]
    assert main(["predict", "--config", "saturation.yaml", *at]) == 2
    line = one_error_line(capsys)
    assert all(part in line for part in named), line
    assert not (the_run() / "predictions.csv").exists()


@pytest.mark.parametrize("command", ["validate", "test", "predict"])
def test_a_solved_task_has_nothing_to_say_of_its_starts(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--config", "saturation.yaml"]) == 2
    assert f"ckpt_path: {command} needs a fit" in one_error_line(capsys)


def test_a_checkpoint_is_not_decoded_by_another_models_bounds_or_formula(capsys: pytest.CaptureFixture[str]) -> None:
    bound = (["--model.model.parameters.b2.upper", "10"], "b2 was fitted with lower 0, this configuration has lower 0")
    formula = (["--model.model.formula", "b1 * (1 - exp(-b2 * x**2))"], "the formula was b1 * (1 - exp(-b2 * x)) in")
    assert fit("--report.enabled", "false") == 0
    capsys.readouterr()
    for command, (options, told) in (("fit", bound), ("validate", formula), ("predict", bound)):
        assert main([command, "--config", "saturation.yaml", "--ckpt_path", "last", *options]) == 2
        line = one_error_line(capsys)
        assert told in line
        assert "give --config RUN/config.yaml" in line
    assert not the_run(1).exists()


def test_predict_refuses_another_format(capsys: pytest.CaptureFixture[str]) -> None:
    assert fit() == 0
    capsys.readouterr()
    options = ["--ckpt_path", "last", "--predictions.format", "xlsx"]
    assert main(["predict", "--config", "saturation.yaml", *options]) == 2
    assert "predictions.format" in one_error_line(capsys)


def test_test_gives_the_coverage_of_the_band_on_held_out_rows(capsys: pytest.CaptureFixture[str]) -> None:
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
    assert shown is not None
    assert float(shown[1]) == pytest.approx(sum(inside) / 20, abs=1e-6)


def test_a_parameter_at_its_bound_is_reported_without_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert fit("--model.model.parameters.b1", "{start: 150, upper: 200}") == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "at its upper bound" in printed
    result = written()
    assert result["parameters"]["b1"]["at_bound"] == "upper"
    assert result["parameters"]["b1"]["estimate"] == pytest.approx(200, rel=1e-6)
    assert result["parameters"]["b1"]["standard_error"] is None
    assert any("b1 sits at its upper bound" in warning for warning in result["warnings"])


def test_a_parameter_at_its_lower_bound_leaves_the_others_as_if_it_were_fixed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    formula = "b1 * (1 - exp(-b2 * x)) + b3 * x"
    options = ["--model.model.formula", formula]
    assert fit(*options, "--model.model.parameters.b3", "{start: 0.2, lower: 0.05}") == 0
    assert "at its lower bound" in " ".join(capsys.readouterr().out.split())
    assert fit(*options, "--model.model.parameters.b3", "{start: 0.05, fixed: true}") == 0
    at_bound, fixed = written(0), written(1)
    assert at_bound["parameters"]["b3"]["at_bound"] == "lower"
    assert estimates_of(at_bound) == pytest.approx(estimates_of(fixed), rel=1e-4)
    assert estimates_of(at_bound, "standard_error") == pytest.approx(estimates_of(fixed, "standard_error"), rel=1e-2)


def test_a_fixed_parameter_keeps_its_start_and_has_no_error() -> None:
    assert fit("--model.model.parameters.b1", "{start: 240, fixed: true}") == 0
    x, y, error = measured().T
    (b2,), ((variance,),) = curve_fit(lambda x, b2: saturation(x, 240, b2), x, y, [5e-4], error, True)
    found = written()["parameters"]
    assert (found["b1"]["estimate"], found["b1"]["standard_error"]) == (240, None)
    assert found["b2"]["estimate"] == pytest.approx(b2, rel=1e-6)
    assert found["b2"]["standard_error"] == pytest.approx(variance**0.5, rel=1e-4)


def test_redundant_parameters_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--model.model.formula", "b1 * b3 * (1 - exp(-b2 * x))", "--model.model.parameters.b3", "2"]
    assert fit(*options) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "b1 and b3 cannot be told apart: correlation −1" in printed
    result = written()
    assert any("b1 and b3 cannot be told apart" in warning for warning in result["warnings"])
    assert result["parameters"]["b1"]["standard_error"] is None
    b2, variance = scipys()[0][1], scipys()[1][1, 1]
    assert result["parameters"]["b2"]["estimate"] == pytest.approx(b2, rel=1e-6)
    assert result["parameters"]["b2"]["standard_error"] == pytest.approx(variance**0.5, rel=1e-4)


def test_the_unit_stands_in_the_report(capsys: pytest.CaptureFixture[str]) -> None:
    assert fit("--model.model.parameters.b1", "{start: 250, unit: furlong}") == 0
    assert "furlong" in capsys.readouterr().out


def test_a_limit_that_is_reached_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert fit("--trainer.max_epochs", "1") == 0
    assert written()["status"] == "limit_reached"
    assert "not converged" in " ".join(capsys.readouterr().out.split())


FUNCTION = """
import torch


def saturation(x, b1, b2):
    return b1 * (1 - torch.exp(-b2 * x))
"""


def test_a_function_from_a_file_in_the_working_directory_is_fitted() -> None:
    Path("curves_of_mine.py").write_text(FUNCTION)
    sys.path.append(str(Path.cwd()))  # what the console script does once; this process has done it elsewhere
    config = json.loads(json.dumps(SATURATION))
    config["model"]["init_args"]["model"] = {
        "class_path": "FunctionModel",
        "init_args": {"function": "curves_of_mine.saturation", "parameters": {"b1": 250, "b2": 5.0e-4}},
    }
    Path("saturation.yaml").write_text(yaml.safe_dump(config))
    assert fit() == 0
    assert estimates_of(written()) == pytest.approx(scipys()[0], rel=1e-7)


LINE: dict[str, Any] = {
    "class_path": "FormulaModel",
    "init_args": {"formula": "slope * x + level", "variables": ["x"], "parameters": {"slope": 1.0, "level": 0.0}},
}


@pytest.mark.parametrize(
    ("task", "options"),
    [
        ("Regression", {"optimizer": {"class_path": "torch.optim.Adam", "init_args": {"lr": 0.1}}}),
        *(
            (
                "HandWrittenDescent",
                {
                    "gradient": {"class_path": rule},
                    "optimizer": {"class_path": "GradientDescent", "init_args": {"lr": 0.3}},
                },
            )
            for rule in ("AnalyticGradient", "AutogradGradient", "NumericalGradient")
        ),
    ],
    ids=["Adam", "analytic", "autograd", "numerical"],
)
def test_a_formula_works_in_the_tasks_of_the_lessons(task: str, options: dict[str, Any]) -> None:
    x = np.linspace(-1, 1, 12)
    y = 3 * x - 2 + 0.1 * np.cos(40 * x)
    Path("line.csv").write_text("x,y\n" + "".join(f"{float(a)!r},{float(b)!r}\n" for a, b in zip(x, y, strict=True)))
    config = {
        "model": {"class_path": task, "init_args": {"model": LINE, "updates_per_step": 100, **options}},
        "data": {"class_path": "TableDataModule", "init_args": {"path": "line.csv", "inputs": ["x"], "target": "y"}},
        "trainer": {"max_epochs": 20},
        "plots": {"enabled": False},
    }
    Path("line.yaml").write_text(yaml.safe_dump(config))
    assert main(["fit", "--config", "line.yaml"]) == 0
    found = written(name="line")["parameters"]
    slope, level = np.polyfit(x, y, 1)
    assert found["slope"]["estimate"] == pytest.approx(slope, rel=1e-4)
    assert found["level"]["estimate"] == pytest.approx(level, rel=1e-4)


HEADER = "x,y,y_error\n"
GOOD = rows_as_text(measured())

# what is wrong: the table (None: the good one), the options, and what the line has to name
MISTAKES: dict[str, tuple[str | None, list[str], list[str]]] = {
    "missing file": (None, ["--data.path", "measurement.csv"], ["measurement.csv", "did you mean 'measurements.csv'?"]),
    "folder": (None, ["--data.path", "."], ["data.path: ", "is a folder"]),
    "pattern without a file": (None, ["--data.path", "runs/*.csv"], ["data.path: ", "runs"]),
    "inputs in another order": (
        None,
        [
            *("--data.inputs", "[y_error, x]", "--data.sigma", "null", "--model.model.variables", "[x, y_error]"),
            *("--model.model.formula", "b1 * (1 - exp(-b2 * x)) * y_error"),
        ],
        ["data.inputs: the columns are y_error, x, but the model's variables are x, y_error"],
    ),
    "misspelt input": (None, ["--data.inputs", "[xx]"], ["measurements.csv", "'xx'", "did you mean 'x'?"]),
    "misspelt target": (None, ["--data.target", "Y"], ["measurements.csv", "'Y'", "'y'"]),
    "misspelt sigma": (None, ["--data.sigma", "y_eror"], ["measurements.csv", "did you mean 'y_error'?"]),
    "column with two roles": (None, ["--data.target", "x"], ["'x'", "one role"]),
    "inputs that are no list": (None, ["--data.inputs", "x"], ["inputs"]),
    "text cell": (GOOD + "5,many,1\n", [], ["measurements.csv", "line 26", "'y'", "many"]),
    "decimal comma": (GOOD + '"1,5",2,1\n', [], ["measurements.csv", "line 26", "'x'"]),
    "empty cell": (GOOD + "5,,1\n", [], ["measurements.csv", "line 26", "'y'", "missing: drop"]),
    "NaN": (GOOD + "nan,2,1\n", [], ["measurements.csv", "line 26", "'x'", "missing: drop"]),
    "infinity": (GOOD + "5,-inf,1\n", [], ["measurements.csv", "line 26", "'y'"]),
    "sigma 0": (GOOD + "5,2,0\n", [], ["measurements.csv", "line 26", "'y_error'", "above 0"]),
    "negative sigma": (GOOD + "5,2,-1\n", [], ["measurements.csv", "line 26", "'y_error'", "above 0"]),
    "too short a row": (GOOD + "5,2\n", [], ["measurements.csv", "line 26"]),
    "empty file": ("", [], ["measurements.csv"]),
    "header alone": (HEADER, [], ["measurements.csv", "no row"]),
    "no row left": (HEADER + "1,,1\n", ["--data.missing", "drop"], ["measurements.csv", "no row is left"]),
    "two columns of one name": ("x,y,x,y_error\n1,2,3,1\n", [], ["2 columns", "'x'"]),
    "fewer rows than parameters": (HEADER + "1,2,1\n", [], ["1 observation cannot determine 2 parameters"]),
    "share below one row": (None, ["--data.validation_fraction", "0.01"], ["data.validation_fraction: ", "24 rows"]),
    "share of 1": (None, ["--data.validation_fraction", "1"], ["validation_fraction"]),
    "row outside": (None, ["--data.validation_indices", "[24]"], ["data.validation_indices: row 24"]),
    "misspelt meaning of sigma": (None, ["--data.sigma_is", "relatve"], ["sigma_is"]),
    "misspelt treatment": (None, ["--data.missing", "skip"], ["missing"]),
    "another number of inputs": (None, ["--data.inputs", "[x, y_error]", "--data.sigma", "null"], ["2 input columns"]),
    "unknown symbol": (None, ["--model.model.formula", "b1 * (1 - exp(-b22 * x))"], ["'b22'", "b2"]),
    "unused parameter": (None, ["--model.model.parameters.b3", "1"], ["parameters.b3", "does not depend"]),
    "unused variable": (None, ["--model.model.formula", "b1 + b2"], ["variables", "does not depend on x"]),
    "unit without start": (None, ["--model.model.parameters.b2", "{unit: mm}"], ["parameters.b2.start", "not linear"]),
    "bounded without start": (None, ["--model.model.parameters.b2", "{lower: 0}"], ["parameters.b2.start"]),
    "start on its bound": (
        None,
        ["--model.model.parameters.b2", "{start: 0, lower: 0}"],
        ["model.model.parameters.b2.start: ", "on its bound"],
    ),
    "start outside": (None, ["--model.model.parameters.b2", "{start: -1, lower: 0}"], ["parameters.b2.start"]),
    "bounds without room": (
        None,
        ["--model.model.parameters.b2", "{start: 1, lower: 2, upper: 0}"],
        ["parameters.b2", "lower 2"],
    ),
    "misspelt key of a parameter": (
        None,
        ["--model.model.parameters.b2", "{start: 1, lowr: 0}"],
        ["parameters.b2", "lowr", "lower"],
    ),
    "start that is no number": (None, ["--model.model.parameters.b1", "many"], ["parameters.b1", "many"]),
    "attribute": (None, ["--model.model.formula", "b1.real * exp(b2 * x)"], ["formula", "b1.real"]),
    "dunder name": (None, ["--model.model.formula", "__import__('os') + b1*b2*x"], ["formula", "__import__"]),
    "call of something else": (None, ["--model.model.formula", "open(x) + b1 + b2"], ["formula", "'open'"]),
    "too deep a formula": (
        None,
        ["--model.model.formula", "exp(" * 40 + "b1*b2*x" + ")" * 40],
        ["formula", "deep"],
    ),
    "too long a formula": (None, ["--model.model.formula", "b1*b2*x" + "+x" * 2000], ["formula", "characters"]),
    "too large an exponent": (None, ["--model.model.formula", "b1 + b2 * x**1000"], ["formula", "exponent"]),
    "equation": (None, ["--model.model.formula", "y = b1 + b2*x"], ["formula", "right-hand side"]),
    "empty formula": (None, ["--model.model.formula", ""], ["formula"]),
    "no product sign": (None, ["--model.model.formula", "b1 + 2 x * b2"], ["formula", "2 x"]),
    "not finite at the start": (
        HEADER + "1,1,1\n2,1,1\n-1,1,1\n3,1,1\n",
        ["--model.model.formula", "b1 + log(b2 * x)"],
        ["row 2", "not finite"],
    ),
    "absolute error": (None, ["--model.objective", "AbsoluteError"], ["objective", "AbsoluteError"]),
    "likelihood": (None, ["--model.objective", "NegativeLogLikelihood"], ["objective", "NegativeLogLikelihood"]),
    "penalty": (None, ["--model.objective", "SquaredError", "--model.objective.l2", "0.1"], ["objective", "penalty"]),
    "scale below 0": (None, ["--model.objective", "HuberError", "--model.objective.scale=-1"], ["scale"]),
    "descent": (
        None,
        ["--model.optimizer", "torch.optim.Adam"],
        ["model.optimizer", "LeastSquares takes LevenbergMarquardt"],
    ),
    "tolerance of 0": (None, ["--model.optimizer.orthogonality", "0"], ["orthogonality"]),
    "accumulation": (None, ["--trainer.accumulate_grad_batches", "2"], ["trainer.accumulate_grad_batches"]),
    "clipping": (None, ["--trainer.gradient_clip_val", "1"], ["trainer.gradient_clip_val"]),
    "half precision": (None, ["--trainer.precision", "bf16-mixed"], ["trainer.precision"]),
    "formula on a scaled input": (
        None,
        ["--data.normalization", "Standardize"],
        ["data.normalization: the formula is meant in the data's own units", "leave it out"],
    ),
    "jitter": (None, ["--data.jitter", "0.1"], ["jitter"]),
}


def one_error_line(capsys: pytest.CaptureFixture[str]) -> str:
    lines = [line for line in capsys.readouterr().err.splitlines() if line.strip()]
    assert len(lines) == 1, lines
    assert lines[0].startswith("error: ")
    return lines[0]


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_ends_in_one_line_and_leaves_nothing(case: str, capsys: pytest.CaptureFixture[str]) -> None:
    text, options, named = MISTAKES[case]
    if text is not None:
        Path("measurements.csv").write_text(text)
    assert fit(*options) == 2
    line = one_error_line(capsys)
    assert all(part in line for part in named), line
    assert not Path("lightning_logs").exists()


def with_parameters(**given: Any) -> None:
    """Write the configuration with other parameters."""
    config = json.loads(json.dumps(SATURATION))
    config["model"]["init_args"]["model"]["init_args"]["parameters"] = given
    Path("saturation.yaml").write_text(yaml.safe_dump(config))


def test_a_start_that_is_missing_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    with_parameters(b1=None, b2=None)
    assert fit() == 2
    assert "parameters.b2.start: the formula needs one, since it is not linear in it" in one_error_line(capsys)
    assert not Path("lightning_logs").exists()


def test_a_parameter_in_which_the_formula_is_linear_needs_no_start() -> None:
    with_parameters(b1=None, b2=5e-4)
    assert fit() == 0
    assert estimates_of(written()) == pytest.approx(scipys()[0], rel=1e-7)


@pytest.mark.parametrize(
    ("name", "content", "named"),
    [
        ("measurements.csv", HEADER.encode("utf-16"), "UTF-16"),
        ("measurements.csv", b"x,y,y_error\n1,2,\xff\n", "line 2"),
        ("measurements.parquet", b"PAR1 and no more", "measurements.parquet"),
        ("measurements.xlsx", b"PK", "measurements.xlsx"),
    ],
    ids=["UTF-16", "no text", "broken Parquet", "unknown format"],
)
def test_a_file_that_cannot_be_read_is_named(
    name: str, content: bytes, named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(name).write_bytes(content)
    assert fit("--data.path", name) == 2
    line = one_error_line(capsys)
    assert named in line
    assert name in line
    assert not Path("lightning_logs").exists()


def test_the_file_of_a_pattern_that_lacks_a_column_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    Path("measurements_2.csv").write_text("x,y,error\n1,2,3\n")
    assert fit("--data.path", "measurements*.csv") == 2
    line = one_error_line(capsys)
    assert "measurements_2.csv" in line
    assert "'y_error'" in line


FUZZ = settings(
    max_examples=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
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


def test_the_fuzzed_command_fits_where_nothing_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    assert ending(capsys) == 0


@FUZZ
@given(formula=FORMULAS | st.text(max_size=30))
def test_any_text_as_a_formula_ends_in_a_fit_or_in_one_line(formula: str, capsys: pytest.CaptureFixture[str]) -> None:
    ending(capsys, f"--model.model.formula={formula}")


CELLS = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True).map(repr),
    st.sampled_from(["1", "-2.5", "", "NA", "inf", '"', "1e999", "0x1", "1_0", "١", "\x00", "\r"]),
    st.text(max_size=4),
)
TABLES = st.lists(st.lists(CELLS, min_size=1, max_size=4).map(",".join), max_size=8).map(
    lambda lines: ("x,y,y_error\n" + "\n".join(lines)).encode("utf-8", "replace")
)


@FUZZ
@given(content=TABLES | st.binary(max_size=60) | st.binary(max_size=20).map(lambda tail: GOOD.encode() + tail))
def test_any_bytes_as_a_table_end_in_a_fit_or_in_one_line(content: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    Path("measurements.csv").write_bytes(content)
    ending(capsys)


def test_a_robust_fit_is_predicted_and_tested() -> None:
    # Both run in inference mode, in which autograd sees nothing.
    assert fit("--model.objective", "HuberError", "--model.objective.scale", "2") == 0
    run = "lightning_logs/saturation/version_0"
    for command in ("predict", "test"):
        assert main([command, "--config", f"{run}/config.yaml", "--ckpt_path", "last"]) == 0
    header = Path(f"{run}/predictions.csv").read_text().splitlines()[0]
    assert "confidence_low" in header
