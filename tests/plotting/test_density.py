"""A sample's density, estimated without a model and with one."""

import numpy as np
import pytest
import scipy.stats
import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.distributions import Cauchy, Distribution, Exponential, Normal, Poisson

from paramfit.models import GaussianModel
from paramfit.plotting import density_figure, histogram_figure

SAMPLE = torch.from_numpy(np.random.default_rng(0).normal(size=400))


def drawn(sample: torch.Tensor, fitted: Distribution) -> Figure:
    return density_figure(sample, fitted, ("observation", "density"), "after 10 updates")


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].get_legend().get_texts()]


def test_fitted_curve_is_the_normal_density():
    curve = drawn(SAMPLE, Normal(0.3, 1.2)).axes[0].lines[0]
    x = np.asarray(curve.get_xdata())
    assert np.allclose(np.asarray(curve.get_ydata()), scipy.stats.norm(0.3, 1.2).pdf(x), atol=1e-6)


def test_shaded_area_is_the_kernel_density():
    figure = drawn(SAMPLE, Normal(0.0, 1.0))
    (area,) = figure.axes[0].collections
    outline = area.get_paths()[0].vertices
    expected = scipy.stats.gaussian_kde(SAMPLE.numpy())
    assert outline[:, 1].max() == pytest.approx(expected(np.linspace(-3, 3, 2000)).max(), rel=1e-3)
    assert legend(figure) == ["kernel density of sample", "fitted density"]


def test_model_that_tracks_gradients_can_be_drawn():
    assert drawn(SAMPLE, GaussianModel(0.1)()).axes[0].lines[0].get_label() == "fitted density"


def test_far_tails_are_left_out_of_the_kernel_density_and_counted():
    sample = torch.cat([SAMPLE, torch.tensor([-900.0, 700.0], dtype=torch.float64)])
    figure = drawn(sample, Cauchy(number(0.0), number(1.0)))
    low, high = figure.axes[0].get_xlim()
    assert -50 < low < high < 50
    assert legend(figure)[0] == f"kernel density of sample (2 of {len(sample)} outside the figure)"


def number(value: float) -> Tensor:
    return torch.tensor(value, dtype=torch.float64)


def counted(sample: Tensor, fitted: Distribution) -> Figure:
    return histogram_figure(sample, fitted, ("observation", "density"), "after 10 updates")


def bars(figure: Figure) -> list[tuple[float, float, float]]:
    """Left end, width and height of each."""
    (container,) = figure.axes[0].containers
    return [(bar.get_x(), bar.get_width(), bar.get_height()) for bar in container]  # type: ignore[union-attr]


def curve(figure: Figure) -> tuple[np.ndarray, np.ndarray]:
    line = figure.axes[0].lines[0]
    return np.asarray(line.get_xdata(), dtype=float), np.asarray(line.get_ydata(), dtype=float)


def test_density_is_zero_outside_the_support_and_jumps_at_its_end():
    sample = torch.from_numpy(np.random.default_rng(1).exponential(2.0, size=200))
    for checks in (True, False):
        x, y = curve(drawn(sample, Exponential(number(0.5), validate_args=checks)))
        assert (y[x < 0] == 0).all()
        assert y[x >= 0] == pytest.approx(0.5 * np.exp(-0.5 * x[x >= 0]), rel=1e-9)
        assert y.max() == pytest.approx(0.5)


def test_histograms_areas_add_up_to_one():
    assert sum(width * height for _, width, height in bars(counted(SAMPLE, Normal(0.0, 1.0)))) == pytest.approx(1.0)


def test_bins_are_those_of_freedman_and_diaconis():
    drawn_points, edges = bars(counted(SAMPLE, Normal(0.0, 1.0))), np.histogram_bin_edges(SAMPLE.numpy(), "fd")
    heights, _ = np.histogram(SAMPLE.numpy(), edges, density=True)
    assert [left for left, _, _ in drawn_points] == pytest.approx(edges[:-1])
    assert [height for _, _, height in drawn_points] == pytest.approx(heights)


def test_fitted_density_lies_over_the_histogram():
    figure = counted(SAMPLE, Normal(0.3, 1.2))
    x, y = curve(figure)
    assert y == pytest.approx(scipy.stats.norm(0.3, 1.2).pdf(x), abs=1e-6)
    assert sorted(legend(figure)) == ["fitted density", "sample"]


def test_counts_have_a_bar_with_their_share_at_each_integer():
    figure = counted(torch.tensor([0.0, 1.0, 1.0, 3.0, 1.0]), Poisson(number(1.2)))
    actual = {round(left + width / 2, 9): height for left, width, height in bars(figure)}
    assert actual == pytest.approx({0: 0.2, 1: 0.6, 2: 0.0, 3: 0.2})
    x, y = curve(figure)
    assert x.tolist() == list(range(len(x)))
    assert y == pytest.approx(scipy.stats.poisson(1.2).pmf(x), rel=1e-9)
    assert sorted(legend(figure)) == ["fitted probability", "sample"]


def test_large_counts_are_binned_and_keep_the_scale_of_the_probabilities():
    sample = torch.from_numpy(np.random.default_rng(2).poisson(4000.0, size=2000)).double()
    drawn_points = bars(counted(sample, Poisson(number(4000.0))))
    assert len(drawn_points) < 60
    assert sum(width * height for _, width, height in drawn_points) == pytest.approx(1.0)
    assert all(width == pytest.approx(round(width)) for _, width, _ in drawn_points)
    assert max(height for _, _, height in drawn_points) == pytest.approx(scipy.stats.poisson(4000).pmf(4000), rel=0.15)


def test_far_tails_are_left_out_and_counted():
    sample = torch.cat([SAMPLE, torch.tensor([1e6, -1e7], dtype=torch.float64)])
    figure = counted(sample, Cauchy(number(0.0), number(1.0)))
    assert sum(width * height for _, width, height in bars(figure)) == pytest.approx(400 / 402)
    assert "sample (2 of 402 outside the figure)" in legend(figure)
    assert figure.axes[0].get_xlim()[1] < 10


@pytest.mark.parametrize("sample", [torch.zeros(1), torch.full((5,), 2.0)], ids=["one observation", "one value"])
@pytest.mark.parametrize("fitted", [Normal(number(0.0), number(1.0)), Poisson(number(2.0))], ids=["normal", "poisson"])
def test_sample_without_spread_has_one_bar(sample, fitted):
    ((_, _, height),) = bars(counted(sample.double(), fitted))
    assert height == pytest.approx(1.0)


def test_angles_are_shown_around_the_location():
    """Half of a heap at pi is at -pi: cut there, it would be two."""
    angles = np.random.default_rng(3).vonmises(3.1, 4.0, 300)
    fitted = torch.distributions.VonMises(torch.tensor(3.1).double(), torch.tensor(4.0).double())
    assert (angles < -2).any()
    for draw in (histogram_figure, density_figure):
        (line,) = (
            line
            for line in draw(torch.from_numpy(angles), fitted, ("angle", "density"), "").axes[0].lines
            if str(line.get_label()).startswith("fitted")
        )
        places = np.asarray(line.get_xdata(), dtype=float)
        assert places.min() > 3.1 - np.pi - 0.5
        assert places.max() < 3.1 + np.pi + 0.5
