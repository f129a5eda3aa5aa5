"""Fits of families that torch lacks or computes in single precision only, with scipy.stats as truth."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from numpy.typing import NDArray
from scipy import optimize, stats
from torch import Tensor

from paramfit import DistributionModel, compare, fit
from paramfit.cli import main
from tests.distributions.only_density import OnlyDensity

Array = NDArray[np.float64]
Truth = Callable[..., Any]  # arguments to SciPy's frozen distribution


class Logistic(OnlyDensity):
    """A class without an entry: all is done by autograd."""

    def cdf(self, value: Tensor) -> Tensor:
        return torch.sigmoid((value - self.loc) / self.scale)


CASES: dict[str, tuple[str, dict[str, Any], Truth, tuple[float, float]]] = {
    "generalised Pareto": ("torch.distributions.GeneralizedPareto",
        {"loc": {"start": 0.5, "fixed": True}, "scale": None, "concentration": None},
        lambda scale, concentration: stats.genpareto(concentration, 0.5, scale), (2.0, 0.3)),
    "generalised Pareto with an upper end": ("torch.distributions.GeneralizedPareto",
        {"loc": {"start": 0.5, "fixed": True}, "scale": None, "concentration": None},
        lambda scale, concentration: stats.genpareto(concentration, 0.5, scale), (2.0, -0.2)),
    "log-logistic": ("paramfit.LogLogistic", {"scale": None, "shape": None},
        lambda scale, shape: stats.fisk(shape, scale=scale), (1.5, 2.3)),
    "class without an entry, by autograd": ("tests.fits.test_families.Logistic", {"loc": 1.0, "scale": 1.0},
        lambda loc, scale: stats.logistic(loc, scale), (1.5, 0.7)),
}  # fmt: skip


def maximum(truth: Truth, y: Array, censored: NDArray[np.bool_], start: tuple[float, float]) -> tuple[Array, Array]:
    """SciPy's maximum-likelihood estimates, and their errors by the curvature of its log-likelihood."""

    def loss(theta: Array) -> float:
        made = truth(*theta)
        return -float(made.logpdf(y[~censored]).sum() + made.logsf(y[censored]).sum())

    best = np.asarray(optimize.minimize(loss, start, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-11}).x)
    steps = np.diag(1e-4 * np.abs(best))
    signs = [(1, 1), (1, -1), (-1, 1), (-1, -1)]
    hessian = [
        [sum(a * b * loss(best + a * steps[j] + b * steps[k]) for a, b in signs) / (4 * steps[j, j] * steps[k, k])]
        for j in range(2)
        for k in range(2)
    ]
    return best, np.sqrt(np.diag(np.linalg.inv(np.reshape(hessian, (2, 2)))))


@pytest.mark.parametrize("share", [0.0, 0.2], ids=["observed", "censored"])
@pytest.mark.parametrize(("kind", "arguments", "truth", "values"), CASES.values(), ids=CASES)
def test_estimates_and_errors_are_those_of_scipys_likelihood(kind, arguments, truth, values, share):
    y = truth(*values).rvs(size=400, random_state=np.random.default_rng(5))
    bound = np.quantile(y, 1 - share)
    censored, y = y > bound, np.minimum(y, bound)
    censoring = ["right" if row else "none" for row in censored] if share else None
    result = fit(DistributionModel(kind, arguments), (y,), censoring=censoring)
    best, errors = maximum(truth, y, censored, values)
    estimates = [estimate for estimate in result.parameters.values() if not estimate.fixed]
    assert result.status == "converged"
    assert [estimate.estimate for estimate in estimates] == pytest.approx(best, rel=1e-5)
    assert [estimate.standard_error for estimate in estimates] == pytest.approx(errors, rel=1e-4)


@pytest.mark.parametrize(("kind", "arguments", "truth", "values"), CASES.values(), ids=CASES)
def test_command_line_fits_and_draws_by_class_path(kind, arguments, truth, values):
    y = truth(*values).rvs(size=60, random_state=np.random.default_rng(5))
    Path("sample.csv").write_text("t\n" + "".join(f"{value!r}\n" for value in y.tolist()))
    model = {"class_path": "DistributionModel", "init_args": {"distribution": kind, "parameters": arguments}}
    config = {
        "model": {"class_path": "MaximumLikelihood", "init_args": {"model": model}},
        "data": {"class_path": "TableDataModule", "init_args": {"path": "sample.csv", "inputs": [], "target": "t"}},
    }
    Path("sample.yaml").write_text(yaml.safe_dump(config))
    assert main(["fit", "--config", "sample.yaml"]) == 0
    run = Path("lightning_logs/sample/version_0")
    written = json.loads((run / "estimates.json").read_text())
    result = fit(DistributionModel(kind, arguments), (y,))
    for name, estimate in result.parameters.items():
        assert written["parameters"][name]["estimate"] == pytest.approx(estimate.estimate, rel=1e-7)
    assert {"histogram.png", "quantiles.png"} <= {path.name for path in run.glob("figures/*")}


@pytest.mark.parametrize(("kind", "smaller", "larger"), [
    ("paramfit.LogLogistic", {"scale": None, "shape": {"start": 2.0, "fixed": True}}, {"scale": None, "shape": None}),
    ("torch.distributions.GeneralizedPareto",
        {"loc": {"start": 0, "fixed": True}, "scale": None, "concentration": {"start": 0.0, "fixed": True}},
        {"loc": {"start": 0, "fixed": True}, "scale": None, "concentration": None}),
])  # fmt: skip
def test_nested_fits_are_compared_by_their_likelihood_ratio(kind, smaller, larger):
    y = stats.fisk(2.3, scale=1.5).rvs(size=100, random_state=np.random.default_rng(5))
    results = [fit(DistributionModel(kind, arguments), (y,)) for arguments in (smaller, larger)]
    (test,) = compare(results).tests
    logs = [result.likelihood["log_likelihood"] for result in results if result.likelihood is not None]
    assert test.probability == pytest.approx(stats.chi2(1).sf(2 * (logs[1] - logs[0])), rel=1e-9)


def test_tail_too_short_for_errors_stops_at_its_bound_and_says_so():
    y = stats.genpareto(-0.7, 0.0, 2.0).rvs(size=300, random_state=np.random.default_rng(5))
    kind, arguments, *_ = CASES["generalised Pareto"]
    result = fit(DistributionModel(kind, {**arguments, "loc": {"start": 0.0, "fixed": True}}), (y,))
    assert result.parameters["concentration"].at_bound == "lower"
    assert result.parameters["concentration"].standard_error is None
