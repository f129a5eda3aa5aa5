"""The ladder as a whole: its rungs beside closed forms, and what it warns of."""

import math
from dataclasses import replace

import numpy as np
import pytest
import scipy.special
import statsmodels.api as sm
import torch
from torch import nn
from torch.distributions import Poisson

from paramfit.errors import InputError
from paramfit.facts import Fact, FactKind
from paramfit.inference.ladder.builder import build_ladder
from paramfit.inference.least_squares_errors import uncertainty
from paramfit.inference.loss_function import LossFunction
from paramfit.models import LinearModel
from paramfit.objectives import HuberError, NegativeLogLikelihood, SquaredError
from paramfit.observations import Observations
from paramfit.shown.words import sentence, sentences
from tests.inference.cases import Squares, constant_target
from tests.inference.likelihoods import GammaSample, LogLinear, likelihood, optimum

X = np.linspace(0, 4, 60)
RANDOM = np.random.default_rng(8)


def line(y: np.ndarray) -> tuple[LossFunction, torch.Tensor]:
    loss = LossFunction(LinearModel(), SquaredError(), Observations((torch.from_numpy(X),), torch.from_numpy(y)))
    return loss, torch.from_numpy(np.polyfit(X, y, 1))


def test_rungs_of_a_line_agree_and_are_statsmodels() -> None:
    y = 1 + X + RANDOM.normal(size=60)
    loss, theta = line(y)
    ladder = build_ladder(loss, theta, uncertainty(loss, theta))
    plain = sm.OLS(y, sm.add_constant(X)).fit()
    assert ladder.plain == "expected information"
    for name in ("observed information", "expected information"):
        errors = ladder.rung(name).standard_errors
        assert errors == {
            "weight": pytest.approx(plain.bse[1], rel=1e-9),
            "bias": pytest.approx(plain.bse[0], rel=1e-9),
        }
    for name in ("observed information", "expected information", "profile likelihood"):
        low, high = plain.conf_int()[1]
        assert ladder.rung(name).intervals["weight"] == (pytest.approx(low, rel=1e-7), pytest.approx(high, rel=1e-7))
    assert ladder.rung("sandwich").standard_errors == {
        "weight": pytest.approx(plain.HC0_se[1], rel=1e-9),
        "bias": pytest.approx(plain.HC0_se[0], rel=1e-9),
    }
    assert sentence(ladder.rung("sandwich").method).startswith("HC0")
    assert set(ladder.profiles) == {"weight", "bias"}
    assert ladder.warnings == ()


def test_unequal_variances_are_warned_of() -> None:
    y = np.where(X < 3.6, 0.01, 3.0) * RANDOM.normal(size=60)
    loss, theta = line(y)
    ladder = build_ladder(loss, theta, uncertainty(loss, theta), profile=False)
    assert any("by the sandwich" in warning and "error model is wrong" in warning for warning in ladder.warnings)


def test_expected_information_of_a_gamma_is_the_closed_form() -> None:
    sample = RANDOM.gamma(2.0, size=20)
    loss = likelihood(GammaSample(2.0, 2.0 / sample.mean()), sample)
    theta = optimum(loss)
    c, rate = loss.natural(theta).tolist()
    # In natural values n [[psi'(c), -1/rate], [-1/rate, c/rate^2]]; theta is the logarithm of both.
    natural = 20 * np.array([[scipy.special.polygamma(1, c), -1 / rate], [-1 / rate, c / rate**2]])
    scale = np.diag([c, rate])
    information = torch.from_numpy(scale @ natural @ scale)
    found = build_ladder(loss, theta, uncertainty(loss, theta), profile=False, expected=information)
    errors = np.sqrt(np.linalg.inv(natural).diagonal())
    assert found.rung("expected information").standard_errors == {
        "concentration": pytest.approx(errors[0], rel=1e-9),
        "rate": pytest.approx(errors[1], rel=1e-9),
    }
    without = build_ladder(loss, theta, uncertainty(loss, theta), profile=False)
    assert without.rung("expected information").reasons == (Fact(FactKind.NO_CLOSED_FORM),)


def test_overdispersed_counts_are_warned_of() -> None:
    rate = np.exp(0.5 + 0.4 * X)
    loss = likelihood(LogLinear(Poisson), X, RANDOM.negative_binomial(0.5, 0.5 / (0.5 + rate)))
    theta = optimum(loss)
    ladder = build_ladder(loss, theta, uncertainty(loss, theta))
    assert ladder.plain == "observed information"
    assert any("sandwich" in warning and "overdispersion" in warning for warning in ladder.warnings)


class Hill(torch.nn.Module):
    """A normal whose location is the square of its parameter: at 0, between two optima, the likelihood is lowest."""

    def __init__(self) -> None:
        super().__init__()
        self.root = torch.nn.Parameter(torch.tensor(0.0, dtype=torch.float64))

    def forward(self) -> torch.distributions.Normal:
        return torch.distributions.Normal(self.root**2, 1.0)


def test_direction_that_curves_downwards_is_named() -> None:
    loss = likelihood(Hill(), [3.0, 5.0])
    ladder = build_ladder(loss, loss.theta, uncertainty(loss, loss.theta))
    assert any("along root the likelihood does not fall" in warning for warning in ladder.warnings)
    assert ladder.rung("profile likelihood").intervals == {}


def test_parameter_that_nothing_tells_is_named() -> None:
    rows = torch.zeros(5, dtype=torch.float64)  # the input is 0 throughout
    loss = likelihood(LogLinear(Poisson), rows, [1, 2, 1, 0, 3])
    theta = torch.tensor([math.log(1.4), 0.0], dtype=torch.float64)
    ladder = build_ladder(loss, theta, uncertainty(loss, theta))
    assert any(warning.startswith("b does not bend the likelihood") for warning in ladder.warnings)
    assert all("b" not in rung.intervals for rung in ladder.rungs)
    assert set(ladder.rung("profile likelihood").intervals) == {"a"}


def test_parameter_at_its_bound_is_told_and_left_out() -> None:
    sample = RANDOM.gamma(2.0, size=20)
    loss = likelihood(GammaSample(2.0, 1.0), sample)
    errors = uncertainty(loss, loss.theta)
    assert errors.covariance is not None
    spread = torch.zeros(2, 2, dtype=torch.float64)
    spread[1, 1] = 1 / 40
    held = replace(
        errors, covariance=spread, at_bound=(0,), undetermined={0: Fact(FactKind.SITS_AT_BOUND, ("concentration",))}
    )
    ladder = build_ladder(loss, torch.tensor([math.log(2.0), math.log(2 / sample.mean())]).double(), held)
    assert ladder.warnings[0].startswith("concentration sits at its bound: an error there means nothing")
    for rung in ladder.rungs:
        assert "concentration" not in rung.intervals


def test_exact_fit_says_why_there_is_no_profile() -> None:
    loss = constant_target(Squares([1.0], [3.0]), value=3.0)
    ladder = build_ladder(loss, loss.theta, uncertainty(loss, loss.theta))
    assert ladder.rung("profile likelihood").reasons == (Fact(FactKind.RESIDUALS_ZERO),)
    assert ladder.rung("observed information").reasons


def test_bootstrap_is_two_rungs() -> None:
    y = 1 + X + RANDOM.normal(size=60)
    loss, theta = line(y)
    ladder = build_ladder(loss, theta, uncertainty(loss, theta), profile=False, bootstrap=200, seed=1)
    robust = sm.OLS(y, sm.add_constant(X)).fit(cov_type="HC0").bse
    for name in ("bootstrap percentile", "bootstrap BCa"):
        errors = ladder.rung(name).standard_errors
        assert errors is not None
        assert errors["weight"] == pytest.approx(robust[1], rel=0.25)


def test_what_is_no_likelihood_is_refused() -> None:
    rows = Observations((torch.from_numpy(X),), torch.from_numpy(X))
    for objective, told in ((HuberError(), "HuberError is no likelihood"), (SquaredError(l1=1), "a penalty is on")):
        loss = LossFunction(LinearModel(), objective, rows)
        with pytest.raises(InputError, match=told):
            build_ladder(loss, loss.theta, uncertainty(loss, loss.theta))


class Branching(nn.Module):
    """A model that looks at its parameter's value, which no batch of parameters can."""

    def __init__(self) -> None:
        super().__init__()
        self.rate = nn.Parameter(torch.ones((), dtype=torch.float64))

    def forward(self) -> Poisson:
        return Poisson(self.rate if self.rate.item() > 0 else -self.rate)


def test_a_bootstrap_that_cannot_be_had_leaves_the_other_rungs() -> None:
    sample = RANDOM.poisson(4.0, 50).astype(float)
    loss = LossFunction(Branching(), NegativeLogLikelihood(), Observations((), torch.from_numpy(sample)))
    theta = optimum(loss)
    found = build_ladder(loss, theta, uncertainty(loss, theta), bootstrap=20)
    for name in ("bootstrap percentile", "bootstrap BCa"):
        assert "cannot compute Branching for many parameters" in sentences(found.rung(name).reasons)
    assert any("cannot compute Branching" in warning for warning in found.warnings)
    assert found.rung("observed information").standard_errors == {
        "rate": pytest.approx(np.sqrt(sample.mean() / 50), rel=1e-9)
    }
