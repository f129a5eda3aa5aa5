"""Sums over a sample, against torch's densities and the scores of single observations."""

import pytest
import torch

from paramfit.distributions import sample_sums, score
from paramfit.distributions.sample_sums import closed_sums
from tests.distributions.families import FAMILIES


def test_every_closed_form_is_tested_here() -> None:
    assert set(closed_sums.registry) - {object} <= {family.kind for family in FAMILIES.values()}


@pytest.mark.parametrize("name", FAMILIES)
def test_sums_are_those_of_the_observations(name: str) -> None:
    family = FAMILIES[name]
    target, distribution = family.sample(500), family.distribution()
    found = sample_sums(distribution, target, family.names)
    torch.testing.assert_close(found.log_likelihood, distribution.log_prob(target).sum(), rtol=1e-12, atol=1e-12)
    scores = score(distribution, target, family.names)
    for argument in family.names:
        column = scores[argument].expand(len(target))
        assert found.scores[argument].shape == ()
        assert abs(found.scores[argument] - column.sum()) <= 1e-12 * column.abs().sum()


@pytest.mark.parametrize("name", FAMILIES)
def test_sums_lie_where_scipys_do(name: str) -> None:
    family = FAMILIES[name]
    target, truth = family.sample(500), family.scipy()
    log_density = truth.logpmf if hasattr(truth, "logpmf") else truth.logpdf
    found = sample_sums(family.distribution(), target, family.names).log_likelihood.item()
    # torch's Bessel functions of the von Mises have seven digits
    assert found == pytest.approx(float(log_density(target.numpy()).sum()), rel=1e-7)
