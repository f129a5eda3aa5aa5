"""Censored observations: estimates and errors against a closed form and against scipy's densities and tails.

Lifetimes are watched until a time of their own (right), found dead at an inspection (left), or died between two
(interval); the tobit regression is a normal one whose values below a limit are not seen.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import yaml
from scipy import stats
from scipy.special import ndtri

from paramfit import DistributionModel, FitResult, InputError, compare, fit, ladder
from paramfit.cli import main
from tests.reference.likelihood.truth import Array, Truth, estimates_of, maximum

ROWS = 200
VALUE, ERROR = 1e-6, 1e-4  # relative

WEIBULL = {"distribution": "torch.distributions.Weibull", "parameters": {"scale": None, "concentration": None}}


FIXED = {"start": 2.5, "fixed": True}  # torch differentiates an incomplete gamma function by its argument only


class Sample(NamedTuple):
    """What was seen of a sample."""

    y: Array
    status: list[str]
    upper: Array

    def log_likelihood(self, law: Any) -> float:
        """By scipy's distribution."""
        word, y = np.array(self.status), self.y
        between = np.log(law.cdf(self.upper) - law.cdf(y))
        ways = [law.logpdf(y), law.logcdf(y), law.logsf(y), between]
        return float(np.select([word == kind for kind in ("", "left", "right", "interval")], ways).sum())


def censored(values: Array, kinds: Sequence[str]) -> Sample:
    """A sample of which in turn each value is seen as one of the kinds."""
    generator = np.random.default_rng(5)
    bounds = values + generator.normal(0, 0.5 * values.std(), len(values))
    bounds = np.where((values.min() > 0) & (bounds <= 0), values / 2, bounds)
    y, status, upper = values.copy(), [""] * len(values), np.full(len(values), np.nan)
    for row, value in enumerate(values):
        kind = kinds[row % len(kinds)]
        if kind == "interval":
            y[row], upper[row], status[row] = value - 0.3 * abs(value), value + 0.4 * abs(value), kind
        elif kind:
            y[row], status[row] = bounds[row], "right" if value > bounds[row] else "left"
    return Sample(y, status, upper)


class Case(NamedTuple):
    """A distribution, in torch's words and in scipy's."""

    name: str
    parameters: dict[str, Any]
    law: Callable[..., Any]
    truth: tuple[float, ...]


CASES = {
    case.name: case
    for case in (
        Case("Weibull", {"scale": None, "concentration": None}, lambda s, k: stats.weibull_min(k, scale=s), (3.0, 1.4)),
        Case("Normal", {"loc": None, "scale": None}, lambda m, s: stats.norm(m, s), (5.0, 2.0)),
        Case("LogNormal", {"loc": None, "scale": None}, lambda m, s: stats.lognorm(s, scale=np.exp(m)), (0.5, 0.8)),
        Case("Gumbel", {"loc": None, "scale": None}, lambda m, s: stats.gumbel_r(m, s), (5.0, 2.0)),
        Case("Laplace", {"loc": {"start": 5.0, "fixed": True}, "scale": None}, lambda s: stats.laplace(5.0, s), (2.0,)),
        Case("Gamma", {"concentration": FIXED, "rate": None}, lambda b: stats.gamma(2.5, scale=1 / b), (0.7,)),
        Case("InverseGamma", {"concentration": FIXED, "rate": None}, lambda b: stats.invgamma(2.5, scale=b), (4.0,)),
        Case("Exponential", {"rate": None}, lambda r: stats.expon(scale=1 / r), (0.5,)),
    )
}
KINDS = {"right and left": ["", "", "bound"], "intervals": ["interval"], "all": ["", "bound", "interval", "bound"]}


def scipys(sample: Sample, case: Case) -> Truth:
    return maximum(lambda *values: sample.log_likelihood(case.law(*values)), case.truth)


@pytest.mark.parametrize("kinds", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_estimates_and_errors_are_those_of_scipys_density_and_tails(case, kinds):
    sample = censored(case.law(*case.truth).rvs(ROWS, random_state=np.random.default_rng(2)), kinds)
    truth = scipys(sample, case)
    model = DistributionModel(f"torch.distributions.{case.name}", case.parameters)
    result = fit(model, (sample.y,), censoring=sample.status, upper=sample.upper)
    values, errors = estimates_of(result)
    assert result.status == "converged"
    np.testing.assert_allclose(values, truth.values, rtol=VALUE)
    np.testing.assert_allclose(errors, truth.errors, rtol=ERROR)
    assert result.likelihood["log_likelihood"] == pytest.approx(truth.log_likelihood, rel=1e-10)


def survivors(n: int = ROWS) -> tuple[Array, list[str]]:
    """Exponential lifetimes of rate 1/4, each watched for a time of its own."""
    generator = np.random.default_rng(7)
    life, watched = generator.exponential(4.0, n), generator.uniform(0.5, 8.0, n)
    return np.minimum(life, watched), np.where(life <= watched, "observed", "right").tolist()


def exponential(times: Array, status: list[str]) -> FitResult:
    return fit(DistributionModel("torch.distributions.Exponential", {"rate": None}), (times,), censoring=status)


def test_exponential_rate_is_events_over_total_time():
    times, status = survivors()
    events, total = status.count("observed"), times.sum()
    (value,), (error,) = estimates_of(exponential(times, status))
    assert 0 < events < ROWS
    assert value == pytest.approx(events / total, rel=1e-8)  # the fit ends 1e-8 standard errors away
    assert error == pytest.approx(np.sqrt(events) / total, rel=1e-8)


def test_ladder_of_an_exponential_rate_has_its_closed_forms():
    times, status = survivors()
    events, total = status.count("observed"), times.sum()
    rate = events / total
    rungs = ladder(exponential(times, status), bootstrap=300)
    visited = np.array([word == "observed" for word in status])
    sandwich = np.sqrt(np.square(visited - rate * times).sum()) / total
    assert rungs.rung("sandwich").standard_errors == pytest.approx({"rate": sandwich}, rel=1e-6)
    assert not rungs.rung("expected information").intervals  # it depends on when nobody's watch ends
    ends = rungs.rung("profile likelihood").intervals["rate"]
    deviance = [2 * (events * np.log(rate / end) - (rate - end) * total) for end in ends if end is not None]
    assert deviance == pytest.approx([float(ndtri(0.975)) ** 2] * 2, rel=1e-5)
    assert rungs.rung("bootstrap percentile").standard_errors == pytest.approx({"rate": sandwich}, rel=0.15)


def tobit(rows: int = 300) -> tuple[Array, Array, list[str]]:
    """A line with normal errors, of which nothing below 1 is seen but that it is below."""
    generator = np.random.default_rng(3)
    x = generator.uniform(-2, 3, rows)
    y = 1 + 1.5 * x + generator.normal(0, 1.2, rows)
    return x, np.maximum(y, 1.0), np.where(y > 1, "none", "left").tolist()


def line(**scale: Any) -> DistributionModel:
    return DistributionModel(
        "torch.distributions.Normal", {"loc": "a + b*x", "scale": scale or 1.0}, coefficients={"a": 0.0, "b": 0.0}
    )


def test_tobit_regression_is_scipys():
    x, y, status = tobit()
    below = np.array(status) == "left"

    def log_likelihood(scale: float, a: float, b: float) -> float:
        law = stats.norm(a + b * x, scale)
        return float(np.where(below, law.logcdf(y), law.logpdf(y)).sum())

    truth = maximum(log_likelihood, (1.2, 1.0, 1.5))
    result = fit(line(), {"x": x, "y": y, "seen": status}, target="y", censoring="seen")
    values, errors = estimates_of(result)
    np.testing.assert_allclose(values, truth.values, rtol=VALUE)
    np.testing.assert_allclose(errors, truth.errors, rtol=ERROR)


def test_fits_of_other_censoring_are_not_compared():
    times, status = survivors()
    plain = fit(DistributionModel("torch.distributions.Exponential", {"rate": None}), (times,))
    with pytest.raises(InputError, match="different data"):
        compare({"plain": plain, "censored": exponential(times, status)})


@pytest.fixture
def lifetimes() -> Sample:
    """A table with words and upper ends, and a configuration that names them."""
    case = CASES["Weibull"]
    sample = censored(case.law(*case.truth).rvs(ROWS, random_state=np.random.default_rng(4)), KINDS["all"])
    rows = zip(sample.y, sample.status, sample.upper, strict=True)
    lines = [f"{y!r},{word},{'' if np.isnan(upper) else repr(float(upper))}" for y, word, upper in rows]
    Path("lifetimes.csv").write_text("\n".join(["t,seen,until", *lines]).replace("np.float64(", "").replace(")", ""))
    config = {
        "model": {
            "class_path": "MaximumLikelihood",
            "init_args": {"model": {"class_path": "DistributionModel", "init_args": WEIBULL}},
        },
        "data": {
            "class_path": "TableDataModule",
            "init_args": {"path": "lifetimes.csv", "inputs": [], "target": "t", "censoring": "seen", "upper": "until"},
        },
    }
    Path("lifetimes.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    return sample


def written(version: int) -> list[float]:
    file = Path("lightning_logs") / "lifetimes" / f"version_{version}" / "estimates.json"
    return [each["estimate"] for each in json.loads(file.read_text())["parameters"].values()]


def test_table_is_fitted_evaluated_and_predicted_from_the_command_line(lifetimes, capsys):
    truth = scipys(lifetimes, CASES["Weibull"])
    options = ["--config", "lifetimes.yaml"]
    last = ["--ckpt_path", "lightning_logs/lifetimes/version_0/checkpoints/last.ckpt"]
    assert main(["fit", *options]) == 0
    assert main(["validate", *options, *last]) == 0
    assert main(["predict", *options, *last]) == 0
    np.testing.assert_allclose(written(0), truth.values, rtol=VALUE)
    assert f"{-truth.log_likelihood / ROWS:.6f}" in capsys.readouterr().out  # val/nll


@pytest.mark.parametrize("options", [
    ["--data.batch_size", "32"],
    ["--model.optimizer", "torch.optim.LBFGS", "--model.optimizer.line_search_fn", "strong_wolfe"],
], ids=["batches", "L-BFGS"])  # fmt: skip
def test_batches_and_descent_end_where_newton_does(lifetimes, options):
    descent = ["--trainer.max_epochs", "60", "--plots.enabled", "false", "--ladder.enabled", "false"]
    assert main(["fit", "--config", "lifetimes.yaml", *options, *descent]) == 0
    np.testing.assert_allclose(written(0), scipys(lifetimes, CASES["Weibull"]).values, rtol=1e-4)


REFUSED = {
    "Gamma": ("torch.distributions.Gamma", {"concentration": None, "rate": None}, "Gamma cannot take censored"),
    "Poisson": ("torch.distributions.Poisson", {"rate": None}, "Poisson cannot take censored"),
    "InverseGamma": ("torch.distributions.InverseGamma", {"concentration": None, "rate": None}, "cannot take censored"),
    "StudentT": ("torch.distributions.StudentT", {"df": 5.0, "loc": None, "scale": None}, "StudentT cannot take"),
    "NegativeBinomial": ("torch.distributions.NegativeBinomial", {"total_count": 5.0, "probs": None}, "cannot take"),
    "VonMises": ("torch.distributions.VonMises", {"loc": None, "concentration": None}, "VonMises cannot take"),
}


@pytest.mark.parametrize(("path", "parameters", "words"), REFUSED.values(), ids=REFUSED)
def test_distribution_without_a_usable_cdf_is_refused_by_name(path, parameters, words):
    with pytest.raises(InputError, match=words) as refusal:
        fit(DistributionModel(path, parameters), ([1.0, 2.0, 3.0],), censoring=["", "right", ""])
    assert "leave" not in str(refusal.value)  # which biases
    assert "a class of your own with a `cdf`" in str(refusal.value)


def test_observed_rows_alone_have_to_be_in_the_support():
    model = DistributionModel(**WEIBULL)
    with pytest.raises(InputError, match="row 1 is -2, outside the support"):
        fit(model, ([1.0, -2.0, 0.0],), censoring=["", "", "interval"], upper=[0.0, 0.0, 2.0])
    edge = fit(model, ([1.0, 2.0, 3.0, 0.0],), censoring=["", "", "", "interval"], upper=[np.nan, 0.0, -1.0, 2.0])
    below = fit(model, ([1.0, 2.0, 3.0, 2.0],), censoring=["", "", "", "left"])
    assert estimates_of(edge)[0] == pytest.approx(estimates_of(below)[0], rel=1e-7)
