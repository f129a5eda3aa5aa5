"""Sums are additive: however the rows are cut into batches, and in whatever order these come."""

from collections.abc import Callable
from functools import reduce
from operator import add
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from paramfit import DistributionModel, FormulaModel, HuberError, NegativeLogLikelihood, Observations, SquaredError
from paramfit.passes.base import Pass
from paramfit.passes.descent_losses import DescentLosses, DescentSums
from paramfit.passes.likelihood_terms import LikelihoodTerms
from paramfit.passes.residual_rows import ResidualRows
from paramfit.solvers.sums import ResidualSums

N = 24
X = torch.linspace(0.1, 3.0, N, dtype=torch.float64)
ROWS = Observations((X,), 2 * torch.exp(-0.7 * X) + 0.1 * torch.cos(9 * X) + 0.5, 0.1 + 0.05 * X)
COUNTS = Observations((X,), torch.arange(N, dtype=torch.float64) % 5)
SAMPLE = Observations((), ROWS.target)


def curve() -> nn.Module:
    return FormulaModel("a * exp(-k * x) + c", ["x"], {"a": 1.3, "k": {"start": 0.6, "lower": 0}, "c": -0.2})


def counts() -> nn.Module:
    return DistributionModel("torch.distributions.Poisson", {"rate": "exp(a + b*x)"}, {"a": 0.1, "b": 0.2})


def sample() -> nn.Module:
    return DistributionModel("torch.distributions.Gamma", {"concentration": 2.0, "rate": 1.5})


PASSES: dict[str, tuple[Callable[[], Pass[Any]], Observations]] = {
    "least squares": (lambda: ResidualRows(curve(), SquaredError(), separate=False), ROWS),
    "projected least squares": (lambda: ResidualRows(curve(), SquaredError()), ROWS),
    "robust": (lambda: ResidualRows(curve(), HuberError(0.3)), ROWS),
    "likelihood": (lambda: LikelihoodTerms(counts(), NegativeLogLikelihood()), COUNTS),
    "losses for descent": (lambda: DescentLosses(curve(), HuberError(0.3)), ROWS),
    "losses of a likelihood": (lambda: DescentLosses(counts(), NegativeLogLikelihood()), COUNTS),
    "likelihood of a sample": (lambda: LikelihoodTerms(sample(), NegativeLogLikelihood()), SAMPLE),
}
cuts = st.tuples(st.permutations(range(N)), st.sets(st.integers(1, N - 1)))


def numbers(sums: Any, pass_: Pass[Any]) -> list[Any]:
    """What is summed up, R by its inner products: its rows have no signs of their own."""
    if isinstance(sums, DescentSums):
        slopes = torch.autograd.grad(sums.total, pass_.parameters, retain_graph=True)
        return [sums.n, sums.total.item(), torch.stack(slopes).numpy()]
    if isinstance(sums, ResidualSums):
        return [sums.n, sums.factor.T @ sums.factor, sums.total or 0.0, sums.target]
    return [sums.n, sums.loss, sums.gradient, sums.curvature]


def assert_same(one: Any, other: Any, pass_: Pass[Any]) -> None:
    for mine, theirs in zip(numbers(one, pass_), numbers(other, pass_), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-11, atol=1e-11 * max(1.0, np.abs(theirs).max()))


@pytest.mark.parametrize(("make", "rows"), PASSES.values(), ids=PASSES)
@settings(max_examples=30, deadline=None)
@given(cut=cuts)
def test_any_cut_in_any_order_gives_the_sums_of_the_whole(make, rows, cut):
    order, edges = cut
    pass_ = make()
    whole = pass_.at_start(rows)
    batches = np.split(np.array(order), sorted(edges))
    summed = reduce(add, [pass_.at_start(rows.rows(torch.from_numpy(batch))) for batch in batches])
    assert_same(summed, whole, pass_)


@pytest.mark.parametrize(("make", "rows"), PASSES.values(), ids=PASSES)
@settings(max_examples=20, deadline=None)
@given(cut=cuts)
def test_adding_is_associative_and_leaves_its_terms_as_they_are(make, rows, cut):
    order, edges = cut
    pass_ = make()
    parts = [pass_(rows.rows(torch.from_numpy(batch))) for batch in np.split(np.array(order), sorted(edges))]
    before = [numbers(part, pass_) for part in parts]
    from_the_left = reduce(add, parts)
    from_the_right = reduce(lambda right, left: left + right, reversed(parts))
    assert_same(from_the_left, from_the_right, pass_)
    for part, kept in zip(parts, before, strict=True):
        for now, then in zip(numbers(part, pass_), kept, strict=True):
            np.testing.assert_array_equal(now, then)
