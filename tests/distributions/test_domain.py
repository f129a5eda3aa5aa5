"""What is outside the constraint of an argument, of every family and of others' classes."""

import math

import pytest
import torch
from torch import distributions as dist

from paramfit import InputError
from paramfit.distributions.arguments import made
from paramfit.distributions.domain import infinite_outside, outside_fact, refuse_outside, refused_fact, rooms, unchecked
from paramfit.objectives import NegativeLogLikelihood
from tests.distributions.bounded_arguments import Stretched, Tilted, ZeroInflated
from tests.distributions.families import ROWS

N = 4
BY_ARGUMENT = [(row, name) for row in ROWS.values() for name in row.names]


def ends_of(row, name):
    constraint = row.kind.arg_constraints[name]
    return [
        end for end in (getattr(constraint, f"{side}_bound", None) for side in ("lower", "upper")) if end is not None
    ]


@pytest.mark.parametrize(("row", "name"), BY_ARGUMENT, ids=lambda part: getattr(part, "kind", part) and str(part)[:30])
def test_a_row_beyond_an_end_is_named_and_has_no_likelihood(row, name):
    y = row.sample(N)
    for end in ends_of(row, name):
        for beyond in (end - 0.25, end + 0.25):
            before = row.distribution(N)
            values = {own: getattr(before, own).clone() for own in row.arguments}
            values[name][2] = beyond
            inside = row.kind.arg_constraints[name].check(values[name])
            with unchecked():  # StudentT makes a Chi2, which checks
                moved = made(row.kind, values)
            fact, losses = outside_fact(moved), NegativeLogLikelihood().per_observation(moved, y)
            assert (fact is None) == bool(inside.all())
            assert torch.isinf(losses[2]) or bool(inside[2])
            assert torch.isfinite(losses[[0, 1, 3]]).all()
            if fact is not None:
                assert (fact.numbers["argument"], fact.numbers["row"], fact.numbers["rows"]) == (name, 2, 1)
                assert fact.numbers["value"] == pytest.approx(beyond)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("probs", [-0.25, 0.0, 1e-20, 1 - 1e-17, 1.0, 1.25])
def test_a_probability_that_torch_puts_another_in_place_of_has_no_likelihood(probs, dtype):
    with unchecked():
        moved = dist.ContinuousBernoulli(torch.tensor([0.3, probs, 0.4], dtype=dtype))
    fact, losses = outside_fact(moved), NegativeLogLikelihood().per_observation(moved, torch.full((3,), 0.2).to(dtype))
    assert torch.isfinite(losses).tolist() == [True, False, True]
    assert (fact.numbers["argument"], fact.numbers["row"], fact.numbers["rows"]) == ("probs", 1, 1)
    with pytest.raises(InputError, match=r"give logits"):
        refuse_outside(moved)


def column(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


PAIR = torch.tensor([[0.5, 0.5], [1.25, -0.25], [0.5, 0.5]], dtype=torch.float64)
OTHERS = {
    "an interval": (Tilted(column(0.5, -1.5, 0.5), validate_args=False), "slope", -1.5),
    "a unit interval": (ZeroInflated(column(0.5, 1.5, 0.5), 2.0, validate_args=False), "share", 1.5),
    "less than another argument": (
        Stretched(column(0.5, 0.6, 0.5), column(1, 2, 1), validate_args=False),
        "slope",
        0.6,
    ),
    "weights of a mixture": (
        dist.MixtureSameFamily(
            dist.Categorical(PAIR.clone(), validate_args=False),
            dist.Normal(torch.zeros(3, 2), 1.0),
            validate_args=False,
        ),
        "probs",
        -0.25,
    ),
    "components of a mixture": (
        dist.MixtureSameFamily(
            dist.Categorical(torch.ones(3, 2)), dist.Normal(torch.zeros(3, 2), PAIR, validate_args=False)
        ),
        "scale",
        -0.25,
    ),
    "independent": (dist.Independent(dist.Poisson(PAIR, validate_args=False), 1), "rate", -0.25),
    "transformed": (
        dist.TransformedDistribution(
            dist.Exponential(column(1, -2, 1), validate_args=False), [dist.AffineTransform(1.0, 2.0)]
        ),
        "rate",
        -2.0,
    ),
}


@pytest.mark.parametrize(("made", "name", "value"), OTHERS.values(), ids=OTHERS)
def test_the_constraints_of_other_classes_and_of_what_is_within_them_count(made, name, value):
    fact = outside_fact(made)
    assert (fact.numbers["argument"], fact.numbers["row"], fact.numbers["value"]) == (name, 1, value)
    losses = infinite_outside(made, torch.zeros(3))
    assert losses.tolist() == [0.0, math.inf, 0.0]
    assert min(room.slack.min().item() for room in rooms(made)) < 0


def test_an_end_itself_belongs_to_the_domain_where_the_likelihood_is_finite():
    assert outside_fact(dist.VonMises(0.0, 0.0, validate_args=False)) is None
    assert outside_fact(dist.VonMises(0.0, 0.0, validate_args=False), open_ends=True) is not None
    assert NegativeLogLikelihood().per_observation(dist.Poisson(column(0, 0)), column(0, 1)).tolist() == [0, math.inf]


def test_a_distribution_that_refuses_its_arguments_is_named_by_its_error():
    with pytest.raises(ValueError, match="Expected parameter rate") as refusal:
        dist.Poisson(column(1, 2, -3), validate_args=True)
    assert refused_fact(refusal.value).numbers["row"] == 2
    with pytest.raises(
        InputError, match=r"rate is -3 in row 2 \(input 9\), outside what Poisson allows, numbers of at"
    ):
        refuse_outside(refusal.value, [column(7, 8, 9)])
