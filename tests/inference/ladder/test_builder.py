"""The ladder as a whole: its rungs beside closed forms, and what it warns of."""

import math
from dataclasses import replace

import numpy as np
import pytest
import scipy.special
import statsmodels.api as sm
import torch
from torch.distributions import Poisson

from paramfit import Fact, FactKind, HuberError, InputError, LinearModel, Observations, SquaredError
from paramfit.inference.ladder.builder import build_ladder
from paramfit.inference.ladder.disagreement import disagreements
from paramfit.inference.ladder.rungs import Interval, Rung
from paramfit.inference.least_squares_errors import uncertainty
from paramfit.inference.loss_function import LossFunction
from paramfit.shown.words import sentence
from tests.inference.likelihoods import GammaSample, LogLinear, likelihood, optimum

X = np.linspace(0, 4, 60)
RANDOM = np.random.default_rng(8)


def line(y: np.ndarray) -> tuple[LossFunction, torch.Tensor]:
    loss = LossFunction(LinearModel(), SquaredError(), Observations((torch.from_numpy(X),), torch.from_numpy(y)))
    return loss, torch.from_numpy(np.polyfit(X, y, 1))


def test_rungs_of_a_line_agree_and_are_statsmodels():
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


def test_unequal_variances_are_warned_of():
    y = np.where(X < 3.6, 0.01, 3.0) * RANDOM.normal(size=60)
    loss, theta = line(y)
    ladder = build_ladder(loss, theta, uncertainty(loss, theta), profile=False)
    assert any("by the sandwich" in warning and "error model is wrong" in warning for warning in ladder.warnings)


def test_expected_information_of_a_gamma_is_the_closed_form():
    sample = RANDOM.gamma(2.0, size=20)
    loss = likelihood(GammaSample(2.0, 2.0 / sample.mean()), sample)
    theta = optimum(loss)
    c, rate = loss.natural(theta).tolist()
    # In natural values n [[psi'(c), -1/rate], [-1/rate, c/rate^2]]; theta is the logarithm of both.
    natural = 20 * np.array([[scipy.special.polygamma(1, c), -1 / rate], [-1 / rate, c / rate**2]])
    scale = np.diag([c, rate])
    information = torch.from_numpy(scale @ natural @ scale)
    rungs = build_ladder(loss, theta, uncertainty(loss, theta), profile=False, expected=information)
    errors = np.sqrt(np.linalg.inv(natural).diagonal())
    assert rungs.rung("expected information").standard_errors == {
        "concentration": pytest.approx(errors[0], rel=1e-9),
        "rate": pytest.approx(errors[1], rel=1e-9),
    }
    without = build_ladder(loss, theta, uncertainty(loss, theta), profile=False)
    assert without.rung("expected information").reasons == (Fact(FactKind.NO_CLOSED_FORM),)


def test_overdispersed_counts_are_warned_of():
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


def test_direction_that_curves_downwards_is_named():
    loss = likelihood(Hill(), [3.0, 5.0])
    ladder = build_ladder(loss, loss.theta, uncertainty(loss, loss.theta))
    assert any("along root the likelihood does not fall" in warning for warning in ladder.warnings)
    assert ladder.rung("profile likelihood").intervals == {}


def test_parameter_at_its_bound_is_told_and_left_out():
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
    told = {rung.name for rung in ladder.rungs if "concentration" in rung.intervals}
    assert told == {"profile likelihood"}  # which alone can be one-sided


def test_bootstrap_is_two_rungs():
    y = 1 + X + RANDOM.normal(size=60)
    loss, theta = line(y)
    ladder = build_ladder(loss, theta, uncertainty(loss, theta), profile=False, bootstrap=200, seed=1)
    robust = sm.OLS(y, sm.add_constant(X)).fit(cov_type="HC0").bse
    for name in ("bootstrap percentile", "bootstrap BCa"):
        assert ladder.rung(name).standard_errors["weight"] == pytest.approx(robust[1], rel=0.25)


def test_what_is_no_likelihood_is_refused():
    rows = Observations((torch.from_numpy(X),), torch.from_numpy(X))
    for objective, each in ((HuberError(), "HuberError is no likelihood"), (SquaredError(l1=1), "a penalty is on")):
        loss = LossFunction(LinearModel(), objective, rows)
        with pytest.raises(InputError, match=each):
            build_ladder(loss, loss.theta, uncertainty(loss, loss.theta))


PLAIN = Rung("observed information", {"a": 1.0}, {"a": (0.0, 4.0)}, "")


def against(name: str, ends: Interval) -> list[str]:
    return list(map(sentence, disagreements([PLAIN, Rung(name, None, {"a": ends}, "")], PLAIN.name)))


@pytest.mark.parametrize("ends", [(0.0, 4.0), (0.99, 4.99), (-0.99, 3.01), (None, 4.5), (None, None)])
def test_up_to_a_quarter_of_the_width_is_agreement(ends):
    assert against("profile likelihood", ends) == []


@pytest.mark.parametrize(
    ("name", "meaning"),
    [("sandwich", "the error model is wrong"), ("bootstrap BCa", "another sample would scatter otherwise")],
)
def test_more_is_told_with_the_number_and_what_it_means(name, meaning):
    (caution,) = against(name, (0.5, 6.0))
    assert caution.startswith(
        f"a: the upper end of its interval is 6.0 by the {name} and 4.0 by the observed information"
    )
    assert "0.50 of that one's width apart" in caution
    assert meaning in caution


def test_end_that_there_is_not_is_told():
    (caution,) = against("profile likelihood", (0.5, math.inf))
    assert caution.startswith("a: by the profile likelihood its interval has no upper end")
