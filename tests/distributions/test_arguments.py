"""What may be free in a distribution, and why the rest may not."""

import pytest
import torch
from torch import Tensor, distributions
from torch.distributions import Distribution, constraints

from paramfit import InputError
from paramfit.distributions import argument_bounds, is_integer, named_arguments
from paramfit.distributions.arguments import argument_values


@pytest.mark.parametrize(("kind", "argument", "bounds"), [
    (distributions.Normal, "loc", (None, None)),
    (distributions.Normal, "scale", (0.0, None)),
    (distributions.Poisson, "rate", (0.0, None)),
    (distributions.Bernoulli, "probs", (0.0, 1.0)),
    (distributions.Bernoulli, "logits", (None, None)),
    (distributions.NegativeBinomial, "probs", (0.0, 1.0)),
    (distributions.NegativeBinomial, "total_count", (0.0, None)),
    (distributions.Pareto, "alpha", (0.0, None)),
    (distributions.GeneralizedPareto, "concentration", (-0.5, None)),
])  # fmt: skip
def test_bounds_are_those_of_the_constraint(kind, argument, bounds):
    assert argument_bounds(kind, argument) == bounds


def test_upper_bound_alone():
    class Mine(Distribution):
        arg_constraints = {"edge": constraints.less_than(3.0)}  # noqa: RUF012  # as torch writes it

        def __init__(self, edge: float) -> None: ...

    assert argument_bounds(Mine, "edge") == (None, 3.0)
    assert named_arguments(Mine) == ("edge",)


def test_whole_number_is_to_be_fixed():
    assert is_integer(distributions.Binomial, "total_count")
    assert not is_integer(distributions.Binomial, "probs")
    assert not is_integer(distributions.Uniform, "low")
    assert not is_integer(distributions.RelaxedBernoulli, "temperature")  # it has no constraint, and can be fixed
    with pytest.raises(InputError, match=r"parameters.total_count: .* is an integer: give \{start: ..., fixed: true\}"):
        argument_bounds(distributions.Binomial, "total_count")


@pytest.mark.parametrize(("kind", "argument", "closed_form"), [
    (distributions.Uniform, "low", "low = the smallest observation"),
    (distributions.Uniform, "high", "high = the largest observation"),
    (distributions.Pareto, "scale", "scale = the smallest observation"),
    (distributions.GeneralizedPareto, "loc", "loc = the smallest observation"),
])  # fmt: skip
def test_end_of_the_support_is_refused_with_its_closed_form(kind, argument, closed_form):
    with pytest.raises(InputError, match=f"{closed_form}, and errors by curvature mean nothing.*fixed: true"):
        argument_bounds(kind, argument)


@pytest.mark.parametrize(("kind", "argument", "words"), [
    (distributions.Categorical, "probs", "Categorical constrains it by Simplex"),
    (distributions.MultivariateNormal, "loc", "MultivariateNormal is not univariate"),
    (distributions.Dirichlet, "concentration", "Dirichlet is not univariate"),
    (distributions.LKJCholesky, "concentration", "LKJCholesky is not univariate"),
    (distributions.Wishart, "df", "Wishart is not univariate"),
    (distributions.LogisticNormal, "loc", "LogisticNormal is not univariate"),
    (distributions.MixtureSameFamily, "loc", "does not say what its arguments may be"),
    (distributions.TransformedDistribution, "loc", "does not say what its arguments may be"),
    (distributions.Normal, "mu", "parameters.mu: Normal has no constraint for it, only for loc, scale"),
    (distributions.RelaxedBernoulli, "temperature", "has no constraint for it"),
])  # fmt: skip
def test_other_arguments_are_refused_by_name(kind, argument, words):
    with pytest.raises(InputError, match=words):
        argument_bounds(kind, argument)


def test_distribution_that_declares_nothing_is_refused():
    class Mine(Distribution):
        pass

    with pytest.raises(InputError, match="Mine does not say"):
        named_arguments(Mine)


@pytest.mark.parametrize(("kind", "names"), [
    (distributions.Gamma, ("concentration", "rate")),
    (distributions.StudentT, ("df", "loc", "scale")),
    (distributions.Pareto, ("scale", "alpha")),
    (distributions.Uniform, ("low", "high")),
    (distributions.Binomial, ("total_count", "probs", "logits")),
    (distributions.ContinuousBernoulli, ("probs", "logits")),
    (distributions.RelaxedBernoulli, ("temperature", "probs", "logits")),
])  # fmt: skip
def test_arguments_are_the_constructors(kind, names):
    assert named_arguments(kind) == names


@pytest.mark.parametrize("kind", ["probs", "logits"])
def test_what_was_given_is_kept_after_the_other_was_read(kind):
    value = torch.tensor(0.3)
    bernoulli = distributions.Bernoulli(**{kind: value})
    assert bernoulli.probs is not None
    assert bernoulli.logits is not None  # computed on demand, and then kept beside the one given
    assert list(argument_values(bernoulli)) == [kind]


def test_name_asked_for_decides():
    distribution = distributions.NegativeBinomial(3.0, probs=torch.tensor(0.3))
    assert list(argument_values(distribution, ["logits"])) == ["total_count", "logits"]
    assert list(argument_values(distribution, ["probs"])) == ["total_count", "probs"]


def test_argument_that_is_not_kept_is_named():
    class Forgetful(Distribution):
        arg_constraints = {"mu": constraints.real}  # noqa: RUF012  # as torch writes it

        def __init__(self, mu: Tensor) -> None:
            super().__init__(validate_args=False)

    with pytest.raises(InputError, match="Forgetful does not keep its argument mu as an attribute"):
        argument_values(Forgetful(torch.tensor(1.0)))
