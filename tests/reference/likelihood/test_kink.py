"""A density with a kink: Laplace's maximum is the median, or the line of least absolute deviations.

Errors are those of the expected information, n / scale^2 for each of loc and scale, since the observed one is 0.
"""

import numpy as np
import pytest
import statsmodels.api as sm
import torch
from scipy.optimize import brentq
from scipy.stats import chi2
from torch import nn
from torch.distributions import Laplace

from paramfit import DistributionModel, fit, ladder
from paramfit.shown.words import sentences
from tests.reference.likelihood.truth import Array, estimates_of

LAPLACE = "torch.distributions.Laplace"


def sample(n: int = 101) -> Array:
    return np.random.default_rng(0).laplace(3.0, 1.5, n)


def line(n: int) -> tuple[Array, Array]:
    x = np.linspace(0, 1, n)
    return x, 1 + 2 * x + np.random.default_rng(n).laplace(0, 0.3, n)


@pytest.mark.parametrize("start", [None, 0.5], ids=["moments", "far start"])
def test_a_sample_ends_at_its_median_with_fishers_errors(start):
    y = sample()
    scale = np.abs(y - np.median(y)).mean()
    result = fit(DistributionModel(LAPLACE, {"loc": start, "scale": start}), (y,))
    values, errors = estimates_of(result)
    assert result.status == "converged"
    np.testing.assert_allclose(values, [np.median(y), scale], rtol=1e-7)
    np.testing.assert_allclose(errors, [scale / np.sqrt(len(y))] * 2, rtol=1e-6)
    assert result.uncertainty.startswith("inverse expected information, since the log-density has a kink in loc")


@pytest.mark.parametrize("n", [50, 101, 1000])
def test_a_line_is_that_of_least_absolute_deviations(n):
    x, y = line(n)
    design = sm.add_constant(x)
    truth = sm.QuantReg(y, design).fit(0.5, p_tol=1e-12, max_iter=10_000)
    scale = np.abs(y - design @ truth.params).mean()
    model = DistributionModel(LAPLACE, {"loc": "a + b*x", "scale": 1.0}, {"a": 0.0, "b": 0.0})
    result = fit(model, (x, y))
    assert result.status == "converged"
    theirs = scale * np.sqrt(np.linalg.inv(design.T @ design).diagonal())
    for place, name in enumerate("ab"):
        estimate = result.parameters[name]
        assert estimate.estimate == pytest.approx(truth.params[place], abs=1e-4 * theirs[place])
        assert estimate.standard_error == pytest.approx(theirs[place], rel=1e-4)
    assert result.parameters["scale"].estimate == pytest.approx(scale, rel=1e-5)


def test_the_ladder_gives_what_a_kink_leaves_and_says_why_not_the_rest():
    y = sample()
    rungs = ladder(fit(DistributionModel(LAPLACE, {"loc": None, "scale": None}), (y,)), bootstrap=20)
    least = np.abs(y - np.median(y)).sum()

    def beyond(loc: float) -> float:
        return float(2 * len(y) * np.log(np.abs(y - loc).sum() / least) - chi2.ppf(0.95, 1))

    ends = (brentq(beyond, 0.0, np.median(y)), brentq(beyond, np.median(y), 6.0))
    assert rungs.plain == "expected information"
    assert rungs.rung("profile likelihood").intervals["loc"] == pytest.approx(ends, abs=1e-6)
    for name in ("observed information", "sandwich", "bootstrap percentile", "bootstrap BCa"):
        assert "the log-density has a kink in loc" in sentences(rungs.rung(name).reasons)
    assert rungs.rung("expected information").reasons == ()


class Own(nn.Module):
    """A module of one's own, of which no expected information is known."""

    def __init__(self) -> None:
        super().__init__()
        self.middle, self.log_scale = (nn.Parameter(torch.zeros((), dtype=torch.float64)) for _ in range(2))

    def forward(self) -> Laplace:
        return Laplace(self.middle, self.log_scale.exp())


def test_a_module_of_ones_own_gets_its_median_and_a_reason_instead_of_errors():
    result = fit(Own(), (sample(),))
    assert result.status == "converged"
    assert result.parameters["middle"].estimate == pytest.approx(np.median(sample()), rel=1e-7)
    assert result.parameters["middle"].standard_error is None
    assert "kink in loc" in result.notes["standard_error"]


def test_censored_rows_leave_the_median_where_it_was():
    y = sample()
    above = y > 5.0
    model = DistributionModel(LAPLACE, {"loc": None, "scale": None})
    result = fit(model, (np.minimum(y, 5.0),), censoring=np.where(above, "right", "").tolist())
    values = [estimate.estimate for estimate in result.parameters.values()]  # without errors, as above
    # With m rows seen, the scale is the sum of all distances to the median over m.
    scale = np.abs(np.minimum(y, 5.0) - np.median(y)).sum() / (~above).sum()
    assert result.status == "converged"
    np.testing.assert_allclose(values, [np.median(y), scale], rtol=1e-7)
