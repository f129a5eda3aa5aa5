"""A sample's density, estimated without a model and with one."""

import numpy as np
import pytest
import scipy.stats
import torch
from matplotlib.figure import Figure
from torch.distributions import Distribution, Normal, StudentT

from paramfit.models import GaussianModel
from paramfit.plotting import density_figure

SAMPLE = torch.from_numpy(np.random.default_rng(0).normal(size=400))


def drawn(sample: torch.Tensor, fitted: Distribution) -> Figure:
    return density_figure(sample, fitted, ("observation", "density"), "after 10 updates")


def legend(figure: Figure) -> list[str]:
    found = figure.axes[0].get_legend()
    assert found is not None
    return [text.get_text() for text in found.get_texts()]


def test_axes_and_title_are_named() -> None:
    axes = drawn(SAMPLE, Normal(0.0, 1.0)).axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title()) == ("observation", "density", "after 10 updates")


def test_fitted_curve_is_the_normal_density() -> None:
    curve = drawn(SAMPLE, Normal(0.3, 1.2)).axes[0].lines[0]
    x = np.asarray(curve.get_xdata())
    assert np.allclose(np.asarray(curve.get_ydata()), scipy.stats.norm(0.3, 1.2).pdf(x), atol=1e-6)


def test_shaded_area_is_the_kernel_density() -> None:
    figure = drawn(SAMPLE, Normal(0.0, 1.0))
    (area,) = figure.axes[0].collections
    outline = area.get_paths()[0].vertices
    expected = scipy.stats.gaussian_kde(SAMPLE.numpy())
    assert outline[:, 1].max() == pytest.approx(expected(np.linspace(-3, 3, 2000)).max(), rel=1e-3)
    assert legend(figure) == ["kernel density of sample", "fitted density"]


def test_model_that_tracks_gradients_can_be_drawn() -> None:
    assert drawn(SAMPLE, GaussianModel(0.1)()).axes[0].lines[0].get_label() == "fitted density"


def test_fit_beside_the_sample_widens_the_figure() -> None:
    low, high = drawn(SAMPLE, Normal(15.0, 1.0)).axes[0].get_xlim()
    assert low < SAMPLE.min().item()
    assert high > 18.0


def test_fit_far_away_is_named_and_does_not_squeeze_the_sample() -> None:
    figure = drawn(SAMPLE, Normal(-3025.0, 1.0))
    low, _ = figure.axes[0].get_xlim()
    assert low > -20
    assert legend(figure)[-1] == "fitted density (around -3025, outside the figure)"


@pytest.mark.parametrize("sample", [torch.zeros(1), torch.full((5,), 2.0)], ids=["one observation", "one value"])
def test_sample_without_spread_has_no_kernel_density(sample: torch.Tensor) -> None:
    assert legend(drawn(sample.double(), Normal(0.0, 1.0))) == ["fitted density"]


def test_heavy_tailed_fit_without_a_standard_deviation_can_be_drawn() -> None:
    fitted = StudentT(torch.tensor(1.5, dtype=torch.float64))
    assert torch.isinf(fitted.stddev)
    assert legend(drawn(SAMPLE, fitted))[-1] == "fitted density"


def test_legend_leaves_room_above_the_peak() -> None:
    figure = drawn(SAMPLE, Normal(0.0, 1.0))
    peak = max(float(np.max(line.get_ydata())) for line in figure.axes[0].lines)
    assert figure.axes[0].get_ylim()[1] > 1.2 * peak
