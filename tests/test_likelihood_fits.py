"""A sample or counts and a distribution through the command line: what a practitioner types, and what comes back."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
import yaml
from numpy.typing import NDArray
from scipy import stats
from scipy.special import polygamma

from paramfit.cli import main
from tests.command_line import estimates_of_run, one_error_line, part, run_of

HOURS = np.array([3.0, 5, 7, 18, 43, 85, 91, 98, 100, 130, 230, 487])  # F. Proschan (1963)
QUARTERS = np.arange(1.0, 15.0)
DEATHS = np.array([0.0, 1, 2, 3, 1, 4, 9, 18, 23, 31, 20, 25, 37, 45])  # B. Whyte and others (1987)

GAMMA = part(
    "DistributionModel", distribution="torch.distributions.Gamma", parameters={"concentration": 1.0, "rate": 1.0}
)
WAITING = {
    "model": part("MaximumLikelihood", model=GAMMA),
    "data": part("TableDataModule", path="waiting.csv", inputs=[], target="t"),
}
RATE = {"parameters": {"rate": "exp(a + b*x)"}, "coefficients": {"a": 0, "b": 0}}
POISSON = part("DistributionModel", distribution="torch.distributions.Poisson", **RATE)
COUNTS = {
    "model": part("MaximumLikelihood", model=POISSON),
    "data": part("TableDataModule", path="counts.csv", inputs=["x"], target="y"),
}

NO_PLOTS = ("--plots.enabled", "false")


def write_sample(values: NDArray[np.float64], name: str = "waiting.csv") -> None:
    Path(name).write_text("t\n" + "".join(f"{value}\n" for value in values.tolist()))


@pytest.fixture(autouse=True)
def tables_and_configs() -> None:
    write_sample(HOURS)
    rows = zip(QUARTERS.tolist(), DEATHS.tolist(), strict=True)
    Path("counts.csv").write_text("x,y\n" + "".join(f"{x},{y}\n" for x, y in rows))
    Path("waiting.yaml").write_text(yaml.safe_dump(WAITING))
    Path("counts.yaml").write_text(yaml.safe_dump(COUNTS))


def fit(name: str, *options: str) -> int:
    return main(["fit", "--config", f"{name}.yaml", *NO_PLOTS, *options])


def column(result: dict[str, Any], key: str) -> list[float]:
    return [parameter[key] for parameter in result["parameters"].values()]


def gammas() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scipy's shape and rate, and their covariance by the gamma distribution's information in closed form."""
    shape, _, scale = stats.gamma.fit(HOURS, floc=0)
    rate = 1 / scale
    information = np.array([[polygamma(1, shape), -1 / rate], [-1 / rate, shape / rate**2]])
    return np.array([shape, rate]), np.linalg.inv(len(HOURS) * information)


def glm(cov_type: str = "nonrobust") -> Any:
    return sm.GLM(DEATHS, sm.add_constant(QUARTERS), family=sm.families.Poisson()).fit(cov_type=cov_type, tol=1e-12)


def test_a_sample_and_a_distribution_need_neither_optimizer_nor_trainer(capsys):
    assert main(["fit", "--config", "waiting.yaml"]) == 0
    result = estimates_of_run("waiting")
    values, covariance = gammas()
    assert result["status"] == "converged"
    assert result["n_observations"] == {"train": 12, "val": 0}
    assert column(result, "estimate") == pytest.approx(values, rel=1e-6)
    assert column(result, "standard_error") == pytest.approx(np.sqrt(np.diag(covariance)), rel=1e-4)
    best = stats.gamma.logpdf(HOURS, values[0], scale=1 / values[1]).sum()
    assert result["likelihood"]["log_likelihood"] == pytest.approx(best, rel=1e-9)
    assert result["likelihood"]["aic"] == pytest.approx(4 - 2 * best, rel=1e-9)
    assert result["likelihood"]["bic"] == pytest.approx(2 * np.log(12) - 2 * best, rel=1e-9)
    assert "observed information" in result["uncertainty"]
    assert {path.name for path in run_of("waiting").glob("checkpoints/*")} == {"best.ckpt", "last.ckpt"}
    assert "histogram.png" in {path.name for path in run_of("waiting").glob("figures/*")}
    printed = capsys.readouterr()
    assert "converged" in printed.out
    assert "epoch" not in printed.out + printed.err


@pytest.mark.parametrize(
    "options", [(), ("--data.batch_size", "5", "--data.shuffle", "true")], ids=["whole", "batches"]
)
def test_a_regression_is_that_of_a_generalised_linear_model(options):
    assert fit("counts", *options) == 0
    theirs = glm()
    result = estimates_of_run("counts")
    assert result["status"] == "converged"
    assert column(result, "estimate") == pytest.approx(theirs.params, rel=1e-6)
    assert column(result, "standard_error") == pytest.approx(theirs.bse, rel=1e-4)
    assert result["likelihood"]["log_likelihood"] == pytest.approx(theirs.llf, rel=1e-9)


def test_the_ladder_is_printed_and_kept_when_it_is_asked_for(capsys):
    assert fit("counts", "--ladder.enabled", "true", "--ladder.bootstrap", "50") == 0
    printed = capsys.readouterr().out
    rungs = estimates_of_run("counts")["ladder"]["rungs"]
    assert list(rungs) == [
        "observed information", "expected information", "sandwich", "profile likelihood", "bootstrap percentile",
        "bootstrap BCa",
    ]  # fmt: skip
    assert all(name in printed for name in rungs)
    sandwich = [rungs["sandwich"]["standard_errors"][name] for name in ("a", "b")]
    assert sandwich == pytest.approx(glm("HC0").bse, rel=1e-4)


def test_a_robust_fit_is_refused_its_ladder_before_it_is_made(capsys):
    curve = part("FormulaModel", formula="exp(a + b*x)", variables=["x"], parameters={"a": 0, "b": 0})
    config = {**COUNTS, "model": part("LeastSquares", model=curve, objective=part("HuberError", scale=2))}
    Path("robust.yaml").write_text(yaml.safe_dump(config))
    assert fit("robust", "--ladder.enabled", "true") == 2
    printed = capsys.readouterr()
    assert "Estimates" not in printed.out
    assert "ladder: HuberError is no likelihood" in printed.err
    assert not run_of("robust").exists()


SUPPORT = {
    "all rows train": (),
    "some are held out": ("--data.validation_fraction", "0.25"),
    "that one is held out": ("--data.validation_rows", "[8]"),
}


@pytest.mark.parametrize("options", SUPPORT.values(), ids=SUPPORT)
def test_a_row_outside_the_support_is_named(options, capsys):
    values = HOURS.copy()
    values[8] = -2
    write_sample(values)
    assert fit("waiting", *options) == 2
    line = one_error_line(capsys)
    assert all(part in line for part in ("row 8", "-2", "support of Gamma", "above 0", "1 of 12")), line
    assert not run_of("waiting").exists()


MISTAKES = {
    "no such distribution": (("--model.model.distribution", "torch.distributions.Gama"), "distribution"),
    "no such argument": (("--model.model.parameters", "{concentration: 1, scale: 1}"), "scale"),
    "a rate below 0": (("--model.model.parameters", "{concentration: 1, rate: -1}"), "rate"),
    "an input too many": (("--data.path", "counts.csv", "--data.inputs", "[x]", "--data.target", "y"), "input"),
    "a ladder of -1 resamples": (("--ladder.enabled", "true", "--ladder.bootstrap", "-1"), "resamples"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_ends_in_one_line_and_leaves_nothing(case, capsys):
    options, named = MISTAKES[case]
    assert fit("waiting", *options) == 2
    assert named in one_error_line(capsys)
    assert not run_of("waiting").exists()


@pytest.mark.parametrize("command", ["validate", "test"])
def test_held_out_rows_are_judged_by_their_likelihood(command, capsys):
    options = ["--data.validation_rows", "[1, 5, 9]"]
    assert fit("counts", *options) == 0
    capsys.readouterr()
    assert main([command, "--config", "counts.yaml", *options, "--ckpt_path", "last"]) == 0
    a, b = column(estimates_of_run("counts"), "estimate")
    held_out = [1, 5, 9]
    expected = -stats.poisson.logpmf(DEATHS[held_out], np.exp(a + b * QUARTERS[held_out])).mean()
    shown = next(line for line in capsys.readouterr().out.splitlines() if "/nll" in line)
    assert float(shown.split()[-2]) == pytest.approx(expected, rel=1e-9)


def predicted() -> list[dict[str, str]]:
    with (run_of("counts") / "predictions.csv").open() as file:
        return list(csv.DictReader(file))


def test_predict_writes_the_mean_at_other_inputs():
    assert fit("counts") == 0
    Path("new.csv").write_text("x\n0\n15\n")
    assert main(["predict", "--config", "counts.yaml", "--ckpt_path", "last", "--predictions.at", "new.csv"]) == 0
    expected = glm().predict(np.array([[1.0, 0.0], [1.0, 15.0]]))
    assert [float(row["prediction"]) for row in predicted()] == pytest.approx(expected, rel=1e-6)
