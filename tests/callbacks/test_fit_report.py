"""The printed report and estimates.json."""

import json
import math
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from torch.distributions import Normal
from torch.optim import LBFGS, SGD, Optimizer

from paramfit import DistributionModel, Fact, FixedScale, GaussianDataModule, ThermometerDataModule, compare, fit
from paramfit.callbacks import DivergenceDetection, FitReport
from paramfit.tasks import GaussianLocation, MaximumLikelihood, ThermometerRegression


def estimates() -> dict[str, Any]:
    """The file, as any JSON reader has it: NaN and Infinity are no JSON."""

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    written: dict[str, Any] = json.loads(
        (Path("run") / "estimates.json").read_text(encoding="utf-8"), parse_constant=refuse
    )
    return written


def thermometer(**options: Any) -> ThermometerDataModule:
    return ThermometerDataModule(normalization=FixedScale(0.1), **{"dtype": "float64", **options})


def sgd(rate: float = 1e-2, updates_per_step: int = 1) -> ThermometerRegression:
    return ThermometerRegression(optimizer=partial(SGD, lr=rate), updates_per_step=updates_per_step, dtype="float64")


def exact() -> ThermometerRegression:
    search = partial(LBFGS, line_search_fn="strong_wolfe", max_iter=50, tolerance_grad=1e-12, tolerance_change=1e-14)
    return ThermometerRegression(optimizer=search, dtype="float64")


def test_a_converged_fit_has_the_published_estimates_and_errors(make_trainer):
    make_trainer(4, FitReport()).fit(exact(), datamodule=thermometer())
    written = estimates()
    weight, bias = written["original_units"]["weight"], written["original_units"]["bias"]
    assert written["status"] == "converged"
    assert written["distance_to_optimum_in_standard_errors"] < 0.01
    assert weight["estimate"] == pytest.approx(0.5367719209075443, rel=1e-7)
    assert bias["estimate"] == pytest.approx(-17.304785503010798, rel=1e-7)
    assert written["loss"]["train"] == pytest.approx(2.9276455708956375, rel=1e-10)
    assert weight["standard_error"] == pytest.approx(0.0355386, rel=1e-5)
    assert bias["standard_error"] == pytest.approx(1.9272273, rel=1e-7)


def test_intervals_agree_with_scipy(make_trainer):
    data = thermometer()
    make_trainer(4, FitReport()).fit(exact(), datamodule=data)
    line = stats.linregress(data.raw.inputs[0].numpy(), data.raw.target.numpy())
    half = stats.t(9).ppf(0.975) * line.stderr
    interval = estimates()["original_units"]["weight"]["interval_95"]
    assert interval == pytest.approx([line.slope - half, line.slope + half], rel=1e-6)


def test_closed_form_and_fahrenheit_truth_stand_beside_the_estimates(make_trainer, capsys):
    make_trainer(4, FitReport()).fit(exact(), datamodule=thermometer())
    original = estimates()["original_units"]
    assert original["weight"]["truth"] == pytest.approx(0.5556, abs=5e-5)
    assert original["bias"]["truth"] == pytest.approx(-17.78, abs=5e-3)
    assert original["weight"]["closed_form"] == pytest.approx(0.5367719209075443, rel=1e-9)
    assert original["bias"]["closed_form"] == pytest.approx(-17.304785503010798, rel=1e-9)
    printed = capsys.readouterr().out
    for text in ("closed form", "truth", "0.5367", "0.5555", "-17.3048", "-17.77"):
        assert text in printed


def test_a_run_that_made_all_its_updates_is_told_from_a_converged_one(make_trainer, capsys):
    task = sgd(0.03, 50)
    make_trainer(2, FitReport()).fit(task, datamodule=thermometer())
    left = estimates()["updates_to_converge"]
    assert estimates()["status"] == "limit_reached"
    assert "not converged" in capsys.readouterr().out
    # The number told is the number it takes: one update less is not enough.
    for updates, status in ((100 + left - 1, "limit_reached"), (100 + left, "converged")):
        report = FitReport()
        make_trainer(1, report).fit(sgd(0.03, updates), datamodule=thermometer())
        assert report.result.status == status


def test_a_sample_has_its_mean_and_its_standard_error(make_trainer):
    data = GaussianDataModule(n_obs=400, scale=2.0)
    task = GaussianLocation(scale=2.0, optimizer=partial(SGD, lr=0.01))
    make_trainer(2, FitReport()).fit(task, datamodule=data)
    written = estimates()
    location = written["parameters"]["location"]
    assert written["normalized_input"] is None
    assert location["closed_form"] == pytest.approx(np.mean(data.raw.target.numpy()), rel=1e-12)
    assert location["estimate"] == pytest.approx(location["closed_form"], rel=1e-9)
    assert location["standard_error"] == pytest.approx(2.0 / np.sqrt(400), rel=1e-12)
    assert location["truth"] == 0.0


def test_distance_and_gradient_of_a_sample_are_the_written_out_ones(make_trainer):
    data = GaussianDataModule(n_obs=100)
    make_trainer(3, FitReport()).fit(GaussianLocation(optimizer=partial(SGD, lr=1e-3)), datamodule=data)
    written = estimates()
    location, mean = written["parameters"]["location"], data.raw.target.mean().item()
    assert location["gradient"] == pytest.approx(100 * (location["estimate"] - mean), rel=1e-9)
    assert written["distance_to_optimum_in_standard_errors"] == pytest.approx(
        (location["estimate"] - mean) * np.sqrt(100), rel=1e-9
    )


def test_a_guarded_divergence_keeps_the_reason_and_the_updates(make_trainer):
    task = ThermometerRegression(optimizer=partial(SGD, lr=1e-2))
    make_trainer(60, DivergenceDetection(), FitReport()).fit(task, datamodule=ThermometerDataModule())
    written = estimates()
    assert (written["status"], written["updates"]) == ("diverged", 3)
    assert isinstance(task.stop.reason, Fact)
    assert written["facts"]["reason"]["kind"] == task.stop.reason.kind
    assert written["distance_to_optimum_in_standard_errors"] is None


def test_what_is_missing_has_a_reason(make_trainer):
    make_trainer(1, FitReport()).fit(exact(), datamodule=thermometer())
    written = estimates()
    for key in ("learning_rate_limit", "condition_number", "verdict"):
        assert written[key] is None
        assert written["notes"][key]


def test_likelihood_that_descended_is_compared_with_one_that_was_solved(make_trainer):
    def normal() -> DistributionModel:
        return DistributionModel(Normal, {"loc": 0.0, "scale": 2.0})

    def search(parameters: Any) -> Optimizer:
        return LBFGS(parameters, lr=1.0, max_iter=60, line_search_fn="strong_wolfe", tolerance_change=1e-12)

    data = GaussianDataModule(n_obs=30)
    make_trainer(1, FitReport()).fit(MaximumLikelihood(normal(), optimizer=search), datamodule=data)
    sample = data.raw.target.numpy()
    largest = stats.norm(sample.mean(), sample.std()).logpdf(sample).sum()
    comparison = compare({"descended": Path("run"), "solved": fit(normal(), (sample,))})
    assert [row.log_likelihood for row in comparison.rows] == pytest.approx([largest, largest], rel=1e-7)
    assert [row.n_parameters for row in comparison.rows] == [2, 2]


@pytest.mark.parametrize(("updates", "finished"), [(5, False), (400, True)])
def test_criteria_are_those_of_a_maximum_only(updates, finished, make_trainer):
    task = GaussianLocation(optimizer=partial(SGD, lr=1e-3), updates_per_step=updates)
    report, data = FitReport(enabled=False), GaussianDataModule(n_obs=50)
    make_trainer(1, report).fit(task, datamodule=data)
    statistics = report.result.likelihood
    assert (statistics.aic is not None) == finished
    assert ("information_criteria" not in report.result.notes) == finished
    location, sample = task.model.location.item(), data.raw.target
    by_hand = -25 * math.log(2 * math.pi) - (sample - location).square().sum().item() / 2
    assert statistics.log_likelihood == pytest.approx(by_hand, rel=1e-12)
    if finished:
        assert statistics.aic == pytest.approx(2 - 2 * by_hand, rel=1e-12)
