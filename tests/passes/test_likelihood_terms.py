"""Sums for Newton's method, against autograd over the whole likelihood."""

from functools import reduce
from operator import add
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.distributions import Distribution, Normal

from paramfit import AbsoluteError, DistributionModel, InputError, NegativeLogLikelihood, Observations
from paramfit.inference.loss_function import LossFunction
from paramfit.observations import Censored
from paramfit.passes.likelihood_terms import LikelihoodTerms

X = torch.linspace(-1.0, 2.0, 40, dtype=torch.float64)
COUNTS = torch.tensor([0, 1, 3, 2, 5] * 8, dtype=torch.float64)
POSITIVE = torch.linspace(0.2, 4.0, 40, dtype=torch.float64)


class Location(nn.Module):
    """A user's own module."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([0.3, -0.2], dtype=torch.float64))

    def forward(self, x: torch.Tensor) -> Distribution:
        """A line with a width of its own."""
        return Normal(self.weight[0] + self.weight[1] * x, 1 + x.square())


def model(kind: str, parameters: dict[str, Any], **coefficients: float) -> DistributionModel:
    return DistributionModel(f"torch.distributions.{kind}", parameters, coefficients or None)


CASES: dict[str, tuple[nn.Module, Observations]] = {
    "sample": (model("Gamma", {"concentration": 2.0, "rate": 1.5}), Observations((), POSITIVE)),
    "bounded": (model("Weibull", {"scale": {"start": 1.0, "upper": 3}, "concentration": 1.5}),
        Observations((), POSITIVE)),
    "fixed": (model("StudentT", {"df": {"start": 4.0, "fixed": True}, "loc": 0.5, "scale": 1.0}),
        Observations((), POSITIVE)),
    "canonical": (model("Poisson", {"rate": "exp(a + b*x)"}, a=0.1, b=0.2), Observations((X,), COUNTS)),
    "two formulas": (model("Normal", {"loc": "a*exp(b*x)", "scale": "exp(c + b*x)"}, a=0.5, b=0.1, c=0.3),
        Observations((X,), COUNTS)),
    "linear formulas": (model("Normal", {"loc": "a + b*x", "scale": "s"}, a=0.5, b=0.1, s=1.3),
        Observations((X,), COUNTS)),
    "one formula bends": (model("Normal", {"loc": "a + b*x", "scale": "exp(c + b*x)"}, a=0.5, b=0.1, c=0.3),
        Observations((X,), COUNTS)),
    "formula and parameter": (model("Gamma", {"concentration": 2.0, "rate": "exp(a + b*x)"}, a=0.1, b=0.2),
        Observations((X,), POSITIVE)),
    "own module": (Location(), Observations((X,), COUNTS)),
}  # fmt: skip


@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize(("model", "observations"), CASES.values(), ids=CASES)
def test_sums_are_those_of_autograd(model, observations, reduction):
    objective = NegativeLogLikelihood(reduction)
    actual = LikelihoodTerms(model, objective)(observations)
    loss = LossFunction(model, NegativeLogLikelihood(), observations)
    assert actual.n == 40
    assert actual.loss == pytest.approx(loss(loss.theta).item(), rel=1e-12)
    np.testing.assert_allclose(actual.gradient, loss.gradient(loss.theta).numpy(), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(actual.curvature, loss.hessian(loss.theta).numpy(), rtol=1e-8, atol=1e-8)


def test_expected_information_of_a_canonical_regression_is_the_hessian():
    model, observations = CASES["canonical"]
    terms = LikelihoodTerms(model, NegativeLogLikelihood())
    actual = terms.information(observations)
    assert actual is not None
    np.testing.assert_allclose(actual, terms(observations).curvature, rtol=1e-10)


def test_expected_information_of_a_normal_in_closed_form():
    normal = model("Normal", {"loc": 0.0, "scale": 2.0})
    actual = LikelihoodTerms(normal, NegativeLogLikelihood()).information(Observations((), POSITIVE))
    assert actual is not None
    # By the logarithm of the scale: n/scale^2 for loc, 2n for log scale.
    np.testing.assert_allclose(actual, np.diag([40 / 4, 80.0]), atol=1e-12)


def test_own_module_has_no_closed_information():
    own, observations = CASES["own module"]
    assert LikelihoodTerms(own, NegativeLogLikelihood()).information(observations) is None


def test_what_is_no_likelihood_is_refused():
    own, _ = CASES["own module"]
    with pytest.raises(InputError, match="not AbsoluteError"):
        LikelihoodTerms(own, AbsoluteError())
    with pytest.raises(InputError, match="penalty"):
        LikelihoodTerms(own, NegativeLogLikelihood(l2=1.0))
    with pytest.raises(InputError, match="no trainable parameter"):
        LikelihoodTerms(nn.Linear(1, 1).requires_grad_(False), NegativeLogLikelihood())


def lifetimes() -> Observations:
    """Every kind of observation in turn."""
    status = torch.arange(40) % 4
    return Observations((X,), POSITIVE, None, Censored(status, torch.where(status == 3, POSITIVE + 0.5, torch.inf)))


@pytest.mark.parametrize("expected", [False, True], ids=["Hessian", "scoring"])
def test_censored_batches_add_up_to_autograds_hessian(expected):
    survival = model("Weibull", {"scale": "exp(a + b*x)", "concentration": 1.5}, a=0.1, b=0.2)
    whole = LossFunction(survival, NegativeLogLikelihood(), lifetimes())
    terms = LikelihoodTerms(survival, NegativeLogLikelihood())
    sums = reduce(add, [terms(lifetimes().rows(rows), expected=expected) for rows in torch.arange(40).split(13)])
    assert sums.loss == pytest.approx(whole(whole.theta).item(), rel=1e-12)
    np.testing.assert_allclose(sums.gradient, whole.gradient(whole.theta).numpy(), rtol=1e-10)
    np.testing.assert_allclose(sums.curvature, whole.hessian(whole.theta).numpy(), rtol=1e-9, atol=1e-9)
    assert terms.information(lifetimes()) is None


@pytest.mark.parametrize("name", ["sample", "bounded", "canonical"])
@pytest.mark.parametrize("expected", [True, False])
def test_many_rows_have_as_many_times_the_sums_of_few(name, expected):
    fitted, few = CASES[name]
    many = Observations(tuple(column.repeat(2000) for column in few.inputs), few.target.repeat(2000))
    terms = LikelihoodTerms(fitted, NegativeLogLikelihood())
    actual, part = terms(many, expected=expected), terms(few, expected=expected)
    assert actual.n == 80000
    assert actual.loss == pytest.approx(2000 * part.loss, rel=1e-12)
    np.testing.assert_allclose(actual.gradient, 2000 * part.gradient, rtol=1e-10)
    np.testing.assert_allclose(actual.curvature, 2000 * part.curvature, rtol=1e-10)


def test_row_at_which_the_start_is_not_finite_is_named():
    line = model("Poisson", {"rate": "a + b*x"}, a=0.5, b=1.0)
    # Seven rates are below 0, and where the count is 0 its logarithm would not have been asked for.
    with pytest.raises(InputError, match=r"rate is -0.5 in row 0 \(input -1\) \(7 rows are\), outside what Poisson"):
        LikelihoodTerms(line, NegativeLogLikelihood()).at_start(Observations((X,), COUNTS))


def test_a_start_on_the_edge_where_an_observation_is_impossible_is_named_with_its_argument():
    line = model("Bernoulli", {"probs": "a + b*x"}, a=0.0, b=0.1)
    rows = Observations((torch.tensor([0.0, 1], dtype=torch.float64),), torch.tensor([1.0, 0], dtype=torch.float64))
    with pytest.raises(InputError, match=r"not finite at the start for 1 of 2 .* row 0 \(input 0, probs 0\)"):
        LikelihoodTerms(line, NegativeLogLikelihood()).at_start(rows)


@pytest.mark.parametrize("df", [-800.0, 800.0], ids=["0", "infinite"])
def test_a_trial_at_which_students_t_cannot_be_made_is_not_finite(df):
    student = model("StudentT", {"df": 4.0, "loc": 0.5, "scale": 1.0})
    student.get_parameter("df").data.fill_(df)  # of which df is the exponential
    sums = LikelihoodTerms(student, NegativeLogLikelihood())(Observations((), POSITIVE), expected=True)
    assert not sums.is_finite()


class SoftMaximum(nn.Module):
    """Two lines, of which the larger one counts, but for where they meet; by torch's own function."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([0.5, 0.1], dtype=torch.float64))

    def forward(self, x: torch.Tensor) -> Distribution:
        """The logarithm of a sum of exponentials."""
        return Normal(torch.logaddexp(self.weight[0] * x, self.weight[1].expand(x.shape)), 1.0)


def test_logaddexp_far_apart_has_its_second_derivative():
    """From afar the smaller one does not matter: each row is a line in one of the two."""
    x = torch.tensor([5000.0, 2000.0, -4000.0], dtype=torch.float64)
    sums = LikelihoodTerms(SoftMaximum(), NegativeLogLikelihood())(Observations((x,), torch.zeros_like(x)))
    assert sums.curvature == pytest.approx(np.array([[5000.0**2 + 2000.0**2, 0.0], [0.0, 1.0]]))


@pytest.mark.parametrize(("formula", "words"), [
    ("sqrt(a) * x + b", r"derivative by a is not, first in row 0 \(input -1, loc 0.3\)"),
    ("sqrt(a + max(1 - x, 0)) + b", "derivative by a is not, first in row 26 "),
])  # fmt: skip
def test_a_finite_likelihood_without_derivative_is_said_to_be_that(formula, words):
    made = model("Normal", {"loc": formula, "scale": 1.0}, a=0.0, b=0.3)
    with pytest.raises(InputError, match=f"the likelihood is finite at the start, but its {words}"):
        LikelihoodTerms(made, NegativeLogLikelihood()).at_start(Observations((X,), POSITIVE))
