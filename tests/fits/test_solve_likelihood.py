"""Likelihoods solved without a Trainer, against closed forms."""

import pytest
import torch

from paramfit import DistributionModel, NegativeLogLikelihood, Newton, Observations
from paramfit.fits.solve_likelihood import solve_likelihood
from paramfit.passes.likelihood_terms import LikelihoodTerms

SAMPLE = Observations((), torch.tensor([2.0, 3.0, 1.0, 6.0], dtype=torch.float64))


def terms() -> LikelihoodTerms:
    return LikelihoodTerms(DistributionModel("torch.distributions.Poisson", {"rate": 1.0}), NegativeLogLikelihood())


def test_rate_of_counts_is_their_mean() -> None:
    found = terms()
    solver, steps = solve_likelihood(found, SAMPLE)
    assert solver.converged
    assert steps < 10
    assert found.model().mean.item() == pytest.approx(3.0, rel=1e-12)


def test_it_gives_up_after_so_many_steps() -> None:
    solver, steps = solve_likelihood(terms(), SAMPLE, 2, lambda parameters: Newton(parameters, damping=100.0))
    assert (solver.is_done(), steps) == (False, 2)
