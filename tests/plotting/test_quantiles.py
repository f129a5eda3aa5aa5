"""Quantiles and probabilities of a sample against those of the fitted distribution."""

from typing import Any

import numpy as np
import pytest
import scipy.stats
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor
from torch.distributions import Beta, Distribution, Exponential, Gamma, Normal, Poisson, StudentT

from paramfit.plotting import quantile_figure, quantile_residual_figure, quantile_residuals

N = 40
POSITIONS = scipy.stats.beta(np.arange(1, N + 1), N - np.arange(N)).median()


def number(value: float) -> Tensor:
    return torch.tensor(value, dtype=torch.float64)


CASES: list[tuple[Distribution, Any]] = [
    (Normal(number(1.0), number(2.0)), scipy.stats.norm(1, 2)),
    (Gamma(number(2.0), number(0.5)), scipy.stats.gamma(2, scale=2)),
    (Beta(number(2.0), number(0.5)), scipy.stats.beta(2, 0.5)),
    (StudentT(number(2.0)), scipy.stats.t(2)),
]


def drawn(sample: Tensor, fitted: Distribution, held_out: Tensor | None = None) -> Figure:
    return quantile_figure(sample, fitted, "time (s)", "after 3 iterations", held_out)


def dots(axes: Axes, label: str = "observations") -> np.ndarray:
    return np.asarray(next(group.get_offsets() for group in axes.collections if group.get_label() == label))


def band(axes: Axes) -> np.ndarray:
    """The corners of the band."""
    group = next(group for group in axes.collections if group.get_label() == "95 % band")
    return np.asarray(group.get_paths()[0].vertices)


def random(n: int, seed: int = 0) -> Tensor:
    return torch.rand(n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize(("fitted", "scipys"), CASES, ids=lambda case: type(case).__name__)
def test_sample_of_exact_quantiles_lies_on_both_diagonals(fitted, scipys):
    sample = torch.from_numpy(scipys.ppf(POSITIONS)).flip(0)
    left, right = drawn(sample, fitted).axes
    for axes in (left, right):
        assert dots(axes)[:, 0] == pytest.approx(dots(axes)[:, 1], rel=1e-7)
    assert dots(right)[:, 0] == pytest.approx(POSITIONS, rel=1e-9)


def test_points_are_scipys_probability_plot():
    sample = torch.distributions.Exponential(number(1.0)).icdf(random(30))
    expected, ordered = scipy.stats.probplot(sample.numpy(), dist=scipy.stats.expon, fit=False)
    drawn_points = dots(drawn(sample, Exponential(number(1.0))).axes[0])
    assert drawn_points[:, 0] == pytest.approx(expected, rel=0.01)  # scipy takes Filliben's approximate medians
    assert drawn_points[:, 1] == pytest.approx(ordered)


def test_discrete_sample_with_exact_shares_lies_on_the_diagonal():
    fitted = Poisson(number(2.0))
    counts = np.round(1e6 * scipy.stats.poisson(2).pmf(np.arange(8))).astype(int)
    sample = torch.arange(8).repeat_interleave(torch.from_numpy(counts)).double()
    left, right = drawn(sample, fitted).axes
    assert dots(left)[:, 1].tolist() == list(range(8))
    assert dots(left)[:6, 0] == pytest.approx(np.arange(6), abs=0.05)  # 0.001 of the probability lies beyond 7
    assert dots(right)[:, 0] == pytest.approx(dots(right)[:, 1], abs=0.002)


def test_discrete_points_stand_at_the_middle_of_their_ranks():
    _, right = drawn(torch.tensor([0.0, 0.0, 0.0, 2.0]), Poisson(number(1.0))).axes
    assert dots(right)[:, 0].tolist() == [0.375, 0.875]
    pmf = scipy.stats.poisson(1).pmf([0, 1, 2])
    assert dots(right)[:, 1] == pytest.approx([pmf[0] / 2, pmf[0] + pmf[1] + pmf[2] / 2])


def test_band_is_that_of_the_order_statistics():
    left, right = drawn(random(N), Beta(number(1.0), number(1.0))).axes  # of uniform numbers both panels are the same
    ranks = np.arange(1, N + 1)
    low, high = scipy.stats.beta(ranks, N + 1 - ranks).ppf([[0.025], [0.975]])
    for axes in (left, right):
        corners = band(axes)
        for position, ends in zip(POSITIONS, zip(low, high, strict=True), strict=True):
            heights = corners[np.isclose(corners[:, 0], position, atol=1e-7), 1]
            assert sorted({round(float(height), 6) for height in heights}) == pytest.approx(ends, abs=2e-6)


@pytest.mark.slow
def test_band_holds_nineteen_of_twenty_points_of_true_samples():
    normal = Normal(number(0.0), number(1.0))
    inside = []
    for seed in range(40):
        sample = torch.randn(50, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        _, right = drawn(sample, normal).axes
        points, corners = dots(right), band(right)
        edges = [corners[np.isclose(corners[:, 0], x, atol=1e-9), 1] for x in points[:, 0]]
        inside += [edge.min() <= y <= edge.max() for edge, y in zip(edges, points[:, 1], strict=True)]
    assert np.mean(inside) == pytest.approx(0.95, abs=0.03)


def test_held_out_rows_have_ranks_of_their_own():
    held_out = torch.zeros(N, dtype=torch.bool)
    held_out[[3, 8]] = True
    right = drawn(random(N), Beta(number(1.0), number(1.0)), held_out).axes[1]
    assert dots(right, "held out")[:, 0] == pytest.approx([1 - 0.5**0.5, 0.5**0.5])
    assert len(dots(right, "training")) == N - 2


def test_residuals_of_a_normal_regression_are_the_standardised_ones():
    mean, scale = 10 * random(30, 1), 0.5 + random(30, 2)
    target = mean + scale * torch.randn(30, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    values = quantile_residuals(Normal(mean, scale), target)
    assert values.numpy() == pytest.approx(((target - mean) / scale).numpy(), rel=1e-10)


def test_residuals_of_skewed_rows_are_normal_quantiles_of_their_probabilities():
    rate, target = 0.1 + random(30, 1), 5 * random(30, 2)
    expected = scipy.stats.norm.ppf(scipy.stats.gamma(2.0, scale=1 / rate.numpy()).cdf(target.numpy()))
    assert quantile_residuals(Gamma(number(2.0), rate), target).numpy() == pytest.approx(expected, rel=1e-9)


def test_discrete_residuals_are_drawn_between_their_two_probabilities():
    rate = 0.5 + 4 * random(200, 1)
    target = torch.poisson(rate, generator=torch.Generator().manual_seed(4))
    probability = scipy.stats.norm.cdf(quantile_residuals(Poisson(rate), target).numpy())
    exact = scipy.stats.poisson(rate.numpy())
    assert (probability > exact.cdf(target.numpy() - 1)).all()
    assert (probability < exact.cdf(target.numpy())).all()
    assert scipy.stats.kstest(probability, "uniform").pvalue > 0.01


def test_residuals_stay_finite_however_far_the_observation():
    values = quantile_residuals(Normal(number(0.0), number(1.0)), torch.tensor([-1e3, 1e3], dtype=torch.float64))
    assert values.tolist() == pytest.approx([-37.05, 8.21], abs=0.01)


def test_regression_is_drawn_against_the_standard_normal():
    residuals = torch.from_numpy(scipy.stats.norm.ppf(POSITIONS))
    figure = quantile_residual_figure(residuals, "after 3 iterations")
    left, right = figure.axes
    assert (left.get_xlabel(), left.get_ylabel()) == ("quantile of the normal distribution", "quantile residual")
    for axes in (left, right):
        assert dots(axes)[:, 0] == pytest.approx(dots(axes)[:, 1], rel=1e-7)
    assert figure.legends[0].get_texts()[-1].get_text() == "standard normal"
